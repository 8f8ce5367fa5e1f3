package userpasspassword

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
)

// maxInFlight bounds the wait for logins that were on their way when the
// password was set.
const maxInFlight = 20 * time.Second

// Retire revokes every service token of the user. Nothing tells those of the
// old password from those of the new one, and it comes before anybody else may
// have the new one; a process that finds the work of another one done does it
// again, and consumers that have logged in since have to do that once more.
// What this process has retired it leaves alone.
//
// A login that was on its way when the password was set may mint a token after
// that, for as long as Vault takes to compare the password
// (TestALoginThatWasOnItsWayLeavesNoToken). So the last look comes no sooner
// after it than three times what a login of this user was seen to take.
func (au *Authority) Retire(ctx context.Context, a kind.Account, new credential.Secret) (string, []credential.Finding, error) {
	u, err := au.usable(ctx, a)
	if err != nil {
		return "", nil, err
	}
	if done, ok := au.retired.Load(u.subject()); ok {
		if was := done.(retired); was.value.Equal(new) {
			return "", was.findings, nil
		}
	}
	login := minted.Login{Mount: u.mount, Names: []string{u.name}}
	mint := func(ctx context.Context) (string, func(), error) {
		bare, auth, err := au.enter(ctx, u, new)
		if err != nil {
			return "", nil, err
		}
		if auth.ClientToken == "" {
			return "", nil, errNoToken
		}
		return auth.ClientToken, func() { minted.Discard(ctx, au.api, bare, auth) }, nil
	}
	first, err := au.tokens.RevokeLogin(ctx, login, mint)
	if err != nil {
		return "", nil, err
	}
	if err := au.letLand(ctx, u, new); err != nil {
		return "", nil, err
	}
	last, err := au.tokens.RevokeLogin(ctx, login, mint)
	if err != nil {
		return "", nil, err
	}
	last.Revoked += first.Revoked
	findings := last.Findings()
	batch, err := au.tokens.MintsBatch(ctx, u.mount, u.tokenType)
	if err != nil {
		return "", nil, err
	}
	if batch {
		findings = append(findings, credential.Finding{Code: credential.FindingBatchTokens,
			Detail: "logins of the user give batch tokens, which Vault can neither list nor revoke: those of the old password live until they expire"})
	}
	au.retired.Store(u.subject(), retired{new, findings})
	return "", findings, nil
}

// retired is what a Retire of this process ended with.
type retired struct {
	value    credential.Secret
	findings []credential.Finding
}

// letLand waits for logins that were on their way when the password was set. A
// process that has not been let in with the value which is to stay sees that it
// is the one in force.
func (au *Authority) letLand(ctx context.Context, u user, new credential.Secret) error {
	since := time.Now()
	if at, ok := au.set.Load(u.subject()); ok {
		since = at.(time.Time)
	}
	last, ok := au.entered.Load(u.subject())
	if !ok || !last.(entry).value.Equal(new) {
		switch reply, err := au.login(ctx, u, new, false); {
		case err != nil:
			return err
		case reply == protocol.Refused:
			return au.stop(protocol.ReasonNewRefused, "the user does not have the new password any more; who set another one? The new one waits in staging and no consumer has it")
		case reply != protocol.Accepted:
			return protocol.StopFor(reply, au.server)
		}
		last, _ = au.entered.Load(u.subject())
	}
	wait := time.NewTimer(min(maxInFlight, 3*last.(entry).took-time.Since(since)))
	defer wait.Stop()
	select {
	case <-wait.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("vault %s: wait for logins that are on their way: %w", au.server, errors.Join(vault.ErrNoAnswer, ctx.Err()))
	}
}
