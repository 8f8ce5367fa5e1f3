// Package recheck looks at dead credentials once more, at the end of the
// campaign: a proof says how an account was then.
package recheck

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// Proved is a dead credential as its evidence left it.
type Proved struct {
	Credential credential.Credential
	Mark       string            // the write server's change mark after the proof
	Marks      map[string]string // those of the other servers that gave evidence
	// To are the versions that were activated (see Applied.To), and Written
	// when Vault wrote each; nil, or zero, in ledgers of earlier versions.
	To      []int
	Written []time.Time
}

// Look is a look at the credentials of one authority.
type Look struct {
	Store     Store
	Authority kind.Authority
	LeftOut   []string // servers that a person took out of the campaign
}

// Store is what it needs of Vault. *ownmount.Store is the real one.
type Store interface {
	ReadLive(ctx context.Context, p credential.Path, version int) (vault.Live, error)
	Versions(ctx context.Context, p credential.Path) (vault.Versions, error)
	Carried(ctx context.Context, was ownmount.Placed) (ownmount.Placed, error)
}

// Looked is what a later look at a dead credential found. The zero value:
// nothing.
type Looked struct {
	Stop    *protocol.Stop         // it is open again
	Finding credential.FindingCode // it is dead, and this is to be told

	// Unseen: it could not be looked at, on one server at least, or the write
	// server does not show it any more, or no change mark of it, or what Vault
	// has of it could not be looked at: nobody knows whether it is as it was
	// proved.
	Unseen bool
	// ShownLess: another server than the write server does not show it, which
	// may be by what our identity may see there.
	ShownLess bool
}

// At looks at dead credentials, many in one call. Who kept a connection
// that was logged in before the reset can set a password of his own long after
// it, and at any server that takes one; who may write the branch can put
// another entry under the account's name.
//
// What could not be looked at is looked at once more, with connections of its
// own: a server that was just restarted has broken those of before.
func (l Look) At(ctx context.Context, all []Proved) []Looked {
	out := l.once(ctx, all)
	var again []Proved
	var at []int
	for i, looked := range out {
		if looked.Unseen && looked.Stop == nil {
			again, at = append(again, all[i]), append(at, i)
		}
	}
	if len(again) == 0 {
		return out
	}
	for n, looked := range l.once(ctx, again) {
		out[at[n]] = looked
	}
	return out
}

func (l Look) once(ctx context.Context, all []Proved) []Looked {
	out, written := make([]Looked, len(all)), make([]kind.Account, len(all))
	cs := make([]credential.Credential, 0, len(all))
	for _, p := range all {
		cs = append(cs, p.Credential)
	}
	for n, server := range l.Authority.Servers() {
		if n > 0 && slices.Contains(l.LeftOut, server) {
			continue
		}
		seen := l.sightOf(ctx, server, cs, all, n > 0)
		for i, p := range all {
			if _, proved := p.Marks[server]; n > 0 && !proved || out[i].Stop != nil {
				continue
			}
			now, err := seen.account(ctx, p.Credential)
			if err != nil {
				out[i].Unseen = true
				continue
			}
			if n == 0 {
				out[i], written[i] = l.recheck(ctx, server, p, now), now
				continue
			}
			out[i] = out[i].and(l.recheckAt(ctx, server, p, now, written[i]))
		}
	}
	l.madeAnew(ctx, all, out)
	return out
}

// and adds what another server showed.
func (l Looked) and(other Looked) Looked {
	if l.Stop = other.Stop; l.Stop != nil {
		return Looked{Stop: l.Stop}
	}
	l.Unseen = l.Unseen || other.Unseen
	l.ShownLess = l.ShownLess || other.ShownLess
	if l.Finding == "" {
		l.Finding = other.Finding
	}
	return l
}

// sighted are the accounts that one search showed. What it did not is read by
// itself, until the server turns out to be silent.
type sighted struct {
	look        Look
	server      string
	accounts    map[string]kind.Account
	unreachable error
}

func (l Look) sightOf(ctx context.Context, server string, cs []credential.Credential, all []Proved, evidence bool) *sighted {
	s := &sighted{look: l, server: server}
	asked := slices.ContainsFunc(all, func(p Proved) bool { _, ok := p.Marks[server]; return ok || !evidence })
	if asked {
		s.accounts, _ = kind.AccountsAfterSet(ctx, l.Authority, server, cs)
	}
	return s
}

