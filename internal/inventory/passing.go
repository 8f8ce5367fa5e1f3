package inventory

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"rollcall/internal/directory"
	"rollcall/internal/vault"
)

// MayPass reports whether an error of List can go away by itself: a server that
// is down, sealed or slow. Everything else waits for a person, and listing
// again before that finds the same.
func MayPass(err error) bool {
	var v *vault.Error
	if errors.As(err, &v) {
		return v.Kind == vault.Unreachable || v.Kind == vault.Sealed || v.Kind == vault.Throttled
	}
	if reply, came := vault.ReplyIn(err); came {
		return reply.Status >= http.StatusInternalServerError || reply.Kind() == vault.Throttled
	}
	var lost *url.Error
	return directory.IsUnreachable(err) || errors.As(err, &lost) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
