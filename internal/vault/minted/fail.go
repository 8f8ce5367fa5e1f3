package minted

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/protocol"
)

// ErrSilence is in the errors of calls that got no answer.
var ErrSilence = errors.New("no answer")

// Fail turns an error of the client into a *protocol.Stop where Vault said why
// it will not serve us, and else into an error without the client's text: some
// of Vault's messages repeat a secret, and others the URL, which may name an
// account.
func Fail(server, op string, err error) error {
	stop := func(r protocol.Reason, detail string) error {
		return &protocol.Stop{Reason: r, Server: server, Detail: op + ": " + detail}
	}
	var resp *vaultapi.ResponseError
	if !errors.As(err, &resp) {
		for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
			if errors.Is(err, end) {
				return fmt.Errorf("vault %s: %s: %w: %w", server, op, ErrSilence, end)
			}
		}
		return fmt.Errorf("vault %s: %s: %w", server, op, ErrSilence)
	}
	switch resp.StatusCode {
	case http.StatusForbidden:
		if strings.Contains(strings.Join(resp.Errors, " "), "invalid token") {
			return stop(protocol.ReasonVaultLogin, "the token is expired or revoked; log in again (vault login, or a new secret-id)")
		}
		return stop(protocol.ReasonRights, "permission denied: the token is expired or its policy lacks this right; `rollcall init --print` shows what the worker needs")
	case http.StatusTooManyRequests:
		return stop(protocol.ReasonThrottled, "a rate limit of Vault turned it away")
	case http.StatusServiceUnavailable:
		return stop(protocol.ReasonVault, "Vault is sealed or not ready")
	}
	return fmt.Errorf("vault %s: %s: status %d", server, op, resp.StatusCode)
}

func (t *Tokens) fail(op string, err error) error { return Fail(t.server, op, err) }

// ErrTokenGone: a login was good, and its token was revoked before it could be
// used.
var ErrTokenGone = errors.New("the login was good, and its token was revoked before it could be used, so what it opens was not seen; it is tried again")

// LoginsMost is how often a login is made whose token is gone each time. A good
// login counts against nobody.
const LoginsMost = 3

// NotLookedUp turns the error of looking up, by its accessor, the token that a
// login gave a moment before. It is no refusal of the login. Such a token may
// be gone already: its login is being retired by another process; or somebody
// looked its accessor up while Vault was still making it, and Vault revokes a
// token that it finds without a lease (lookupInternal in token_store.go, 1.21;
// 1 of 2,520 logins, beside four that looked up every accessor).
func NotLookedUp(server string, err error) error {
	var resp *vaultapi.ResponseError
	if vanished(err) || errors.As(err, &resp) && resp.StatusCode == http.StatusForbidden && strings.Contains(strings.Join(resp.Errors, " "), "bad token") {
		return fmt.Errorf("vault %s: log in: %w", server, ErrTokenGone)
	}
	return Fail(server, "look up the token of a login", err)
}
