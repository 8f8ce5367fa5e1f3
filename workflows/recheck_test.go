package workflows

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

func TestWhatWasChangedSinceItsProofIsOpenAgainInEveryCount(t *testing.T) {
	people := waveOf(1, 4)
	people.Runs[0].Kind, people.Runs[0].Page = credential.UserPassword, 2
	f := newFake(waveOf(0, 12, 7), people)
	f.changed = map[place]bool{{0, 3}: true, {1, 6}: true, {2, 1}: true}
	f.outcome = func(at place, _ int) (protocol.Step, protocol.Reason) {
		if at == (place{0, 5}) {
			return protocol.Precheck, protocol.ReasonNoAccount
		}
		return "", ""
	}
	env := f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, CampaignInput{Campaign: "c1", Device: "esg-01", Settings: settings})
	require.NoError(t, env.GetWorkflowError())
	var got Result
	require.NoError(t, env.GetWorkflowResult(&got))
	require.Equal(t, f.roll.Listed, got.Dead+got.Open)
	require.Equal(t, 4, got.Open)
	require.Len(t, f.rechecked, 3, "people are looked at like services")
	closed := f.events[len(f.events)-1]
	require.Equal(t, []int{got.Dead, got.Open}, []int{closed.Dead, closed.Open}, "the ledger closes with the same counts")
}

func TestALookThatDidNotHappenIsExitCodeTwo(t *testing.T) {
	for _, failing := range []string{"Recheck", "Proved"} {
		t.Run(failing, func(t *testing.T) {
			f := newFake(waveOf(0, 5))
			f.fails[failing] = temporal.NewNonRetryableApplicationError("no worker", "Vault", errors.New("gone"))
			env := f.env(t)
			env.ExecuteWorkflow(CampaignWorkflow, CampaignInput{Campaign: "c1", Device: "esg-01", Settings: settings})
			require.NoError(t, env.GetWorkflowError())
			var got Result
			require.NoError(t, env.GetWorkflowResult(&got))
			require.Equal(t, 5, got.Dead)
			require.Equal(t, []wire.Rechecked{{Unseen: []int{0, 1, 2, 3, 4}}}, []wire.Rechecked{f.rechecked[0].Result})
			require.Equal(t, 1, got.Incomplete, "exit code 2: nobody knows whether it is as it was proved")
		})
	}
}
