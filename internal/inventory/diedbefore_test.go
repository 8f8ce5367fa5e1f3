package inventory

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// Whoever reads the third report of an incident must see which values died in
// the first.
func TestWhatAnEarlierCampaignProvedDeadIsSaidOnEveryLaterRoll(t *testing.T) {
	first, second := time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	of := func(id string, before *credential.DeadBefore) credential.Credential {
		return credential.Credential{ID: id, DeadBefore: before}
	}
	carried := &credential.DeadBefore{Campaign: "c1", At: first}
	p := past{last: &ownmount.LastRoll{
		Campaign:    "c2",
		Credentials: []credential.Credential{of("again", carried), of("open", carried), of("never", nil), of("first-time", nil)},
		DeadAt:      map[string]time.Time{"again": second, "first-time": second},
		Before: []ownmount.LastRoll{{
			Campaign:    "c0",
			Credentials: []credential.Credential{of("formerly", nil)},
			DeadAt:      map[string]time.Time{"formerly": first},
		}},
	}}
	list := []credential.Credential{of("again", nil), of("open", nil), of("never", nil), of("first-time", nil), of("formerly", nil), of("new", nil)}
	p.diedBefore(list)
	require.Equal(t, []credential.Credential{
		of("again", &credential.DeadBefore{Campaign: "c2", At: second}),
		of("open", carried),
		of("never", nil),
		of("first-time", &credential.DeadBefore{Campaign: "c2", At: second}),
		of("formerly", &credential.DeadBefore{Campaign: "c0", At: first}),
		of("new", nil),
	}, list)
	past{}.diedBefore(list[:0])
}
