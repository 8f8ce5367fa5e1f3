// Package ldappassword rotates the userPassword of entries in an LDAP
// directory, of OpenLDAP or 389 Directory Server.
package ldappassword

import (
	"context"
	"errors"
	"sync"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/kind"
	"rollcall/internal/password"
	"rollcall/internal/protocol"
)

// Authority is one directory. It is safe for concurrent use.
type Authority struct {
	dir           *directory.Client
	policy        config.PasswordPolicy
	vaultGenerate func(ctx context.Context, policy string) (credential.Secret, error)

	// seen holds the change mark that the last good Try on the write server
	// read, by subject.
	seen sync.Map

	clear keepsClear
}

var (
	_ kind.Authority = (*Authority)(nil)
	_ kind.Many      = (*Authority)(nil)
	_ kind.Brief     = (*Authority)(nil)
	_ kind.Seer      = (*Authority)(nil)
	_ kind.Again     = (*Authority)(nil)
	_ kind.Named     = (*Authority)(nil)
	_ kind.Readable  = (*Authority)(nil)
	_ kind.Keeper    = (*Authority)(nil)
)

// New makes the authority of one directory. Whoever opened c closes it.
// vaultGenerate makes a value by a Vault password policy; it may be nil if p
// names none.
func New(c *directory.Client, p config.PasswordPolicy, vaultGenerate func(ctx context.Context, policy string) (credential.Secret, error)) *Authority {
	return &Authority{dir: c, policy: p, vaultGenerate: vaultGenerate}
}

// Servers are the directory's, the write server first.
func (a *Authority) Servers() []string { return a.dir.Servers() }

// Account finds the entry by its immutable id, so a renamed one is found and
// another one under the old name is not. Changed is what
// directory.Client.Changed says of it. The worker's only identity is a Stop
// with ReasonSelf, an unreachable server one with ReasonUnreachable.
func (a *Authority) Account(ctx context.Context, server string, c credential.Credential) (kind.Account, error) {
	if c.Subject == "" {
		return kind.Account{}, &protocol.Stop{Reason: protocol.ReasonNoAccount, Server: server, Detail: "no account was found for it when it was listed"}
	}
	e, found, err := a.dir.ByID(ctx, server, c.Subject, c.Name)
	switch {
	case directory.IsUnreachable(err) && ctx.Err() == nil:
		return kind.Account{}, protocol.StopFor(protocol.Unreachable, server)
	case err != nil:
		return kind.Account{}, err
	case !found:
		return kind.Account{Subject: c.Subject, Name: c.Name, State: protocol.Gone}, nil
	case a.dir.IsBindIdentity(e.DN):
		return kind.Account{}, a.self(server)
	}
	return a.shown(ctx, server, e)
}

// Accounts reads many entries at once.
func (a *Authority) Accounts(ctx context.Context, server string, cs []credential.Credential) map[string]kind.Account {
	return a.accounts(ctx, server, cs, a.dir.ManyByID(ctx, server, kind.Subjects(cs)))
}

// AccountsAfterSet reads their states alone.
func (a *Authority) AccountsAfterSet(ctx context.Context, server string, cs []credential.Credential) map[string]kind.Account {
	return a.accounts(ctx, server, cs, a.dir.StatesByID(ctx, server, kind.Subjects(cs)))
}

func (a *Authority) accounts(ctx context.Context, server string, cs []credential.Credential, entries map[string]directory.Entry) map[string]kind.Account {
	out := map[string]kind.Account{}
	for _, c := range cs {
		e, found := entries[c.Subject]
		if !found {
			continue
		}
		acc, err := a.shown(ctx, server, e)
		if err != nil {
			break // the server does not answer any more, most likely
		}
		out[c.ID] = acc
	}
	return out
}

// shown is the account of an entry.
func (a *Authority) shown(ctx context.Context, server string, e directory.Entry) (kind.Account, error) {
	state, err := a.dir.State(ctx, server, e, time.Now())
	if err != nil {
		return kind.Account{}, err
	}
	most, failed := a.dir.Locks(ctx, server, e)
	var until time.Time
	if state == protocol.Locked {
		until = a.dir.LockedUntil(ctx, server, e)
	}
	hindered := directory.Hindrances(e)
	if server == a.Servers()[0] && a.dir.Forced(ctx, server, e) {
		hindered = append(hindered, credential.ForcedChange)
	}
	return kind.Account{LockedUntil: until, Subject: e.ID, Name: e.DN, State: state, Locks: most, Failed: failed, Changed: a.dir.Changed(e), ByItself: a.dir.ByItself(e), Hindered: hindered}, nil
}

// StillRead reads the rights of the directory again.
func (a *Authority) StillRead(ctx context.Context, readers, of []credential.Credential) (map[string]bool, error) {
	return kind.StillRead(ctx, readers, of, a.dir.StillRead)
}

// CannotOffer is kind.Limited.
func (a *Authority) CannotOffer(value credential.Secret) string {
	return directory.CannotOffer(value)
}

