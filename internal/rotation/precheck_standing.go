package rotation

import (
	"context"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// MayStand says why a login of which nothing is staged could not be set, as far
// as that shows without a login and without a new value, or nil: then others
// that read each other's places with it may go by it (Reach.Stand).
func (r *Rotator) MayStand(ctx context.Context, c credential.Credential) *protocol.Stop {
	if stop := ProblemStop(c); stop != nil {
		return stop
	}
	was, err := r.precheck(ctx, c)
	if err != nil {
		return protocol.AsStop(err)
	}
	staged, found, err := r.Store.ReadStaged(ctx, c.ID)
	if err == nil && found && staged.Campaign != r.Campaign {
		err = r.mayTake(ctx, c, staged)
	}
	if err != nil {
		return protocol.AsStop(err)
	}
	for i, p := range c.Paths {
		k, err := r.Store.Keeping(ctx, p)
		if err != nil {
			return protocol.AsStop(err)
		}
		if k.Deletes() || was.lives[i].Ends && was.lives[i].Problem == "" && len(k.Unseen) > 0 {
			return deletesStop(i, k)
		}
	}
	if asks, ok := kind.As[kind.Settable](r.Authority); ok {
		was.account.LeftOut, was.account.Accepted = r.LeftOut, c.Accepted
		if err := asks.MaySet(ctx, was.account); err != nil {
			return protocol.AsStop(err)
		}
	}
	return nil
}
