package workflows

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"rollcall/internal/ledger"
	"rollcall/internal/wire"
)

func TestTheLedgerIsToldWhyACampaignEndedEarly(t *testing.T) {
	f := newFake(waveOf(0, 4))
	f.fails["List"] = temporal.NewNonRetryableApplicationError("directory corp refuses the bind\nnothing was changed", wire.FailedSources, nil)
	env := f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.Error(t, env.GetWorkflowError())
	require.Equal(t, []ledger.Event{ledger.CampaignClosed}, f.told())
	require.Equal(t, "ended early: directory corp refuses the bind; nothing was changed", f.events[0].Detail)

	long := whyEarly(temporal.NewNonRetryableApplicationError(strings.Repeat("ü", 5000), wire.FailedSources, nil))
	require.Less(t, len(long), 2100, "an entry has room for it")
	require.NotContains(t, long, "\ufffd")
}

func TestACampaignIsClosedWithTheExclusionsOfItsRoll(t *testing.T) {
	f := newFake(waveOf(0, 4))
	env := f.env(t)
	env.ExecuteWorkflow(CampaignWorkflow, input)
	require.NoError(t, env.GetWorkflowError())
	last := f.events[len(f.events)-1]
	require.Equal(t, ledger.CampaignClosed, last.Event)
	require.Equal(t, 1, last.Excluded)
}
