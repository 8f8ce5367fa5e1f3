package ownmount

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

func readAll(t *testing.T, s *Store, idx RollIndex) []credential.Credential {
	t.Helper()
	var all []credential.Credential
	for i := range idx.Pages {
		page, err := s.ReadPage(t.Context(), idx.Campaign, idx.Snapshot, i)
		require.NoError(t, err)
		all = append(all, page...)
	}
	return all
}

func TestARollIsReadBackAsItWasWritten(t *testing.T) {
	s := newStore(t)
	roll := vaulttest.NewRoll("esg-01/2026-11-23", 1234)
	roll.Credentials[7].Problem = credential.NoAccount
	roll.Findings[roll.Credentials[7].ID] = []credential.Finding{{Code: credential.FindingNoAccount, Detail: "kv/apps/7"}}
	roll.Findings["corp/not-listed"] = []credential.Finding{{Code: credential.FindingTwoPaths}}
	for i := range 700 {
		roll.Excluded = append(roll.Excluded, credential.Exclusion{ID: fmt.Sprint("corp/x", i), Name: "x", Reason: "bystander"})
	}

	written, err := s.WriteRoll(t.Context(), roll)
	require.NoError(t, err)
	idx, err := s.ReadIndex(t.Context(), roll.Campaign)
	require.NoError(t, err)
	require.Equal(t, written, idx)
	require.Equal(t, []any{1234, 700, 1, 3}, []any{idx.Listed, idx.Excluded, idx.Problems, idx.Pages})
	require.Equal(t, roll.Credentials, readAll(t, s, idx))

	excluded, err := s.ReadExcluded(t.Context(), roll.Campaign)
	require.NoError(t, err)
	require.Equal(t, roll.Excluded, excluded)

	findings := map[string][]credential.Finding{}
	for i := range idx.Pages {
		page, err := s.ReadFindings(t.Context(), roll.Campaign, idx.Snapshot, i)
		require.NoError(t, err)
		for id, f := range page {
			findings[id] = f
		}
	}
	require.Equal(t, roll.Findings, findings)
}

func TestRunsOfTheIndexCoverEveryCredentialOnce(t *testing.T) {
	s := newStore(t)
	roll := vaulttest.NewRoll("c", 1100)
	idx, err := s.WriteRoll(t.Context(), roll)
	require.NoError(t, err)
	var walked []credential.Credential
	for i, w := range idx.Waves {
		require.Equal(t, i, w.Wave)
		for _, run := range w.Runs {
			page, err := s.ReadPage(t.Context(), "c", idx.Snapshot, run.Page)
			require.NoError(t, err)
			for _, c := range page[run.From:run.To] {
				require.Equal(t, []any{w.Wave, run.Authority, run.Kind}, []any{c.Wave, c.Authority, c.Kind})
				walked = append(walked, c)
			}
		}
	}
	require.Equal(t, roll.Credentials, walked)
}

func TestARetriedListingKeepsTheFirstRoll(t *testing.T) {
	s := newStore(t)
	found, later := vaulttest.NewRoll("c", 10), vaulttest.NewRoll("c", 20)
	found.Servers = map[string][]string{"corp": {"ldaps://a", "ldaps://b"}}
	later.Servers = map[string][]string{"corp": {"ldaps://a"}}
	first, err := s.WriteRoll(t.Context(), found)
	require.NoError(t, err)
	again, err := s.WriteRoll(t.Context(), later)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Equal(t, found.Servers, again.Servers)
	require.Len(t, readAll(t, s, again), 10)
}

func TestALostReplyToTheIndexLosesNoPages(t *testing.T) {
	_, c := newStoreOf(t)
	hop := vaulttest.NewLossy(t)
	s := open(t, c, hop.URL, server.RootToken())
	hop.LoseReplyTo("PUT", "/index")
	idx, err := s.WriteRoll(t.Context(), vaulttest.NewRoll("c", 600))
	require.NoError(t, err)
	require.Len(t, readAll(t, s, idx), 600)
}

