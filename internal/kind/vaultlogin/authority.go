// Package vaultlogin adds to the authority of a directory what its passwords
// open besides: an auth mount of type ldap asks the directory, and gives
// whoever logs in a token of Vault
// (https://developer.hashicorp.com/vault/docs/auth/ldap).
//
// A new password ends no such token. It lives until it expires, reads what it
// could read, and each time that it is renewed Vault binds with the password
// that it was minted with: three renewals lock the account for its new one
// (1.21 and slapd 2.5 tried). So Retire revokes all of them, and for a login
// whose policies may read something it does so before the new value is written
// anywhere.
package vaultlogin

import (
	"context"
	"slices"
	"sync"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/vault/minted"
)

// Authority is the one of a directory, whose accounts may log in to Vault. What
// is not about Vault it leaves to that one.
type Authority struct {
	kind.Authority
	tokens *minted.Tokens
	vault  string // as the ledger calls it

	mu      sync.Mutex
	many    int // see manyLogins
	refused []refusal
	took    map[string]time.Duration // by mount: what logins of ours that were good took lately

	batch     map[string]mintsBatch  // by mount
	standings map[[3]string]standing // by subject, mount and the places asked about

	ration minted.Ration
	good   map[[2]string]credential.Secret // by subject and mount: what was let in last
}

var (
	_ kind.Authority = (*Authority)(nil)
	_ kind.Many      = (*Authority)(nil)
	_ kind.Login     = (*Authority)(nil)

	_ kind.Outlasting = (*Authority)(nil)
)

// Around gives the authority of a directory with what is about Vault, tokens of
// which serverName is the name.
func Around(directory kind.Authority, tokens *minted.Tokens, serverName string) *Authority {
	return &Authority{Authority: directory, tokens: tokens, vault: serverName, many: manyLogins, ration: minted.Ration{Server: serverName}}
}

// Counting has it count, where that outlives the process, the logins that may
// be wrong, and make none that could have Vault lock one.
func (au *Authority) Counting(t minted.Tally) *Authority {
	au.ration.Tally = t
	return au
}

// Account adds the logins to what the directory shows.
func (au *Authority) Account(ctx context.Context, server string, c credential.Credential) (kind.Account, error) {
	a, err := au.Authority.Account(ctx, server, c)
	a.Logins = c.Logins
	return a, err
}

// Accounts does so for many.
func (au *Authority) Accounts(ctx context.Context, server string, cs []credential.Credential) map[string]kind.Account {
	many, ok := kind.As[kind.Many](au.Authority)
	if !ok {
		return nil
	}
	out := many.Accounts(ctx, server, cs)
	for _, c := range cs {
		if a, found := out[c.ID]; found && len(c.Logins) > 0 {
			a.Logins = c.Logins
			out[c.ID] = a
		}
	}
	return out
}

// Unwrap is the directory's, for what it can do besides (kind.As).
func (au *Authority) Unwrap() kind.Authority { return au.Authority }

// RetiresFirst: a token that a stolen password minted may read the place at
// which the new one is left.
func (au *Authority) RetiresFirst(c credential.Credential) bool {
	return c.ReachesVault() || au.Authority.RetiresFirst(c)
}

// Set looks at all tokens that there are first, for a login that is retired
// before its consumers get the new value: what takes as many calls as there are
// tokens is done while they have the old one, and a right that is missing shows
// before anything is changed. So does a server that Vault asks and that is
// silent or lags: at it the old password could not be retired, and what is set
// would not be activated.
func (au *Authority) Set(ctx context.Context, a kind.Account, new, old credential.Secret) error {
	if err := au.MaySet(ctx, a); err != nil {
		return err
	}
	for _, l := range a.Logins {
		au.forget(a.Subject, l.Mount)
	}
	return au.Authority.Set(ctx, a, new, old)
}

// MaySet implements kind.Settable.
func (au *Authority) MaySet(ctx context.Context, a kind.Account) error {
	if !reaches(a) {
		return nil
	}
	if err := au.tokens.Warm(ctx); err != nil {
		return err
	}
	return au.abreast(ctx, a)
}

var _ kind.Settable = (*Authority)(nil)

func reaches(a kind.Account) bool {
	return slices.ContainsFunc(a.Logins, func(l credential.VaultLogin) bool { return !l.Plain })
}

// Retire first ends the old password at the directory for good, then revokes
// what logins to Vault minted with it, and looks again until nothing is left,
// also when a login that was on its way has had its time. It finds the tokens
// by mount and name, and so those of the new password as well: consumers have
// none by then, but where it is repeated after a crash they log in once more.
func (au *Authority) Retire(ctx context.Context, a kind.Account, new credential.Secret) (string, []credential.Finding, error) {
	mark, findings, err := au.Authority.Retire(ctx, a, new)
	if err != nil || len(a.Logins) == 0 {
		return mark, findings, err
	}
	for _, l := range a.Logins {
		if err := au.followed(ctx, a, l); err != nil {
			return mark, findings, err
		}
	}
	ended := time.Now()
	found, err := au.revoke(ctx, a, new)
	if err == nil && reaches(a) {
		if err = pause(ctx, au.inFlight(ctx, a, new)-time.Since(ended)); err == nil {
			var late revoked
			late, err = au.revoke(ctx, a, new)
			late.Revoked += found.Revoked
			found = late
		}
	}
	findings = append(findings, found.Findings()...)
	if found.batch {
		findings = append(findings, credential.Finding{Code: credential.FindingBatchTokens,
			Detail: "the auth mount gives batch tokens, which Vault can neither list nor revoke: those of the old password live until they expire"})
	}
	return mark, findings, err
}

type revoked struct {
	minted.Revocation
	batch bool
}

// revoke ends what the logins of an account minted.
func (au *Authority) revoke(ctx context.Context, a kind.Account, new credential.Secret) (out revoked, err error) {
	for _, l := range a.Logins {
		got, err := au.tokens.RevokeLogin(ctx, minted.Login{Mount: l.Mount, Names: l.Names}, func(ctx context.Context) (string, func(), error) {
			auth, end, err := au.logIn(ctx, l, new)
			if err != nil {
				return "", nil, err
			}
			return auth.ClientToken, end, nil
		})
		out.Revoked += got.Revoked
		if err != nil {
			return out, err
		}
		if l.Plain {
			continue // what could not be revoked reads nothing
		}
		out.Orphans = max(out.Orphans, got.Orphans)
		batch, err := au.mintsBatch(ctx, l)
		if err != nil {
			return out, err
		}
		out.batch = out.batch || batch
	}
	return out, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
