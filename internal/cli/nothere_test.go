package cli

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/vault/ownmount"
)

func TestACampaignThatEndedBeforeItsRollWasMadeHasNoLedgerToLookFor(t *testing.T) {
	k := &notHere{campaign: knownCampaign{Campaign: "esg-01-x", Device: "esg-01", ClosedAt: "2026-11-28T08:23:57Z"}, why: noOffers}
	var said bytes.Buffer
	k.print(&said, 400)
	require.Contains(t, said.String(), "it ended before its roll was made: nothing was changed, and there is no ledger of it")
	require.NotContains(t, said.String(), "ledger serve")
	require.NotContains(t, said.String(), "?")

	listed := 3
	k.campaign.Listed, k.folder = &listed, "/w/ledger"
	for want, at := range map[string]struct {
		ownmount.LedgerPlace
		here bool
	}{
		"is not on this machine, and nobody gives ledgers out":                                                         {},
		"where it is `rollcall ledger serve --listen :8443`, with the campaign file, gives it out":                     {},
		"is not here, but on vm7, in /home/a/ledger/esg-01-x, and nobody":                                              {LedgerPlace: ownmount.LedgerPlace{Host: "vm7", Folder: "/home/a/ledger/esg-01-x"}},
		"on vm7 `rollcall ledger serve --listen :8443`, with the campaign file, gives it out from /home/a/ledger":      {LedgerPlace: ownmount.LedgerPlace{Host: "vm7", Folder: "/home/a/ledger/esg-01-x"}},
		"or copy that folder to /w/ledger/esg-01-x":                                                                    {LedgerPlace: ownmount.LedgerPlace{Host: "vm7", Folder: "/home/a/ledger/esg-01-x"}},
		"is in another folder of this machine, /a b/ledger/esg-01-x, and":                                              {ownmount.LedgerPlace{Host: "vm7", Folder: "/a b/ledger/esg-01-x"}, true},
		"`rollcall status --ledger '/a b/ledger/esg-01-x'` and `rollcall report --ledger '/a b/ledger/esg-01-x'` read": {ownmount.LedgerPlace{Host: "vm7", Folder: "/a b/ledger/esg-01-x"}, true},
	} {
		k.at, k.here = at.LedgerPlace, at.here
		said.Reset()
		k.print(&said, 400)
		require.Contains(t, said.String(), want)
	}
}