func TestPagesOfAnInterruptedListingAreRemovedByTheNext(t *testing.T) {
	_, c := newStoreOf(t)
	hop := vaulttest.NewLossy(t)
	s := open(t, c, hop.URL, server.RootToken())
	hop.LoseReplyTo("PUT", "/credentials-1")
	_, err := s.WriteRoll(t.Context(), vaulttest.NewRoll("c", 600))
	require.Error(t, err)
	snapshots := func() []string {
		names, err := s.Names(t.Context(), "test", c.Vault.Mount, "rolls/c")
		require.NoError(t, err)
		return names
	}
	require.Len(t, snapshots(), 1)

	idx, err := s.WriteRoll(t.Context(), vaulttest.NewRoll("c", 600))
	require.NoError(t, err)
	require.Len(t, snapshots(), 3, "orphan, roll and index")
	idx, err = s.WriteRoll(t.Context(), vaulttest.NewRoll("c", 600))
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"index", idx.Snapshot + "/"}, snapshots())
	require.Len(t, readAll(t, s, idx), 600)
}

func TestARollThatIsNotThereIsNotFound(t *testing.T) {
	s := newStore(t)
	_, err := s.ReadIndex(t.Context(), "never")
	require.True(t, vault.IsKind(err, vault.NotFound), "%v", err)
	_, err = s.ReadPage(t.Context(), "never", "s", 0)
	require.True(t, vault.IsKind(err, vault.NotFound), "%v", err)
}

func TestPagesStayBelowVaultsLimitsWhateverTheyHold(t *testing.T) {
	roll := vaulttest.NewRoll("c", 300)
	for i := range roll.Credentials {
		roll.Credentials[i].Reasons[0].Detail = strings.Repeat(`"\<`, 2000)
	}
	pages, idx, err := cutRoll(roll)
	require.NoError(t, err)
	require.Greater(t, idx.Pages, 3)
	for name, page := range pages {
		sent, err := json.Marshal(string(page))
		require.NoError(t, err)
		require.Less(t, len(sent), 1_000_000, name)
	}

	s := newStore(t)
	idx, err = s.WriteRoll(t.Context(), roll)
	require.NoError(t, err)
	require.Equal(t, roll.Credentials, readAll(t, s, idx))

	roll.Credentials[0].Name = strings.Repeat("x", pageBytes)
	_, err = s.WriteRoll(t.Context(), &credential.Roll{Campaign: "d", Credentials: roll.Credentials[:1]})
	require.ErrorContains(t, err, roll.Credentials[0].ID)
}

func TestTheIndexOfAHundredThousandIsSmall(t *testing.T) {
	_, idx, err := cutRoll(vaulttest.NewRoll("c", 100_000))
	require.NoError(t, err)
	require.Equal(t, 200, idx.Pages)
	b, err := json.Marshal(idx)
	require.NoError(t, err)
	require.Less(t, len(b), 50_000)
}

// However many logs were read, what is said of them lies on pages that fit, and
// is read as it was.
func TestReadingsOfLogsAreReadBackAsTheyWereWritten(t *testing.T) {
	s := newStore(t)
	roll := vaulttest.NewRoll("c", 3)
	roll.Credentials[1].Signs = []credential.SignOf{{Reading: "r1", Sign: credential.Sign{Code: "used-elsewhere", Grade: credential.Probable, Count: 12, At: &credential.LogPlace{Log: 1, Name: "x.log", Line: 7}}}}
	for _, id := range []string{"r1", "r2"} {
		r := credential.LogsRead{ID: id, Of: credential.LogReading{Source: id, SHA256: strings.Repeat("0f", 32)}, Elsewhere: []credential.Sign{{Code: "indicator", Grade: credential.Possible, Findings: 2}},
			Counts: credential.ReadingCounts{Logs: 1200, Coverage: 40}}
		for i := range 1200 {
			r.Logs = append(r.Logs, credential.ReadLog{Number: i + 1, Name: fmt.Sprint("slapd.log-", i), SHA256: strings.Repeat("a1", 32)})
		}
		for range 40 {
			c := credential.LogCoverage{Authority: "corp"}
			for range 200 {
				c.Gaps = append(c.Gaps, credential.LogGap{Reason: "no-line"})
			}
			r.Coverage = append(r.Coverage, c)
		}
		roll.Readings = append(roll.Readings, r)
	}
	idx, err := s.WriteRoll(t.Context(), roll)
	require.NoError(t, err)
	require.Greater(t, idx.ReadingPages, 4)
	read, err := s.ReadReadings(t.Context(), idx)
	require.NoError(t, err)
	require.Equal(t, roll.Readings, read)
	require.Equal(t, roll.Credentials, readAll(t, s, idx))
}