// LookAgain reads many accounts over several connections.
func (a *Authority) LookAgain(ctx context.Context, server string, cs []credential.Credential, n int) (kind.Look, error) {
	seen, err := a.dir.LookAgain(ctx, server, kind.Subjects(cs), n, a.dir.Changed)
	out := kind.Look{Contradicts: seen.Contradicts, Machine: seen.Machine, Marks: map[string]string{}}
	for _, c := range cs {
		out.Marks[c.ID] = seen.Marks[c.Subject]
	}
	return out, err
}

// SameName compares names as the directory does.
func (a *Authority) SameName(x, y string) bool { return directory.SameDN(x, y) }

// Holder reads whose a name is now.
func (a *Authority) Holder(ctx context.Context, server, name string) (string, error) {
	return a.dir.Holder(ctx, server, name)
}

// Keeps counts the values of userPassword.
func (a *Authority) Keeps(ctx context.Context, server string, acc kind.Account) (int, error) {
	e, _, err := a.dir.ByID(ctx, server, acc.Subject, acc.Name)
	return len(e.Stored["userPassword"]), err
}

// Generate makes a value by the directory's policy in the campaign file, or has
// Vault make it.
func (a *Authority) Generate(ctx context.Context, _ credential.Credential) (credential.Secret, error) {
	if a.policy.VaultPolicy == "" {
		return password.New(a.policy)
	}
	return a.vaultGenerate(ctx, a.policy.VaultPolicy)
}

// GenerateShorter makes a value by the campaign file's own policy, shorter.
func (a *Authority) GenerateShorter(_ context.Context, _ credential.Credential, by int) (credential.Secret, error) {
	return password.Shorter(a.policy, by)
}

// Set resets the password on the write server.
func (a *Authority) Set(ctx context.Context, acc kind.Account, new, old credential.Secret) error {
	if a.dir.IsBindIdentity(acc.Name) {
		return a.self(a.Servers()[0])
	}
	if err := kind.Hindrance(acc, a.Servers()[0]); err != nil {
		return err
	}
	err := a.dir.ResetPassword(ctx, acc.Name, new, old)
	if _, spent := errors.AsType[directory.Spent](err); spent {
		return kind.Spent{Err: err}
	}
	return err
}

// Try binds once as the account. Servers answer alike for a wrong password, for
// one that is gone, and slapd for a locked one too; ns-slapd does for the
// refusal that locks. So a refusal is believed only after a look at the entry
// on the same server.
func (a *Authority) Try(ctx context.Context, server string, acc kind.Account, value credential.Secret) (protocol.Answer, error) {
	answer, self, err := a.dir.Login(ctx, server, acc.Name, acc.Subject, value)
	if err == nil && answer == protocol.Accepted && server == a.Servers()[0] {
		a.seen.Store(acc.Subject, a.dir.Changed(self))
	}
	if err != nil || answer != protocol.Refused {
		return answer, err
	}
	e, found, err := a.dir.ByID(ctx, server, acc.Subject, acc.Name)
	switch {
	case directory.IsUnreachable(err) && ctx.Err() == nil:
		return protocol.Unreachable, nil
	case err != nil:
		return "", err
	case !found:
		return protocol.Gone, nil
	case !directory.SameDN(e.DN, acc.Name):
		return "", errors.New("the account was renamed at " + server + " while it was worked on; read it again")
	}
	state, err := a.dir.State(ctx, server, e, time.Now())
	if err != nil || state != protocol.Accepted {
		return state, err
	}
	return protocol.Refused, nil
}

// Seen is what the account could read of itself; empty where that tells
// nothing.
func (a *Authority) Seen(acc kind.Account) string {
	mark, ok := a.seen.LoadAndDelete(acc.Subject)
	if !ok || mark == "/" {
		return ""
	}
	return mark.(string)
}

// Offer binds once and looks no further.
func (a *Authority) Offer(ctx context.Context, server string, acc kind.Account, value credential.Secret) (protocol.Answer, error) {
	return a.dir.Offer(ctx, server, acc.Name, value)
}

// Retire has nothing to do: neither server accepts an old password. Connections
// that are bound already stay so until they end; the directory offers no way to
// cut them. A value that the entry shows as it is, is told.
func (a *Authority) Retire(ctx context.Context, acc kind.Account, _ credential.Secret) (string, []credential.Finding, error) {
	if !a.clear.ask(time.Now()) || !a.clear.saw(a.dir.StoredAsSent(ctx, acc.Name)) {
		return "", nil, nil
	}
	return "", []credential.Finding{{Code: credential.FindingStoredAsSent,
		Detail: "its userPassword at " + a.Servers()[0] + " is the new value as it is, for whoever may read it: the server hashes nothing that is set so (passwordStorageScheme CLEAR, olcPasswordHash {CLEARTEXT}, or set: replace where it refuses to hash)"}}, nil
}

// ProofWithoutOld is the change time.
func (a *Authority) ProofWithoutOld() protocol.Proof { return protocol.ProofMetadata }

// RetiresFirst: nothing that an old password minted reads Vault by itself.
func (a *Authority) RetiresFirst(credential.Credential) bool { return false }

func (a *Authority) self(server string) error {
	return &protocol.Stop{Reason: protocol.ReasonSelf, Server: server,
		Detail: "this is the identity with which the worker binds (bind.dn); name a pair under bind (docs/rights.md) and each is rotated by the other; or reset it by hand, then put the new password where bind.password points"}
}
