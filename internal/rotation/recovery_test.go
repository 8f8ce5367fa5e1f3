package rotation

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// TestPrepareDecidesItsRowsOfTheRecoveryTable holds the rows of the table in
// docs/protocol.md that protocol.Next does not decide: whose value is staged is
// for Vault's check-and-set to say, before any value is offered to a server.
// TestRecoveryTable holds the others.
func TestPrepareDecidesItsRowsOfTheRecoveryTable(t *testing.T) {
	left := map[string]bool{}
	doc, err := os.ReadFile("../../docs/protocol.md")
	require.NoError(t, err)
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "| "), " | ")
		if len(cells) == 7 && strings.Contains(cells[6], "`Rotator.") {
			left[strings.Join(cells[:6], " | ")] = true
		}
	}
	for _, c := range []struct {
		row   string
		story func() *world
		holds func(t *testing.T, w *world, p Prepared)
	}{
		{"nothing | – | accepted | old | nothing yet | stage", plain, stagedFirst},
		{"nothing | – | refused | old | somebody changed it before us; a reset needs no old value | stage",
			func() *world { w := plain(); w.strangerSets("X"); return w }, stagedFirst},
		{"by another running campaign | – | – | – | not ours | stop `held-by-campaign`",
			func() *world { w := inherited(); w.closed["campaign-1"] = false; return w },
			func(t *testing.T, w *world, p Prepared) {
				require.NotNil(t, p.Stop)
				require.Equal(t, protocol.ReasonOtherOwner, p.Stop.Reason)
				require.Equal(t, "campaign-1", w.staging[w.cred.ID].Campaign)
			}},
		{"by a campaign that ended | – | – | – | its value may be in force, and consumers may have it | new attempt; its value has to be refused as well",
			inherited,
			func(t *testing.T, w *world, p Prepared) {
				require.Nil(t, p.Stop)
				require.False(t, p.Fresh)
				staged := w.staging[w.cred.ID]
				require.True(t, staged.OwnedBy(us, 2))
				require.Equal(t, 2, p.Attempt)
				require.Contains(t, staged.Old, takenOver+"1")
				require.True(t, staged.Old[takenOver+"1"].Equal(secret("Q")))
			}},
	} {
		require.Contains(t, left, c.row, "the table has that row")
		delete(left, c.row)
		t.Run(c.row, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := c.story()
				was := w.write().inForce()
				c.holds(t, w, w.rotator().Prepare(context.Background(), w.cred))
				require.Equal(t, was, w.write().inForce(), "preparing changes nothing at the authority")
			})
		})
	}
	require.Empty(t, left, "each of those rows is a case")
}

func stagedFirst(t *testing.T, w *world, p Prepared) {
	require.Nil(t, p.Stop)
	require.True(t, p.Fresh)
	staged := w.staging[w.cred.ID]
	require.True(t, staged.OwnedBy(us, 1))
	require.Equal(t, map[string]credential.Secret{w.cred.Paths[0].String(): secret("P0")}, staged.Old)
}
