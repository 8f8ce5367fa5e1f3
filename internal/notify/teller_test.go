package notify

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/notify/settings"
	"rollcall/internal/protocol"
)

// Whatever a ledger says, in whatever order: no id comes twice, a wave begins
// before it ends, what began is counted whole, and a process that goes through
// the ledger anew makes the same notices as one that followed it.
func TestWhateverALedgerSaysEachEventHasOneID(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		credentials := rapid.IntRange(1, 5).Draw(t, "credentials")
		entries := []ledger.Entry{{Event: ledger.CampaignStarted, Device: "esg-01"}}
		for i := range credentials {
			entries = append(entries, listed(fmt.Sprint(i), rapid.IntRange(0, 2).Draw(t, "wave")))
		}
		entries = append(entries, ledger.Entry{Event: ledger.RollClosed})
		for range rapid.IntRange(0, 30).Draw(t, "entries") {
			id := fmt.Sprint(rapid.IntRange(0, credentials-1).Draw(t, "which"))
			e := rapid.SampledFrom([]ledger.Entry{
				of(id, ledger.EventIntent), activatedAt(id), dead(id), openAt(id, protocol.Set, protocol.ReasonRights, ""), openAt(id, protocol.Prove, protocol.ReasonLagging, "ldaps://two"),
				found(id, credential.FindingStalePath), of(id, ledger.Exception), of(id, ledger.Reopened), {Event: ledger.CampaignPaused},
			}).Draw(t, "entry")
			entries = append(entries, e)
		}
		entries = append(entries, ledger.Entry{Event: ledger.CampaignClosed})
		told := settings.Told{UsedBy: []settings.UsedBy{{Path: "kv/apps/*", Consumers: []string{"x"}, Reload: &settings.Target{Name: "x"}}}}
		tell := func(cut int) (out []Notice) {
			teller := newTeller(told, campaign)
			for i, e := range entries {
				e.ID, e.Campaign = fmt.Sprint(i), campaign
				out = append(out, teller.add(uint64(i), e)...)
				if i == cut {
					if found := teller.gathered(); found != nil {
						out = append(out, *found)
					}
				}
			}
			return out
		}
		whole := tell(-1)
		seen := map[string]bool{}
		for _, n := range whole {
			require.False(t, seen[n.ID], n.ID)
			seen[n.ID] = true
			if n.Wave != nil && n.Wave.Ended {
				require.True(t, seen[fmt.Sprintf("%s/wave/%d/began", campaign, n.Wave.Number)])
			}
			if n.Counts != nil {
				require.Equal(t, n.Counts.Listed, n.Counts.Dead+n.Counts.Open)
			}
		}
		require.True(t, seen[campaign+"/start"] && seen[campaign+"/end"])
		without := func(all []Notice) (ids []string) {
			for _, n := range all {
				if !strings.HasPrefix(n.ID, campaign+"/finding/") {
					ids = append(ids, n.ID)
				}
			}
			return ids
		}
		require.Equal(t, without(whole), without(tell(rapid.IntRange(0, len(entries)-1).Draw(t, "cut"))))
	})
}
