package activities

import (
	"context"

	"rollcall/internal/credential"
	"rollcall/internal/rotation"
)

// steady has a batch looked at once more when it is through, and keeps open
// what a server contradicts. What is at stake is bounded like a credential in
// hand.
func (r *Rotation) steady(ctx context.Context, rot *rotation.Rotator, page []credential.Credential, out []AppliedItem) {
	defer beat(ctx)()
	within, cancel := context.WithTimeout(context.WithoutCancel(ctx), inHand)
	defer cancel()
	cs, applied := make([]credential.Credential, len(out)), make([]rotation.Applied, len(out))
	for i, a := range out {
		cs[i], applied[i] = page[a.Index], a.Applied
	}
	rot.Steady(within, cs, applied)
	for i := range out {
		out[i].Applied = applied[i]
	}
}
