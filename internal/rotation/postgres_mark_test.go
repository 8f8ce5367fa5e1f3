package rotation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
)

// With the rights of docs/rights.md alone, without those on oid and xmin, a
// role shows no mark by which changes are known.
func TestARoleThatShowsNoMarkIsProvedInItsFirstPassAndAChangeOfItIsFound(t *testing.T) {
	c := newCluster(t)
	c.exec(`CREATE ROLE blind LOGIN CREATEROLE PASSWORD 'of-the-blind' IN ROLE pg_signal_backend, pg_read_all_stats`)
	x := c.role("app", "LOGIN PASSWORD 'stolen'", "stolen")
	c.exec(`GRANT app TO blind WITH ADMIN OPTION`)
	for _, changed := range []bool{false, true} {
		rot := c.as("blind", "of-the-blind", time.Minute)
		prepared := rot.Prepare(t.Context(), x)
		require.Nil(t, prepared.Stop)
		applied := rot.Apply(t.Context(), x, prepared.Attempt, prepared.Fresh)
		require.True(t, applied.Dead(), "%+v", applied.Stop)
		if changed {
			c.exec(`ALTER ROLE app PASSWORD 'of a thief who was logged in'`)
		}
		rot.Confirm(t.Context(), []Verdict{{x, &applied}})
		if !changed {
			require.True(t, applied.Dead(), "%+v", applied.Stop)
			require.Empty(t, applied.Evidence[0].Changed)
			continue
		}
		require.NotNil(t, applied.Stop)
		require.Equal(t, protocol.ReasonChangedSince, applied.Stop.Reason)
	}
}
