// Package userpassword rotates the passwords of people in an Active Directory domain.
//
// A person's password is in no path that anything reads, so the new value is a
// temporary one: it is left in Vault for its owner to fetch, and he must change it at
// the next log-on. Until then the rotation is that of ad-password, whose two resets
// end the stolen value; must-change comes last, because the value lets nobody in from then on.
package userpassword

import (
	"context"
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

	// left holds the change mark straight after Retire, by subject. It is there to say that
	// somebody changed the temporary value; without it (the process began later) nobody is told.
	left sync.Map
}

var _ kind.Authority = (*Authority)(nil)

// New makes the authority of one domain, which it owns: Close closes c.
// vaultGenerate makes a value by a Vault password policy; it may be nil if p
// names none.
func New(c *directory.Client, p config.PasswordPolicy, vaultGenerate func(ctx context.Context, policy string) (credential.Secret, error)) *Authority {
	return &Authority{Authority: adpassword.New(c, p, vaultGenerate), dir: c}
}

// Try binds once as the account. A password that must be changed is refused with
// sub-code 773, which only the right one gets ([MS-ERREF] 2.2, ERROR_PASSWORD_MUST_CHANGE): with pwdLastSet 0 on
// the same domain controller it is Accepted, for more than that it cannot do. One
// that has expired of age is not.
func (a *Authority) Try(ctx context.Context, server string, acc kind.Account, value credential.Secret) (protocol.Answer, error) {
	answer, err := a.Authority.Try(ctx, server, acc, value)
	if err != nil || answer != protocol.PasswordExpired {
		return answer, err
	}
	e, found, err := a.dir.ByUUID(ctx, server, acc.Subject)
	switch {
	case directory.IsUnreachable(err) && ctx.Err() == nil:
		return protocol.Unreachable, nil
	case err != nil:
		return "", err
	case !found:
		return protocol.Gone, nil
	case e.First("pwdLastSet") == "0":
		return protocol.Accepted, nil
	}
	return protocol.PasswordExpired, nil
}

// Retire ends the stolen value as ad-password does and then makes the owner change the
// new one at the next log-on. Broken off in between, it is done again from the start:
// a reset takes must-change off, and it is put on again.
//
// Whoever has changed the temporary value since an earlier Retire is overruled by it: the
// owner cannot be told from an intruder. An owner who may not change his password is
// not made to, for that would lock him out; that, and a password that never expires,
// is a finding.
func (a *Authority) Retire(ctx context.Context, acc kind.Account, new credential.Secret) ([]credential.Finding, error) {
	var findings []credential.Finding
	if left, ok := a.left.LoadAndDelete(acc.Subject); ok {
		now, err := a.mark(ctx, acc)
		if err != nil {
			return nil, err
		}
		if now != left {
			findings = append(findings, credential.Finding{Code: credential.FindingChangedAfter,
				Detail: "the temporary password was changed before it was proved; it is set again, and handed over once it is proved"})
		}
	}
	more, err := a.Authority.Retire(ctx, acc, new)
	findings = append(findings, more...)
	if err != nil {
		return findings, err
	}
	owner, err := a.dir.Owner(ctx, acc.Name)
	if err != nil {
		return findings, fmt.Errorf("look how the owner stands to his password: %w", err)
	}
	notForced := func(why string) {
		findings = append(findings, credential.Finding{Code: credential.FindingNotForced, Detail: why})
	}
	switch {
	case owner.MayNotChange:
		notForced("the access control list denies the owner to change his password (User Cannot Change Password); must-change was left off, for it would lock him out")
	case owner.NeverExpires:
		notForced("the password never expires, or a smart card is required for log-on (userAccountControl), so the domain ignores must-change")
		fallthrough
	default:
		if err := a.dir.RequireChange(ctx, acc.Name); err != nil {
			return findings, err
		}
	}
	if mark, err := a.mark(ctx, acc); err == nil {
		a.left.Store(acc.Subject, mark)
	}
	return findings, nil
}

// mark is the change mark on the write server now.
func (a *Authority) mark(ctx context.Context, acc kind.Account) (string, error) {
	now, err := a.Account(ctx, a.Servers()[0], credential.Credential{Subject: acc.Subject})
	return now.Changed, err
}