func (s *sighted) account(ctx context.Context, c credential.Credential) (kind.Account, error) {
	if a, ok := s.accounts[c.ID]; ok {
		return a, nil
	}
	if s.unreachable != nil {
		return kind.Account{}, s.unreachable
	}
	a, err := s.look.Authority.Account(ctx, s.server, c)
	var stop *protocol.Stop
	if errors.As(err, &stop) && stop.Reason == protocol.ReasonUnreachable {
		s.unreachable = err
	}
	return a, err
}

// recheck judges what the write server shows.
func (l Look) recheck(ctx context.Context, server string, p Proved, now kind.Account) Looked {
	if looked, done := l.identity(ctx, server, p, now); done {
		if names, ok := kind.As[kind.Named](l.Authority); ok && looked == (Looked{}) {
			looked.Unseen = names.Hides()
		}
		return looked
	}
	if t, ok := kind.As[kind.Teller](l.Authority); ok {
		if now.State != protocol.Gone && unmarked(p.Mark, now) {
			return Looked{Unseen: true}
		}
		return told(t.Tell(p.Mark, now), now, server)
	}
	if now.State == protocol.Gone {
		return Looked{} // it accepts nothing
	}
	switch protocol.Compare(p.Mark, now.Changed) {
	case protocol.Changed:
		return changedSince(server)
	case protocol.Unchanged:
		if !now.ByItself && !now.OnlyOne {
			return asProved(now)
		}
	}
	if now.State != protocol.Accepted {
		return asProved(now)
	}
	// Touched by a login, most likely. What was proved must still be in force.
	looked := l.stillInForce(ctx, server, p, now)
	if looked == (Looked{}) && unmarked(p.Mark, now) {
		looked.Unseen = true // another value may have been put beside it
	}
	return looked
}

// unmarked: no change mark tells whether an account that may hold several
// values, or takes the one before for a while, is as it was proved.
func unmarked(proved string, now kind.Account) bool {
	return !now.OnlyOne && (!protocol.Shown(proved) || !protocol.Shown(now.Changed))
}

// recheckAt judges what another server shows. written is the account at the
// write server, in which nothing was found; the zero value if that could not be
// looked at.
func (l Look) recheckAt(ctx context.Context, server string, p Proved, now, written kind.Account) Looked {
	if looked, done := l.identity(ctx, server, p, now); done {
		if looked == (Looked{}) && written.State == protocol.Accepted {
			looked.ShownLess = true // it accepts nothing there, or the server does not show it
		}
		return looked
	}
	mark := p.Marks[server]
	if now.Changed == written.Changed && protocol.Shown(now.Changed) {
		return asProved(now) // the same entry as the one that was judged
	}
	if protocol.Shown(now.Changed) && protocol.Older(now.Changed, p.Mark) {
		return openAgain(protocol.ReasonTakenBack, server, "this server had the new password when it was proved, and shows an older one now: replication or a backup put it back, and the stolen value may be good there")
	}
	if t, ok := kind.As[kind.Teller](l.Authority); ok {
		if unmarked(mark, now) {
			return Looked{Unseen: true}
		}
		return told(t.Tell(mark, now), now, server)
	}
	switch protocol.Compare(mark, now.Changed) {
	case protocol.Changed:
		return changedSince(server)
	case protocol.Unchanged:
		if !now.ByItself {
			return asProved(now)
		}
	}
	if now.State != protocol.Accepted {
		return asProved(now)
	}
	looked := l.stillInForce(ctx, server, p, now)
	if looked == (Looked{}) && unmarked(mark, now) {
		looked.Unseen = true
	}
	return looked
}

// asProved is an account in which nothing was changed; somebody may have locked
// it.
func asProved(now kind.Account) Looked {
	if now.State == protocol.Locked || now.State == protocol.RoleLocked || now.State == protocol.LoginLocked {
		return Looked{Finding: credential.FindingLockedSince}
	}
	return Looked{}
}

func told(t kind.Told, now kind.Account, server string) Looked {
	if t.Reason != "" {
		return openAgain(t.Reason, server, t.Detail)
	}
	if t.Finding != "" {
		return Looked{Finding: t.Finding}
	}
	return asProved(now)
}

// identity holds an account's name against the one on the roll, which its
// consumers use, and asks whose that is if it is not the account's any more.
func (l Look) identity(ctx context.Context, server string, p Proved, now kind.Account) (looked Looked, done bool) {
	names, ok := kind.As[kind.Named](l.Authority)
	switch {
	case !ok:
		return Looked{}, false
	case now.State != protocol.Gone && names.SameName(now.Name, p.Credential.Name):
		return Looked{}, false
	}
	holder, err := names.Holder(ctx, server, p.Credential.Name)
	switch {
	case err != nil, strings.EqualFold(holder, p.Credential.Subject):
		return Looked{Unseen: true}, true // or it moved between the two looks
	case holder != "":
		return openAgain(protocol.ReasonRenamedSince, server, "another entry has the name of the account that was proved dead: whoever logs in by that name is that entry now, which nothing was proved of, and which may have the stolen password"), true
	case now.State == protocol.Gone:
		return Looked{}, true // it accepts nothing, if it is not hidden
	}
	return openAgain(protocol.ReasonRenamedSince, server, "the account that was proved dead was renamed or moved since it was listed: its consumers log in by a name that is not there, and whoever may write there can give that name to another entry"), true
}

