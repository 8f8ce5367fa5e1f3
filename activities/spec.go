package activities

import (
	"context"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"rollcall/config"
)

// exposure words the intervals for the ledger.
func exposure(spec *config.Campaign) string {
	var out []string
	for _, i := range spec.Exposure {
		to := "now"
		if !i.To.IsZero() {
			to = i.To.Format(time.DateOnly)
		}
		out = append(out, i.From.Format(time.DateOnly)+" to "+to)
	}
	return strings.Join(out, ", ")
}

// firstAttempt reports whether no other attempt of this activity can have run.
func firstAttempt(ctx context.Context) bool { return activity.GetInfo(ctx).Attempt == 1 }
