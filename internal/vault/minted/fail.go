package minted

import (
	"errors"
	"fmt"
	"net/http"

	"rollcall/internal/vault"
)

// fail says of a call that failed what may travel.
func (t *Tokens) fail(op string, err error) error { return vault.Refusal(t.server, op, err) }

// ErrTokenGone: a login was good, and its token was revoked before it could be
// used.
var ErrTokenGone = errors.New("the login was good, and its token was revoked before it could be used, so what it opens was not seen; it is tried again")

// MaxLogins is how often a login is made whose token is gone each time. A good
// login counts against nobody.
const MaxLogins = 3

// NotLookedUp turns the error of looking up, by its accessor, the token that a
// login gave a moment before. It is no refusal of the login. Such a token may
// be gone already: its login is being retired by another process; or somebody
// looked its accessor up while Vault was still making it, and Vault revokes a
// token that it finds without a lease (lookupInternal in token_store.go, 1.21;
// 1 of 2,520 logins, beside four that looked up every accessor).
func NotLookedUp(server string, err error) error {
	reply, _ := vault.ReplyIn(err)
	if vanished(err) || reply.Status == http.StatusForbidden && reply.Says("bad token") {
		return fmt.Errorf("vault %s: log in: %w", server, ErrTokenGone)
	}
	return vault.Refusal(server, "look up the token of a login", err)
}

// ended reports whether Vault says that a token which it was asked about is
// none.
func ended(err error) bool {
	reply, _ := vault.ReplyIn(err)
	return reply.Says("invalid token")
}

func (t *Tokens) gone(op string) error {
	return fmt.Errorf("vault %s: %s: %w", t.server, op, ErrTokenGone)
}

// Again does what begins with a login, once more where the login's token was
// gone before it could be used (ErrTokenGone), MaxLogins times at most.
func Again[T any](do func() (T, error)) (out T, err error) {
	for range MaxLogins {
		if out, err = do(); !errors.Is(err, ErrTokenGone) {
			break
		}
	}
	return out, err
}
