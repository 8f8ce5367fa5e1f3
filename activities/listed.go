package activities

import (
	"context"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// forgetListed is how long after a listing nothing of what it read is in memory
// any more. What Prepare takes over is taken out earlier.
const forgetListed = 15 * time.Second

// sawPath carries what the listing reads of a path to the Prepare of this
// process, if that comes within moments.
func (r *Rotation) sawPath(campaign string) func(credential.Path, vault.Live, time.Time) {
	return func(p credential.Path, live vault.Live, asked time.Time) {
		r.prepared.Listed(campaign, p, live, asked)
	}
}

// lookOnce asks, once for a batch, what each of its credentials goes by and
// would ask for itself: at the beginning of a campaign all of them at once.
func (r *Rotation) lookOnce(ctx context.Context, campaign string) {
	if r.superseded(ctx, campaign) == nil {
		_, _ = r.watchOf(ctx, campaign)
	}
}

// forgetListedLater is called when a listing is over.
func (r *Rotation) forgetListedLater() {
	time.AfterFunc(forgetListed, func() { r.prepared.ForgetListed(time.Now()) })
}
