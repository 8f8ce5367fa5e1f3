package activities

import (
	"context"

	"rollcall/internal/credential"
	"rollcall/internal/rotation"
)

// steady has a batch looked at once more when it is through, and keeps open
// what a server contradicts. What is at stake is bounded like a credential in
// hand.
func (r *Rotation) steady(ctx context.Context, rot *rotation.Rotator, cs []credential.Credential, done []rotation.Applied) {
	ctx, still := beat(ctx)
	defer still()
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopGrace)
	defer cancel()
	rot.Steady(within, cs, done)
}
