package cli

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACampaignThatEndedBeforeItsRollWasMadeHasNoLedgerToLookFor(t *testing.T) {
	t.Setenv("TEMPORAL_ADDRESS", "")
	k := &notHere{campaign: knownCampaign{Campaign: "esg-01-x", Device: "esg-01", ClosedAt: "2026-11-28T08:23:57Z"}, why: "no ledger worker gives ledgers out"}
	var said bytes.Buffer
	k.print(&said, 400)
	require.Contains(t, said.String(), "it ended before its roll was made: nothing was changed, and there is no ledger of it")
	require.NotContains(t, said.String(), "start the ledger worker")
	require.NotContains(t, said.String(), "?")

	listed := 3
	k.campaign.Listed = &listed
	said.Reset()
	k.print(&said, 400)
	require.Contains(t, said.String(), "copy its folder from there", "`rollcall run` alone serves no ledger")
	require.NotContains(t, said.String(), "start the ledger worker")

	t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:7233")
	said.Reset()
	k.print(&said, 400)
	require.Contains(t, said.String(), "start the ledger worker")
}
