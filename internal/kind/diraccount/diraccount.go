// Package diraccount is what the kinds of account in an LDAP directory do
// alike, whatever its driver.
package diraccount

import (
	"context"
	"errors"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/kind"
	"rollcall/internal/password"
	"rollcall/internal/protocol"
)

// Directory is one, as its accounts need it. It is safe for concurrent use.
type Directory struct {
	Dir           *directory.Client
	policy        config.PasswordPolicy
	vaultGenerate func(ctx context.Context, policy string) (credential.Secret, error)
}

// New gives the accounts of one directory. Whoever opened c closes it.
// vaultGenerate makes a value by a Vault password policy; it may be nil if p
// names none.
func New(c *directory.Client, p config.PasswordPolicy, vaultGenerate func(ctx context.Context, policy string) (credential.Secret, error)) Directory {
	return Directory{Dir: c, policy: p, vaultGenerate: vaultGenerate}
}

// Servers are the directory's, the write server first.
func (a Directory) Servers() []string { return a.Dir.Servers() }

// Entry finds the entry of a credential by its immutable id. found is false,
// and the account is Gone, where there is none. The worker's only identity is a
// Stop with ReasonSelf, an unreachable server one with ReasonUnreachable.
func (a Directory) Entry(ctx context.Context, server string, c credential.Credential) (e directory.Entry, gone kind.Account, found bool, err error) {
	if c.Subject == "" {
		return e, gone, false, &protocol.Stop{Reason: protocol.ReasonNoAccount, Server: server, Detail: "no account was found for it when it was listed"}
	}
	e, found, err = a.Dir.ByID(ctx, server, c.Subject, c.Name)
	switch {
	case directory.IsUnreachable(err) && ctx.Err() == nil:
		return e, gone, false, protocol.StopFor(protocol.Unreachable, server)
	case err != nil:
		return e, gone, false, err
	case !found:
		return e, kind.Account{Subject: c.Subject, Name: c.Name, State: protocol.Gone}, false, nil
	case a.Dir.IsBindIdentity(e.DN):
		return e, gone, false, Self(server)
	}
	return e, gone, true, nil
}

// Refused looks at an account whose value was refused on a server. Servers
// answer alike for a wrong password and for an account that is gone, locked or
// disabled, so a refusal is believed only after a look at the entry on the same
// server. state tells what the entry shows.
func (a Directory) Refused(ctx context.Context, server string, acc kind.Account, state func(directory.Entry) (protocol.Reply, error)) (protocol.Reply, error) {
	e, found, err := a.Dir.ByID(ctx, server, acc.Subject, acc.Name)
	switch {
	case directory.IsUnreachable(err) && ctx.Err() == nil:
		return protocol.Unreachable, nil
	case err != nil:
		return "", err
	case !found:
		return protocol.Gone, nil
	case !directory.SameDN(e.DN, acc.Name):
		return "", errors.New("the account was renamed or moved at " + server + " while it was worked on; read it again")
	}
	if shows, err := state(e); err != nil || shows != protocol.Accepted {
		return shows, err
	}
	return protocol.Refused, nil
}

// LookAgain reads many accounts over several connections; mark tells their
// change mark.
func (a Directory) LookAgain(ctx context.Context, server string, cs []credential.Credential, n int, mark func(directory.Entry) string) (kind.Look, error) {
	seen, err := a.Dir.LookAgain(ctx, server, kind.Subjects(cs), n, mark)
	out := kind.Look{Contradicts: seen.Contradicts, Machine: seen.Machine, Marks: map[string]string{}}
	for _, c := range cs {
		out.Marks[c.ID] = seen.Marks[c.Subject]
	}
	return out, err
}

// StillRead reads the rights of the directory again.
func (a Directory) StillRead(ctx context.Context, readers, of []credential.Credential) (map[string]bool, error) {
	return kind.StillRead(ctx, readers, of, a.Dir.StillRead)
}

// CannotOffer is kind.Limited.
func (a Directory) CannotOffer(value credential.Secret) string { return directory.CannotOffer(value) }

// SameName compares names as the directory does.
func (a Directory) SameName(x, y string) bool { return directory.SameDN(x, y) }

// Hides: a directory shows what lies below the base and bind.dn may read.
func (Directory) Hides() bool { return true }

// Holder reads whose a name is now.
func (a Directory) Holder(ctx context.Context, server, name string) (string, error) {
	return a.Dir.Holder(ctx, server, name)
}

// Generate makes a value by the directory's policy in the campaign file, or has
// Vault make it.
func (a Directory) Generate(ctx context.Context, _ credential.Credential) (credential.Secret, error) {
	if a.policy.VaultPolicy == "" {
		return password.New(a.policy)
	}
	return a.vaultGenerate(ctx, a.policy.VaultPolicy)
}

// GenerateShorter makes a value by the campaign file's own policy, shorter.
func (a Directory) GenerateShorter(_ context.Context, _ credential.Credential, by int) (credential.Secret, error) {
	return password.Shorter(a.policy, by)
}

// Offer binds once and looks no further.
func (a Directory) Offer(ctx context.Context, server string, acc kind.Account, value credential.Secret) (protocol.Reply, error) {
	return a.Dir.Offer(ctx, server, acc.Name, value)
}

// RetiresFirst: nothing that an old password minted reads Vault by itself.
func (a Directory) RetiresFirst(credential.Credential) bool { return false }

// Self keeps the worker's own identity as it is.
func Self(server string) error {
	return &protocol.Stop{Reason: protocol.ReasonSelf, Server: server,
		Detail: "this is the identity with which the worker binds (bind.dn); name a pair under bind (docs/rights.md) and each is rotated by the other; or reset it by hand, then put the new password where bind.password points"}
}
