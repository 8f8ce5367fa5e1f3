// Package adpassword rotates the passwords of accounts in an Active Directory
// domain.
//
// A domain controller goes on accepting the password before the one in force
// for an hour (OldPasswordAllowedPeriod; LDAP simple binds are network logons),
// and only that one. So a single reset leaves the stolen password working.
// Retire resets once more to the same value: then the password before is the
// new one itself.
package adpassword

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/kind"
	"rollcall/internal/kind/diraccount"
	"rollcall/internal/protocol"
)

// Authority is one domain. It is safe for concurrent use.
type Authority struct {
	diraccount.Directory

	// taken holds the change mark straight after our Set, by subject, until
	// Retire. What is not in it (the process began later) costs Retire one more
	// reset.
	taken sync.Map
}

var (
	_ kind.Authority = (*Authority)(nil)
	_ kind.Many      = (*Authority)(nil)
	_ kind.Again     = (*Authority)(nil)
	_ kind.Numbered  = (*Authority)(nil)
	_ kind.Named     = (*Authority)(nil)
	_ kind.Readable  = (*Authority)(nil)
)

// New makes the authority of one domain. Whoever opened c closes it.
// vaultGenerate makes a value by a Vault password policy; it may be nil if p
// names none.
func New(c *directory.Client, p config.PasswordPolicy, vaultGenerate func(ctx context.Context, policy string) (credential.Secret, error)) *Authority {
	return &Authority{Directory: diraccount.New(c, p, vaultGenerate)}
}

// Account finds the account by objectGUID, so a renamed or moved one is found
// and another one under the old name is not. Changed is the password's version
// and pwdLastSet, which replicate unchanged from the domain controller that
// wrote them. The worker's only identity is a Stop with ReasonSelf, an
// unreachable server one with ReasonUnreachable.
func (a *Authority) Account(ctx context.Context, server string, c credential.Credential) (kind.Account, error) {
	e, gone, found, err := a.Entry(ctx, server, c)
	switch {
	case err != nil || !found:
		return gone, err
	case isComputer(e):
		return kind.Account{}, &protocol.Stop{Reason: protocol.ReasonComputer, Server: server,
			Detail: "its name ends in $: it is the account of a computer, a managed service or a trust, which a reset cuts off from the domain until it is joined again; it is never reset"}
	}
	return a.shown(ctx, server, e), nil
}

// Accounts reads many accounts at once.
func (a *Authority) Accounts(ctx context.Context, server string, cs []credential.Credential) map[string]kind.Account {
	entries := a.Dir.ManyByID(ctx, server, kind.Subjects(cs))
	out := map[string]kind.Account{}
	for _, c := range cs {
		if e, found := entries[c.Subject]; found && !isComputer(e) {
			out[c.ID] = a.shown(ctx, server, e)
		}
	}
	return out
}

// shown is the account of an entry.
func (a *Authority) shown(ctx context.Context, server string, e directory.Entry) kind.Account {
	locks := a.Dir.Locks(ctx, server, e)
	var until time.Time
	if state(e, time.Now()) == protocol.Locked {
		until = a.Dir.LockedUntil(ctx, server, e)
	}
	return kind.Account{Subject: e.ID, Name: e.DN, State: state(e, time.Now()), LockedUntil: until, Since: since(e), Changed: changed(e), Exact: true, Locks: locks.Most, Failed: locks.Failed, LocksHidden: locks.Hidden, LocksGuessed: locks.Guessed, Hindered: hindrances(e, time.Now())}
}

// isComputer: the names of computers, managed service accounts and trusts end
// in $ ([MS-ADTS] 3.1.1.6.1).
func isComputer(e directory.Entry) bool { return strings.HasSuffix(e.First("sAMAccountName"), "$") }

// LookAgain reads many accounts over several connections.
func (a *Authority) LookAgain(ctx context.Context, server string, cs []credential.Credential, n int) (kind.Look, error) {
	return a.Directory.LookAgain(ctx, server, cs, n, changed)
}

// maxResets is how many resets to one value there may be before one more is
// not tried: two that end the stolen value, and one for an administrator who
// ticked must-change in between.
const maxResets = 2

// Set resets the password on the write server.
func (a *Authority) Set(ctx context.Context, acc kind.Account, new, _ credential.Secret) error {
	if version(acc.Before) != 0 && version(acc.Changed)-version(acc.Before) > maxResets {
		return &protocol.Stop{Reason: protocol.ReasonMustChange, Server: a.Servers()[0],
			Detail: "the new value is right and has expired each time it was set, so it is not set again: each further reset makes the tries of consumers that still have the stolen value count, and lock the account; set pwdLastSet to -1 by hand, and grant bind.dn the right Unexpire Password on the domain"}
	}
	if err := kind.Hindrance(acc, a.Servers()[0]); err != nil {
		return err
	}
	a.taken.Delete(acc.Subject) // of an earlier Set that was not retired
	if err := a.reset(ctx, acc, new); err != nil {
		return err
	}
	if mark, err := a.mark(ctx, acc); err == nil {
		a.taken.Store(acc.Subject, mark)
	}
	return nil
}

