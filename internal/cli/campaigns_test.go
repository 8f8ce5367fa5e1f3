package cli

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/ledger"
	"rollcall/internal/report"
	"rollcall/internal/vault/ownmount"
)

func TestCampaignsAreListedInTheZoneOfWhoLooksAndInTheWidthOfHisTerminal(t *testing.T) {
	at := time.Date(2026, 11, 30, 17, 42, 3, 0, time.UTC)
	r := ownmount.CampaignRecord{Campaign: "esg-01-20261130T174203Z", Device: "esg-01", Actor: "root@vm", OpenedAt: at, ClosedAt: at.Add(time.Hour)}
	k := recordOf(r, at, time.FixedZone("", 3600))
	require.Equal(t, "ended 2026-11-30T19:42:03+01:00", k.words)
	require.Equal(t, "2026-11-30T18:42:03Z", k.ClosedAt, "JSON is in UTC")
	var out bytes.Buffer
	require.NoError(t, printCampaigns(&out, []knownCampaign{k}, true, 60))
	require.Equal(t, `esg-01-20261130T174203Z
  device esg-01, ? of ? dead, started by root@vm, ended
  2026-11-30T19:42:03+01:00
`, out.String())
	for _, width := range []int{80, 100} {
		out.Reset()
		require.NoError(t, printCampaigns(&out, []knownCampaign{k}, true, width))
		for line := range strings.Lines(out.String()) {
			require.LessOrEqual(t, report.Columns(strings.TrimSpace(line)), width)
		}
	}
	out.Reset()
	require.NoError(t, printCampaigns(&out, []knownCampaign{k}, false, math.MaxInt))
	require.Equal(t, 2, strings.Count(out.String(), "\n"), "a table")

	said := bytes.Buffer{}
	n := &notHere{campaign: k, why: noOffers, zone: time.FixedZone("", 3600)}
	n.print(&said, 400)
	require.Contains(t, said.String(), "Vault: esg-01, started 2026-11-30T18:42:03+01:00 by root@vm: ended 2026-11-30T19:42:03+01:00")
}

func TestCampaignsSaysHowEachEndedAndWhatIsDeadOnSomeOnly(t *testing.T) {
	at := time.Date(2026, 11, 30, 17, 55, 7, 0, time.UTC)
	for how, want := range map[ledger.Ending]string{
		ledger.EndAborted:  "aborted by jo@vm, ended 2026-11-30T17:55:07Z",
		ledger.EndAccepted: "closed by jo@vm, who accepted what was open, ended 2026-11-30T17:55:07Z",
		ledger.EndEarly:    "ended early, by a failure, 2026-11-30T17:55:07Z",
		ledger.EndReached:  "ended 2026-11-30T17:55:07Z",
		"":                 "ended 2026-11-30T17:55:07Z",
	} {
		k := recordOf(ownmount.CampaignRecord{Campaign: "c", Begun: true, ClosedAt: at, Ending: ownmount.Ending{How: string(how), By: "jo@vm"}}, at, time.UTC)
		require.Equal(t, want, k.words)
		require.Equal(t, how, k.How)
		listed, dead, some := 6, 6, 5
		k.Listed, k.Dead, k.OnSome = &listed, &dead, &some
		var out strings.Builder
		require.NoError(t, printCampaigns(&out, []knownCampaign{k}, false, math.MaxInt))
		require.Contains(t, out.String(), "6 (5 on some only) of 6")
	}
}
