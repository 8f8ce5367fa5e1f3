package rotation

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
)

// An earlier campaign's record alone has the path. This one wrote it and was
// killed before it could note that; then somebody set another value.
func TestWhatThisCampaignItselfPutAtADoubtedPathIsNobodyElses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		some := 0
		for at := 1; at <= 30; at++ {
			for _, f := range allFaults {
				w := newWorld(1, "P0")
				w.noted = map[string]placed{"kv/app": {1, w.secrets["kv/app"].versions[0].at}}
				w.cred.Doubted = w.cred.Paths
				w.faults[at] = f
				a, dead := w.pass(false)
				if dead || a.Attempt > 0 && a.To != nil { // it ended, or is noted
					continue
				}
				if len(w.secrets["kv/app"].versions) < 2 {
					continue
				}
				some++
				w.strangerSets("X1")
				for range 4 {
					if a, dead = w.pass(true); dead {
						break
					}
					require.False(t, a.Stop != nil && a.Stop.Reason == protocol.ReasonSharedPath, fmt.Sprintf("call %d: %s\n%s", at, f, w.story()))
				}
				require.True(t, dead, "call %d: %s\n%s", at, f, w.story())
			}
		}
		require.NotZero(t, some)
	})
}