// SetSince reports whether the password was set after the Set of this process,
// before it was retired.
func (a *Authority) SetSince(acc kind.Account, now string) bool {
	ours, known := a.taken.Load(acc.Subject)
	return known && a.SetBetween(ours.(string), now)
}

// SetBetween goes by the version: pwdLastSet moves too where somebody ticks
// must-change, or lifts an expiry.
func (a *Authority) SetBetween(before, after string) bool { return Steps(before, after) > 0 }

func (a *Authority) reset(ctx context.Context, acc kind.Account, new credential.Secret) error {
	if a.Dir.IsBindIdentity(acc.Name) {
		return diraccount.Self(a.Servers()[0])
	}
	return a.Dir.ResetPassword(ctx, acc.Name, new, credential.Secret{})
}

// mark is the change mark on the write server now.
func (a *Authority) mark(ctx context.Context, acc kind.Account) (string, error) {
	e, found, err := a.Dir.ByID(ctx, a.Servers()[0], acc.Subject, acc.Name)
	if err == nil && !found {
		err = protocol.StopFor(protocol.Gone, a.Servers()[0])
	}
	return changed(e), err
}

// Try binds once as the account. The refusal that locks an account reads like
// that of a wrong password, and so does one of a disabled account that was
// offered a wrong one, so it is believed only after a look at the account on
// the same server.
func (a *Authority) Try(ctx context.Context, server string, acc kind.Account, value credential.Secret) (protocol.Reply, error) {
	reply, _, err := a.Dir.Login(ctx, server, acc.Name, acc.Subject, value)
	if err != nil || reply != protocol.Refused {
		return reply, err
	}
	return a.Refused(ctx, server, acc, func(e directory.Entry) (protocol.Reply, error) { return state(e, time.Now()), nil })
}

// Retire ends the hour of the password before.
//
// Kerberos tickets that were issued before live on until they expire (10 hours
// by default); the directory offers no way to cut them.
func (a *Authority) Retire(ctx context.Context, acc kind.Account, new credential.Secret) (string, []credential.Finding, error) {
	return a.EndOld(ctx, acc, new)
}

// EndOld resets to the same value once more, which ends the hour in which the
// password before is accepted. If the account's password may have changed
// between Set and now, the one before is not known to be ours: a bind cannot
// tell, because ours may work for its hour. Then it resets twice.
//
// It resets no more often than that takes. As long as the stolen value is the
// one before the one before, a try with it is refused and not counted
// ([MS-SAMR] 3.1.1.7.1 keeps two; Samba 4.17 tried, with a history of three or
// more): every further reset makes the tries of consumers that have not
// followed yet count, and lock the account. So after a kill the versions say
// how often it was reset since the value was staged, and what is done is not
// done again.
//
// mark is the change mark after that; empty if the servers number no versions.
// That somebody else changed the password meanwhile is an error, for theirs may
// be the one before: the caller looks again.
func (a *Authority) EndOld(ctx context.Context, acc kind.Account, new credential.Secret) (mark string, findings []credential.Finding, err error) {
	before, err := a.mark(ctx, acc)
	if err != nil {
		return "", nil, err
	}
	ours, known := a.taken.LoadAndDelete(acc.Subject)
	resets, asked := resetsLeft(acc.Before, before), 0
	switch {
	case known && before != ours:
		resets = 2
		findings = []credential.Finding{{Code: credential.FindingChangedDuring,
			Detail: "the password was changed again between Set and Retire; that value is retired too"}}
	case known && acc.Before == "":
		resets = 1
	case !known && resets == 0:
		// Two changes since, and ours is accepted: both are ours, or the last
		// is somebody's.
		is, err := a.Dir.InForce(ctx, acc.Name, new)
		switch {
		case err != nil:
			return "", nil, err
		case is == directory.SetAnew:
			asked = 1
		case is == directory.NotInForce:
			resets = 2
		}
	}
	for range resets {
		if err := a.reset(ctx, acc, new); err != nil {
			err = fmt.Errorf("retire the password before: %w", err)
			var stop *protocol.Stop
			if !errors.As(err, &stop) || !stop.Reason.NotSet() {
				err = kind.Unanswered{Err: err}
			}
			return "", findings, err
		}
	}
	mark, err = a.mark(ctx, acc)
	switch {
	case err != nil || version(before) == 0:
		return "", findings, err
	case version(mark) != version(before)+asked+resets:
		return "", findings, errors.New("somebody else changed the password while it was retired; look again")
	}
	return mark, findings, nil
}

// resetsLeft is how many resets are left to do of two that end a stolen value,
// by the change marks from when the new one was staged and now, where the new
// one is accepted now.
func resetsLeft(staged, now string) int {
	if version(staged) == 0 || version(now) == 0 {
		return 2
	}
	switch version(now) - version(staged) {
	case 1:
		return 1
	case 2:
		return 0
	}
	return 2 // somebody else's are among them
}

// ProofWithoutOld is the change mark: it is that of the last reset on every
// domain controller, so each has at least two.
func (a *Authority) ProofWithoutOld() protocol.Proof { return protocol.ProofMetadata }
