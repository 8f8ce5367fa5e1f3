package vaultlogin

import (
	"context"
	"errors"
	"fmt"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/minted"
)

// A wrong login at an auth mount counts twice: at the directory, which shows
// how many there were, and at Vault, which does not. Whatever a question is
// worth, it locks no account.

var errMayLock = fmt.Errorf("the account, or its login: %w", kind.ErrCouldLock)

// mayBeWrong is asked before a value is offered. known: it was let in last, and
// is counted only if it is wrong by now. An error is why it is not offered.
func (au *Authority) mayBeWrong(ctx context.Context, c credential.Credential, l credential.VaultLogin, value credential.Secret, known bool) error {
	room, silent, err := au.room(ctx, c, l)
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
	if silent {
		if err := au.isRight(ctx, c, value); err != nil {
			return err
		}
	}
	if known {
		return nil
	}
	return au.ration.Begin(ctx, loginID(l), lockout)
}

// room reports whether the servers that the mount may ask have room for a wrong
// login. silent: of one that does not answer that is not known, and Vault may
// reach it.
func (au *Authority) room(ctx context.Context, c credential.Credential, l credential.VaultLogin) (room, silent bool, err error) {
	servers := l.Servers
	if len(servers) == 0 {
		servers = au.Servers()
	}
	for _, server := range servers {
		a, err := au.Authority.Account(ctx, server, c)
		stop, stopped := errors.AsType[*protocol.Stop](err)
		switch {
		case stopped && stop.Reason == protocol.ReasonUnreachable:
			silent = true
		case err != nil:
			return false, false, err
		case a.State != protocol.Accepted:
			return false, false, protocol.StopFor(a.State, server)
		case !(minted.Lockout{Locks: a.Locks}).Spare(a.Failed):
			return false, false, nil
		}
	}
	return true, silent, nil
}

// isRight offers a value to the write server, which shows what room it has: one
// that is in force there is wrong at no server that follows. errRefused: it is
// not, and was offered to nobody else.
func (au *Authority) isRight(ctx context.Context, c credential.Credential, value credential.Secret) error {
	server := au.Servers()[0]
	a, err := au.Authority.Account(ctx, server, c)
	switch {
	case err != nil:
		return err
	case a.State != protocol.Accepted:
		return protocol.StopFor(a.State, server)
	case !(minted.Lockout{Locks: a.Locks}).Spare(a.Failed):
		return fmt.Errorf("vault %s: log in to ask what a login may read: %w", au.vault, errMayLock)
	}
	switch reply, err := au.Offer(ctx, server, a, value); {
	case err != nil:
		return err
	case reply == protocol.Accepted:
		return nil
	case reply != protocol.Refused:
		return protocol.StopFor(reply, server)
	}
	return errRefused
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
