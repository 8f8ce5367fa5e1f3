// Package userpassword rotates the passwords of people in an Active Directory
// domain.
//
// A person's password is in no path that anything reads, so the new value is a
// temporary one: it is left in Vault for its owner to fetch, and he must change
// it at the next log-on. Until then the rotation is that of ad-password, whose
// two resets end the stolen value; must-change comes last, because the value
// lets nobody in from then on.
package userpassword

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/kind"
	"rollcall/internal/kind/adpassword"
	"rollcall/internal/protocol"
)

// Authority is one domain and its people. It is safe for concurrent use.
type Authority struct {
	*adpassword.Authority
	dir *directory.Client

	// afterRetire holds how Retire left an account (state), by subject. Without
	// it (the process began later) Retire is done again, and overrules a change
	// without a word.
	afterRetire sync.Map
}

// state is an account after Retire.
type state struct {
	mark     string // empty once the account was seen with another one
	findings []credential.Finding
}

var (
	_ kind.Authority = (*Authority)(nil)
	_ kind.Teller    = (*Authority)(nil)
)

// New makes the authority of one domain. Whoever opened c closes it.
// vaultGenerate makes a value by a Vault password policy; it may be nil if p
// names none.
func New(c *directory.Client, p config.PasswordPolicy, vaultGenerate func(ctx context.Context, policy string) (credential.Secret, error)) *Authority {
	return &Authority{Authority: adpassword.New(c, p, vaultGenerate), dir: c}
}

// Set resets the password on the write server.
func (a *Authority) Set(ctx context.Context, acc kind.Account, new, old credential.Secret) error {
	a.afterRetire.Delete(acc.Subject)
	return a.Authority.Set(ctx, acc, new, old)
}

// Try binds once as the account. A password that must be changed is refused
// with sub-code 773, which only the right one gets ([MS-ERREF] 2.2,
// ERROR_PASSWORD_MUST_CHANGE): with pwdLastSet 0 on the same domain controller
// it is Accepted, for more than that it cannot do. One that has expired of age
// is not.
//
// A right value is not always the one in force: the one before works for its
// hour. After Retire the account must be as that left it, or the owner would be
// handed a password that somebody has changed; that is an error, after which
// the caller looks again.
func (a *Authority) Try(ctx context.Context, server string, acc kind.Account, value credential.Secret) (protocol.Reply, error) {
	reply, err := a.Authority.Try(ctx, server, acc, value)
	if err != nil || reply != protocol.Accepted && reply != protocol.PasswordExpired {
		return reply, err
	}
	var left state
	if s, retired := a.afterRetire.Load(acc.Subject); retired {
		left = s.(state)
	} else if reply == protocol.Accepted {
		return reply, nil
	}
	now, err := a.Account(ctx, server, credential.Credential{Subject: acc.Subject})
	var stop *protocol.Stop
	switch {
	case errors.As(err, &stop) && stop.Reason == protocol.ReasonUnreachable:
		return protocol.Unreachable, nil
	case err != nil:
		return "", err
	case now.State == protocol.Gone:
		return protocol.Gone, nil
	case left.mark != "" && left.mark != now.Changed:
		a.afterRetire.Store(acc.Subject, state{})
		return "", errors.New("the temporary password was changed at " + server + " after it was retired; look again")
	case adpassword.MustChange(now.Changed):
		return protocol.Accepted, nil
	}
	return reply, nil
}

// Offer is Try: whether a right value is the one in force, only the account
// shows.
func (a *Authority) Offer(ctx context.Context, server string, acc kind.Account, value credential.Secret) (protocol.Reply, error) {
	return a.Try(ctx, server, acc, value)
}

// Retire ends the stolen value as ad-password does and then makes the owner
// change the new one at the next log-on. Broken off in between, it is done
// again from the start: a reset takes must-change off, and it is put on again.
// What this process has retired and nobody has changed since is left alone.
//
// Whoever has changed the temporary value since an earlier Retire is overruled
// by it: the owner cannot be told from an intruder. An owner who may not change
// his password is not made to, for that would lock him out; that, and a
// password that never expires, is a finding.
func (a *Authority) Retire(ctx context.Context, acc kind.Account, new credential.Secret) (string, []credential.Finding, error) {
	var findings []credential.Finding
	if left, ok := a.afterRetire.Load(acc.Subject); ok {
		now, err := a.mark(ctx, acc)
		if err != nil {
			return "", nil, err
		}
		if s := left.(state); now == s.mark {
			return s.mark, s.findings, nil
		}
		a.afterRetire.Delete(acc.Subject)
		findings = append(findings, credential.Finding{Code: credential.FindingChangedAfter,
			Detail: "the temporary password was changed before it was proved; it is set again, and handed over once it is proved"})
	}
	ended, more, err := a.EndOld(ctx, acc, new)
	findings = append(findings, more...)
	if err != nil {
		return "", findings, err
	}
	owner, err := a.dir.PasswordFlags(ctx, acc.Name)
	if err != nil {
		return "", findings, fmt.Errorf("look how the owner stands to his password: %w", err)
	}
	if !owner.MayNotChange {
		if err := a.dir.RequireChange(ctx, acc.Name); err != nil {
			return "", findings, err
		}
	}
	mark, err := a.mark(ctx, acc)
	if err != nil {
		return "", findings, err
	}
	if !adpassword.SameVersion(ended, mark) {
		return "", findings, errors.New("somebody else changed the password while it was retired, or bind.dn may not read msDS-KeyVersionNumber; look again")
	}
	left := state{mark, notForced(owner)}
	a.afterRetire.Store(acc.Subject, left)
	return mark, append(findings, left.findings...), nil
}

// Tell tells a hand-over from other changes. One change of a temporary value
// that had to be changed is what its owner was to do; whoever read the value
// could do it too, and nothing tells the two apart, so it is said.
func (a *Authority) Tell(proved string, now kind.Account) kind.Told {
	again := func(detail string) kind.Told {
		return kind.Told{Reason: protocol.ReasonChangedSince, Detail: "proved dead, and after that and before the end of the campaign " + detail}
	}
	steps := adpassword.Steps(proved, now.Changed)
	forced := adpassword.MustChange(proved)
	switch {
	case now.Changed == proved:
		return kind.Told{}
	case steps == 0 && forced:
		return again("must-change was taken off the temporary password, which logs in now: whoever read it in Vault gets in; find out who did that, and hand over a new one")
	case steps == 1 && forced && !adpassword.MustChange(now.Changed):
		return kind.Told{Finding: credential.FindingHandedOver}
	case steps == 1:
		return again("the temporary password was set anew, not by its owner as must-change wants it: by an administrator, or an intruder; the one in Vault is not in force")
	}
	return again("the password was changed more than once: its owner, an administrator or an intruder; ask the owner, and hand over a new one")
}

// notForced says why nothing makes the owner change the temporary value, if so.
func notForced(o directory.PasswordFlags) []credential.Finding {
	var why string
	switch {
	case o.MayNotChange:
		why = "the access control list denies the owner to change his password (User Cannot Change Password); must-change was left off, for it would lock him out"
	case o.NeverExpires:
		why = "the password never expires, or a smart card is required for log-on (userAccountControl), so the domain ignores must-change"
	default:
		return nil
	}
	return []credential.Finding{{Code: credential.FindingNotForced, Detail: why}}
}

// mark is the change mark on the write server now.
func (a *Authority) mark(ctx context.Context, acc kind.Account) (string, error) {
	now, err := a.Account(ctx, a.Servers()[0], credential.Credential{Subject: acc.Subject})
	return now.Changed, err
}
