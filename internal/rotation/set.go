package rotation

import (
	"context"
	"errors"
	"maps"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// mark makes durable, before Set, that the staged value is sent and that the
// old ones were refused. Where there is nothing to say, as with nearly every
// credential, it costs nothing.
func (j *job) mark(ctx context.Context, facts protocol.Facts, d protocol.Decision) (err error) {
	j.step = protocol.Intent
	if j.held, err = j.placesSeen(ctx, true); err != nil {
		return err
	}
	refused := facts.OldKnown && (facts.OldBinds == protocol.Refused || j.rationed)
	places := j.places()
	if !j.staged.Unsent && (!refused || j.staged.Asked) && maps.Equal(places, j.staged.Places) {
		return nil
	}
	marked := j.staged
	marked.Unsent, marked.Places = false, places
	if refused && !marked.Asked {
		marked.Asked, marked.Changed = true, d.Finding
	}
	return j.remark(ctx, marked)
}

func (j *job) remark(ctx context.Context, marked vault.Staged) (err error) {
	j.staged, err = j.Store.Restage(ctx, j.c.ID, marked)
	return err
}

// RoomToActivate is what Set, Verify and Activate may take when servers are
// slow. Begun with less, they could be broken off in between.
const RoomToActivate = 30 * time.Second

func (j *job) set(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < RoomToActivate {
		return &protocol.Stop{Reason: protocol.ReasonInterrupted, Detail: "too little time was left to set and activate it; nothing was changed"}
	}
	j.step = protocol.Set
	var old credential.Secret
	if n := len(j.olds); n > 0 {
		old = j.olds[0]
		if j.inForce.IsZero() {
			// Which one is in force was not found out. A server that wants it refuses the
			// wrong one, and the next attempt brings the next.
			old = j.olds[max(0, j.staged.Attempt-1)%n]
		}
	}
	account := j.account
	account.LeftOut = j.LeftOut
	if j.newRight {
		account.Before = j.staged.Before
	}
	err := j.Authority.Set(ctx, account, j.staged.Secret, old)
	var stop *protocol.Stop
	if errors.As(err, &stop) && stop.Reason.NotSet() {
		marked := j.staged
		// A policy also refuses a value that a slow twin has just set, and a role may ask for none only since then; a
		// missing right, or a server that takes no changes, refuses both of us.
		marked.Unsent = j.unsent || stop.Reason != protocol.ReasonPolicy && stop.Reason != protocol.ReasonNeedsNone
		marked.PolicyRefused = marked.PolicyRefused || stop.Reason == protocol.ReasonPolicy
		if marked.Unsent != j.staged.Unsent || marked.PolicyRefused != j.staged.PolicyRefused {
			if markErr := j.remark(ctx, marked); markErr != nil {
				return markErr
			}
		}
	}
	if err == nil {
		j.setAt = j.Now()
		j.out.SetAt = j.setAt.UTC().Truncate(time.Millisecond)
	}
	return err
}
