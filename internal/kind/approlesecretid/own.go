package approlesecretid

import (
	"context"
	"errors"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// othersMove is how long Retire of our own role waits for the other workers,
// which look for a new secret-id every vault.WatchEvery, to log in with it. A
// worker that has not by then loses its token, for it cannot be told from a
// thief.
const othersMove = 35 * time.Second

// own reports whether r is the role that this process is logged in with and may
// rotate.
func (au *Authority) own(r role) bool {
	return au.self != nil && au.self.Role() == r.mount+"/"+r.name
}

// moveOver makes this process log in with the new secret-id, where it has the
// old one, and gives the other workers of the role time to do the same. The
// time counts from when they could read the new one: what a worker that was
// killed since has left is not waited for again.
func (au *Authority) moveOver(ctx context.Context, r role, new credential.Secret, tag string) error {
	if err := au.self.Adopt(ctx, new); err != nil {
		var stop *protocol.Stop
		if errors.As(err, &stop) {
			return err
		}
		return au.stop(protocol.ReasonVault, "the worker could not log in with its own new secret-id, so the old ones were left alone: "+err.Error())
	}
	for end := time.Now().Add(othersMove - au.self.Offered(ctx, new)); time.Now().Before(end); {
		left, err := au.tokens.Find(ctx, notOf(r, tag))
		if err != nil || len(left) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(2 * time.Second):
		}
	}
	return nil
}
