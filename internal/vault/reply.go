package vault

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/protocol"
)

// Reply is how Vault answered a call that it refused. Its text may repeat a
// secret or name an account: it can be asked what it says, and not printed.
type Reply struct {
	Status int

	text string
	page bool // it is no answer of Vault's API: a proxy's page
}

// ReplyIn finds Vault's answer in an error of its client; false if there is
// none, because no answer came.
func ReplyIn(err error) (Reply, bool) {
	var resp *vaultapi.ResponseError
	if !errors.As(err, &resp) {
		return Reply{}, false
	}
	return Reply{resp.StatusCode, strings.Join(resp.Errors, "; "), resp.RawError}, true
}

// Answered reports whether Vault answered with one of these statuses.
func Answered(err error, statuses ...int) bool {
	a, came := ReplyIn(err)
	return came && slices.Contains(statuses, a.Status)
}

// Says reports whether the text has one of these in it.
func (a Reply) Says(parts ...string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(a.text, p) })
}

// Kind is what the answer means for the caller.
func (a Reply) Kind() ErrorKind {
	switch {
	case a.Status == http.StatusServiceUnavailable && a.Says("sealed"):
		return Sealed
	case a.Status == http.StatusTooManyRequests:
		return Throttled
	case a.Status == http.StatusServiceUnavailable, a.Status == http.StatusBadGateway,
		a.Status == http.StatusGatewayTimeout, a.Status == http.StatusPreconditionFailed:
		return Unreachable
	case a.Status == http.StatusForbidden && a.Says("invalid token", "bad token"):
		return TokenExpired
	case a.Status == http.StatusForbidden:
		return PermissionDenied
	case a.Status == http.StatusNotFound:
		return NotFound
	case a.Status == http.StatusBadRequest && a.Says("check-and-set parameter did not match"):
		return CASMismatch
	}
	return Other
}

// Words are Vault's own of a read that was refused, or why no answer came, on
// one line and without the URL. They may name an account.
func Words(err error) string {
	a, came := ReplyIn(err)
	switch {
	case !came:
		if at, ok := errors.AsType[*url.Error](err); ok {
			err = at.Err
		}
		return transportDetail(err)
	case a.page || a.text == "":
		return fmt.Sprintf("status %d", a.Status)
	}
	return fmt.Sprintf("status %d: %s", a.Status, oneLine(a.text))
}

// ErrNoAnswer is in the errors of calls to an authority that got none.
var ErrNoAnswer = errors.New("no answer")

// Refusal is the error of a call in which Vault is the authority that decides:
// about a login, a role, a user, a token. It is a *protocol.Stop where Vault
// said why it does not serve us; a right that is missing is then a refusal like
// any other authority's, by which nothing was changed. Else it is an error
// without the client's text: some of Vault's messages repeat a secret, and
// others the URL, which may name an account.
func Refusal(server, op string, err error) error {
	reply, came := ReplyIn(err)
	if !came {
		for _, end := range []error{context.Canceled, context.DeadlineExceeded} {
			if errors.Is(err, end) {
				return fmt.Errorf("vault %s: %s: %w: %w", server, op, ErrNoAnswer, end)
			}
		}
		return fmt.Errorf("vault %s: %s: %w", server, op, ErrNoAnswer)
	}
	switch kind := reply.Kind(); {
	case kind == PermissionDenied:
		return &protocol.Stop{Reason: protocol.ReasonRights, Server: server,
			Detail: op + ": permission denied: the token is expired or its policy lacks this right; `rollcall init --print` shows what the worker needs"}
	case kind == TokenExpired, kind == Throttled, kind == Sealed:
		return (&Error{Op: op, Server: server, Status: reply.Status, Kind: kind}).Stop()
	case reply.Status == http.StatusServiceUnavailable:
		return &protocol.Stop{Reason: protocol.ReasonVault, Server: server, Detail: op + ": Vault is not ready"}
	}
	return fmt.Errorf("vault %s: %s: status %d", server, op, reply.Status)
}

// NoAnswer reports whether a Refusal is Vault's silence, and not the caller's
// own end.
func NoAnswer(ctx context.Context, err error) bool {
	if err == nil || ctx.Err() != nil {
		return false
	}
	var stop *protocol.Stop
	if errors.As(err, &stop) {
		return stop.Reason == protocol.ReasonVault
	}
	return errors.Is(err, ErrNoAnswer)
}