// stillInForce offers the value that was proved, once. Only the versions that
// were activated hold it. At a path that took no part, and in every later
// version, lies what others wrote: who can write there writes what he sets the
// account to.
func (l Look) stillInForce(ctx context.Context, server string, p Proved, now kind.Account) Looked {
	value, failed, anew := l.activatedValue(ctx, p)
	switch {
	case anew:
		return openAgain(protocol.ReasonMadeAnew, server, "proved dead, and its entry was touched after that; the secret in Vault that held the value which was proved was deleted and made anew since, so its versions are somebody else's and were not tried: find out who deleted it, and whether the password is still the one that consumers are to have")
	case value.IsZero() && failed:
		return Looked{Unseen: true}
	case value.IsZero() && now.OnlyOne:
		return openAgain(protocol.ReasonChangedSince, server, "proved dead, and whether its password is still the one that was proved could not be tried at the end of the campaign: that value is not in Vault any more, at any path that took part: find out who deleted it")
	case value.IsZero():
		// Who can write there can bring that about, so it must not pass for
		// unchanged.
		return openAgain(protocol.ReasonChangedSince, server, "proved dead, and its entry was changed after that and before the end of the campaign: by a login, or by somebody who set its password. The value that was proved is not in Vault any more, at any path that took part, so which it was could not be tried: find out who deleted it")
	}
	switch reply, err := l.Authority.Offer(ctx, server, now, value); {
	case err != nil, reply == protocol.Unreachable:
		return Looked{Unseen: true}
	case reply == protocol.Accepted:
		return Looked{}
	case reply == protocol.Locked, reply == protocol.LockNotShown, reply == protocol.LoginLocked:
		return Looked{Finding: credential.FindingLockedSince}
	}
	return changedSince(server)
}

// activatedValue is what the versions hold that were activated. failed: one
// could not be read. anew: the number is another version's by now. Who may
// delete a secret with its metadata makes versions begin at 1 again, and so
// could choose what the number means; when Vault wrote it he cannot choose.
func (l Look) activatedValue(ctx context.Context, p Proved) (value credential.Secret, failed, anew bool) {
	paths := p.Credential.Places()
	for i, path := range paths[:min(len(paths), len(p.To))] {
		if p.To[i] == 0 {
			continue
		}
		live, err := l.Store.ReadLive(ctx, path, p.To[i])
		if err == nil && !live.Found && i < len(p.Written) && !p.Written[i].IsZero() {
			live, err = l.inALaterOne(ctx, path, p.To[i], p.Written[i], live)
		}
		live = live.Of(p.Credential.Users)
		switch {
		case err != nil:
			failed = true
			continue
		case i < len(p.Written) && !p.Written[i].IsZero() && live.Version > 0 && !live.Written.Equal(p.Written[i]):
			anew = true
		case live.Found && value.IsZero():
			value = live.Value
		}
	}
	return value, failed, anew
}

// inALaterOne is a version that Rollcall wrote on top of one that was destroyed
// since, for another field of the secret; seen is what is left of that. It
// counts as the activated one.
func (l Look) inALaterOne(ctx context.Context, path credential.Path, to int, written time.Time, seen vault.Live) (vault.Live, error) {
	if seen.Version > 0 && !seen.Written.Equal(written) {
		return seen, nil // made anew
	}
	last, err := l.Store.Carried(ctx, ownmount.Placed{Path: path, Version: to, Written: written})
	if err != nil || last.Version == to {
		return seen, err
	}
	live, err := l.Store.ReadLive(ctx, path, last.Version)
	if err != nil || !live.Found || !live.Written.Equal(last.Written) {
		return seen, err
	}
	live.Version, live.Written = to, written
	return live, nil
}

func changedSince(server string) Looked {
	return openAgain(protocol.ReasonChangedSince, server, "proved dead, and its password was changed after that and before the end of the campaign: by its owner, an administrator, or who kept a connection that was logged in before")
}

func openAgain(reason protocol.Reason, server, detail string) Looked {
	return Looked{Stop: &protocol.Stop{Reason: reason, Server: server, Detail: detail}}
}
