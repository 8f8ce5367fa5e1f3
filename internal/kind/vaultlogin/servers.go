package vaultlogin

import (
	"context"
	"errors"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

const (
	followTimeout = time.Second
	followsLook   = 50 * time.Millisecond
)

// followed waits until the servers that Vault asks have the change: at one that
// lags the stolen password goes on minting tokens. One that a person took out
// of the campaign is not waited for.
func (au *Authority) followed(ctx context.Context, a kind.Account, l credential.VaultLogin) error {
	asked := au.asked(a, l)
	if len(asked) == 0 {
		return nil
	}
	now, err := au.Authority.Account(ctx, au.Servers()[0], credential.Credential{Subject: a.Subject, Name: a.Name})
	if err != nil {
		return err
	}
	for _, server := range asked {
		has, err := au.has(ctx, a, server, now.Changed)
		if err != nil {
			return err
		}
		if !has {
			return &protocol.Stop{Reason: protocol.ReasonLagging, Server: server, Detail: "an auth mount of Vault asks, or may ask, this server, which has not seen the change: the stolen password logs in to Vault there, and would read the new one where it is left; its password was changed, and the new value waits in staging: repair replication, or leave the server out by name"}
		}
	}
	return nil
}

// abreast holds each server that Vault asks, before anything is set, to what
// the write server has.
func (au *Authority) abreast(ctx context.Context, a kind.Account) error {
	const then = "its password was not changed by this pass, because the old one would log in to Vault there on and on, and its new one could not be written: repair the server, or leave it out by name"
	for _, l := range a.Logins {
		for _, server := range au.asked(a, l) {
			has, err := au.has(ctx, a, server, a.Changed)
			var stop *protocol.Stop
			switch {
			case errors.As(err, &stop):
				told := *stop
				told.Server, told.Detail = server, "an auth mount of Vault asks, or may ask, this server, which does not show the account; "+then
				return &told
			case err != nil:
				return err
			case !has:
				return &protocol.Stop{Reason: protocol.ReasonLagging, Server: server, Detail: "an auth mount of Vault asks, or may ask, this server, which is behind the write server; " + then}
			}
		}
	}
	return nil
}

// asked are the servers besides the write server that a mount asks and that
// nobody took out.
func (au *Authority) asked(a kind.Account, l credential.VaultLogin) (out []string) {
	for _, server := range l.Servers {
		if !l.Plain && server != au.Servers()[0] && !slices.Contains(a.LeftOut, server) {
			out = append(out, server)
		}
	}
	return out
}

// has waits a while for a server to have the account's change mark.
func (au *Authority) has(ctx context.Context, a kind.Account, server, want string) (bool, error) {
	at := credential.Credential{Subject: a.Subject, Name: a.Name}
	for end := time.Now().Add(followTimeout); ; {
		now, err := au.Authority.Account(ctx, server, at)
		if err != nil {
			return false, err
		}
		if now.Changed >= want {
			return true, nil
		}
		if time.Now().After(end) {
			return false, nil
		}
		if err := pause(ctx, followsLook); err != nil {
			return false, err
		}
	}
}
