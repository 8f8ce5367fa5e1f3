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
	"rollcall/internal/kind/diraccount"
	"rollcall/internal/protocol"
)

// Authority is one directory. It is safe for concurrent use.
type Authority struct {
	diraccount.Directory

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
	return &Authority{Directory: diraccount.New(c, p, vaultGenerate)}
}

// Account finds the entry by its immutable id, so a renamed one is found and
// another one under the old name is not. Changed is what
// directory.Client.Changed says of it. The worker's only identity is a Stop
// with ReasonSelf, an unreachable server one with ReasonUnreachable.
func (a *Authority) Account(ctx context.Context, server string, c credential.Credential) (kind.Account, error) {
	e, gone, found, err := a.Entry(ctx, server, c)
	if err != nil || !found {
		return gone, err
	}
	return a.shown(ctx, server, e)
}

// Accounts reads many entries at once.
func (a *Authority) Accounts(ctx context.Context, server string, cs []credential.Credential) map[string]kind.Account {
	return a.accounts(ctx, server, cs, a.Dir.ManyByID(ctx, server, kind.Subjects(cs)))
}

// AccountsAfterSet reads their states alone.
func (a *Authority) AccountsAfterSet(ctx context.Context, server string, cs []credential.Credential) map[string]kind.Account {
	return a.accounts(ctx, server, cs, a.Dir.StatesByID(ctx, server, kind.Subjects(cs)))
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
	state, err := a.Dir.State(ctx, server, e, time.Now())
	if err != nil {
		return kind.Account{}, err
	}
	locks := a.Dir.Locks(ctx, server, e)
	var until time.Time
	if state == protocol.Locked {
		until = a.Dir.LockedUntil(ctx, server, e)
	}
	hindered := directory.Hindrances(e)
	if server == a.Servers()[0] && a.Dir.Forced(ctx, server, e) {
		hindered = append(hindered, credential.ForcedChange)
	}
	return kind.Account{LockedUntil: until, Subject: e.ID, Name: e.DN, State: state, Locks: locks.Most, Failed: locks.Failed, LocksHidden: locks.Hidden, LocksGuessed: locks.Guessed, Changed: a.Dir.Changed(e), NeverSet: locks.Failed > 0 && a.Dir.NeverSet(e), ByItself: a.Dir.ByItself(e), Hindered: hindered,
		SecretHidden: len(e.Stored["userPassword"]) == 0 && !a.Dir.IsBindIdentity(e.DN)}, nil
}

// LookAgain reads many accounts over several connections.
func (a *Authority) LookAgain(ctx context.Context, server string, cs []credential.Credential, n int) (kind.Look, error) {
	return a.Directory.LookAgain(ctx, server, cs, n, a.Dir.Changed)
}

// Keeps counts the values of userPassword.
func (a *Authority) Keeps(ctx context.Context, server string, acc kind.Account) (int, error) {
	e, _, err := a.Dir.ByID(ctx, server, acc.Subject, acc.Name)
	return len(e.Stored["userPassword"]), err
}

// Set resets the password on the write server.
func (a *Authority) Set(ctx context.Context, acc kind.Account, new, old credential.Secret) error {
	if a.Dir.IsBindIdentity(acc.Name) {
		return diraccount.Self(a.Servers()[0])
	}
	if err := kind.Hindrance(acc, a.Servers()[0]); err != nil {
		return err
	}
	err := a.Dir.ResetPassword(ctx, acc.Name, new, old)
	if _, spent := errors.AsType[directory.Spent](err); spent {
		return kind.Spent{Err: err}
	}
	return err
}

// Try binds once as the account. Servers answer alike for a wrong password, for
// one that is gone, and slapd for a locked one too; ns-slapd does for the
// refusal that locks. So a refusal is believed only after a look at the entry
// on the same server, and so is a lock: ns-slapd answers the same (19) where
// its rules for temporary passwords, or disuse, keep an account from logging
// in.
func (a *Authority) Try(ctx context.Context, server string, acc kind.Account, value credential.Secret) (protocol.Reply, error) {
	reply, self, err := a.Dir.Login(ctx, server, acc.Name, acc.Subject, value)
	if err == nil && reply == protocol.Accepted && server == a.Servers()[0] {
		a.seen.Store(acc.Subject, a.Dir.Changed(self))
	}
	if err != nil || reply != protocol.Refused && reply != protocol.Locked {
		return reply, err
	}
	return a.lockShown(ctx, server, acc, reply)
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

// Offer binds once and looks no further, but for a lock.
func (a *Authority) Offer(ctx context.Context, server string, acc kind.Account, value credential.Secret) (protocol.Reply, error) {
	reply, err := a.Directory.Offer(ctx, server, acc, value)
	if err != nil || reply != protocol.Locked {
		return reply, err
	}
	return a.lockShown(ctx, server, acc, reply)
}

// lockShown is a refusal or a lock as the entry shows it.
func (a *Authority) lockShown(ctx context.Context, server string, acc kind.Account, reply protocol.Reply) (protocol.Reply, error) {
	shows, err := a.Refused(ctx, server, acc, func(e directory.Entry) (protocol.Reply, error) { return a.Dir.State(ctx, server, e, time.Now()) })
	if err == nil && shows == protocol.Refused && reply == protocol.Locked {
		return protocol.LockNotShown, nil
	}
	return shows, err
}

// Retire has nothing to do: neither server accepts an old password. Connections
// that are bound already stay so until they end; the directory offers no way to
// cut them. A value that the entry shows as it is, is told.
func (a *Authority) Retire(ctx context.Context, acc kind.Account, _ credential.Secret) (string, []credential.Finding, error) {
	if !a.clear.ask(time.Now()) || !a.clear.saw(a.Dir.StoredAsSent(ctx, acc.Name)) {
		return "", nil, nil
	}
	return "", []credential.Finding{{Code: credential.FindingStoredAsSent,
		Detail: "its userPassword at " + a.Servers()[0] + " is the new value as it is, for whoever may read it: the server hashes nothing that is set so (passwordStorageScheme CLEAR, olcPasswordHash {CLEARTEXT}, or set: replace where it refuses to hash)"}}, nil
}

// ProofWithoutOld is the change time.
func (a *Authority) ProofWithoutOld() protocol.Proof { return protocol.ProofMetadata }
