package vaultlogin

import (
	"context"
	"errors"
	"fmt"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/minted"
)

// A wrong login at an auth mount counts twice: at the directory, which shows
// how many there were, and at Vault, which does not. Whatever a question is
// worth, it locks no account.

var errMayLock = errors.New("more wrong passwords could lock the account, or its login")

// mayBeWrong is asked before a value is offered. known: it was let in last, and
// is counted only if it is wrong by now. An error is why it is not offered.
func (au *Authority) mayBeWrong(ctx context.Context, c credential.Credential, l credential.VaultLogin, known bool) error {
	room, err := au.room(ctx, c, l)
	if err != nil {
		return err
	}
	lockout, err := au.tokens.Lockout(ctx, l.Mount)
	if err != nil {
		return err
	}
	if !room || !lockout.Spare(au.ration.Counted(ctx, loginID(l), lockout)) {
		return fmt.Errorf("vault %s: log in to ask what a login may read: %w", au.vault, errMayLock)
	}
	if known {
		return nil
	}
	return au.ration.Begin(ctx, loginID(l), lockout)
}

// room reports whether the servers that the mount may ask have room for a wrong
// login.
func (au *Authority) room(ctx context.Context, c credential.Credential, l credential.VaultLogin) (bool, error) {
	servers := l.Servers
	if len(servers) == 0 {
		servers = au.Servers()
	}
	for _, server := range servers {
		a, err := au.Authority.Account(ctx, server, c)
		switch {
		case err != nil:
			return false, err
		case a.State != protocol.Accepted:
			return false, protocol.StopFor(a.State, server)
		case !(minted.Lockout{Locks: a.Locks}).Spare(a.Failed):
			return false, nil
		}
	}
	return true, nil
}

// loginID is the login's at Vault, whoever has it.
func loginID(l credential.VaultLogin) string {
	return credential.VaultAuthority + "/" + l.Mount + "/" + l.Names[0]
}

func (au *Authority) letInLast(c credential.Credential, l credential.VaultLogin, value credential.Secret) bool {
	au.mu.Lock()
	defer au.mu.Unlock()
	return au.good[[2]string{c.Subject, l.Mount}].Equal(value)
}

// letIn notes whether a value was let in. A good login does not end Vault's
// count for certain: that goes by the name that was typed, and ends by the one
// that the directory has.
func (au *Authority) letIn(ctx context.Context, c credential.Credential, l credential.VaultLogin, value credential.Secret, known bool) {
	if !known {
		au.ration.Undo(ctx, loginID(l))
	}
	au.mu.Lock()
	defer au.mu.Unlock()
	if au.good == nil || len(au.good) >= maxStandings {
		au.good = map[[2]string]credential.Secret{}
	}
	au.good[[2]string{c.Subject, l.Mount}] = value
}

// letInNoMore forgets a value that was let in last and is refused by now, and
// counts that login.
func (au *Authority) letInNoMore(ctx context.Context, c credential.Credential, l credential.VaultLogin) {
	au.forget(c.Subject, l.Mount)
	if lockout, err := au.tokens.Lockout(ctx, l.Mount); err == nil {
		au.ration.Wrong(ctx, loginID(l), lockout)
	}
}

// forget forgets which value was let in last.
func (au *Authority) forget(subject, mount string) {
	au.mu.Lock()
	defer au.mu.Unlock()
	delete(au.good, [2]string{subject, mount})
}
