package ledger

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// followed is what a watch has of one credential and of nobody, twice, the
// second time more of it.
func followed() (entries []Entry) {
	read := credential.LogsRead{ID: "watch-1", Of: credential.LogReading{ReadAt: readAt, Roll: campaign, Follows: true}, Logs: []credential.ReadLog{{Number: 1, Name: "slapd.log"}}}
	for n := 1; n < 3; n++ {
		sign := credential.Sign{Code: "tried-after-rotation", Grade: credential.Probable, Rule: "new-place", Findings: n, Count: 3 * n, First: someDay(1), Last: someDay(n), Outcome: "refused",
			Addresses: []string{"192.0.2.7"}, At: &credential.LogPlace{Log: 1, Name: "slapd.log", Line: 7}}
		read.Elsewhere = []credential.Sign{{Code: "burst-of-failures", Grade: credential.Possible, Findings: 1, Count: 10 * n, First: someDay(1), Last: someDay(n)}}
		of := credential.Credential{ID: listed(0).Credential, Name: listed(0).Name, Signs: []credential.SignOf{{Reading: read.ID, Sign: sign}}}
		for range 2 { // it may come again
			entries = append(entries, EvidenceEntries("esg-01", "rollcall", read, []credential.Credential{of}, readAt)...)
		}
	}
	return entries
}

// audited is what verify has to say of entries.
func auditedAs(of string, entries []Entry) (rep Report) {
	rep.Campaign = of
	a := newAudit(&rep)
	had := map[string]bool{}
	for _, e := range entries {
		if !had[e.ID] {
			a.take(int64(len(had)), &e, true)
			had[e.ID] = true
		}
	}
	a.finish()
	return rep
}

func TestALedgerOfEvidenceHasEachSignAsItIsByNow(t *testing.T) {
	rep := auditedAs("esg-01-evidence", followed())
	require.Empty(t, rep.Problems)
	require.Equal(t, "esg-01", rep.Device)
	require.Equal(t, []VerifiedReading{{ID: "watch-1", Roll: campaign, Logs: 1, Signs: 1, Credentials: 1}}, rep.Readings)
	all := followed()
	for _, order := range [][]Entry{all, append(all[:4:4], all[8:]...)} { // an older state of the watch tells less, later
		s := NewState()
		for i, e := range append(order, all...) {
			s.Add(uint64(i), e)
		}
		require.Len(t, s.Signed, 1)
		require.Len(t, s.Signed[0].Signs, 1)
		require.Equal(t, []any{listed(0).Name, 6, someDay(2)}, []any{s.Signed[0].Name, s.Signed[0].Signs[0].Count, s.Signed[0].Signs[0].Last})
		require.Len(t, s.Readings[0].Elsewhere, 1)
		require.Equal(t, 20, s.Readings[0].Elsewhere[0].Count)
	}
}

func TestWhatStandsInALedgerOfEvidenceAndShouldNotShows(t *testing.T) {
	change := func(n int, do func(*Entry)) []Entry {
		all := followed()
		e := all[n]
		if e.Reading != nil {
			r := *e.Reading
			e.Reading = &r
		}
		do(&e)
		all[n] = e
		return all
	}
	sign := 4
	require.NotEmpty(t, followed()[sign].Credential)
	for says, entries := range map[string][]Entry{
		"called esg-01-evidence, and opened as that of what logs show of device": change(0, func(e *Entry) { e.Device = "esg-02" }),
		"behind its first entry": append(followed(), Entry{ID: "x", Campaign: "esg-01-evidence", Event: EvidenceOpened, Device: "esg-01"}),
		"listed in a ledger":     append(followed(), Entry{ID: "x", Campaign: "esg-01-evidence", Event: Listed, Credential: "corp/9"}),
		"without a name":         change(sign, func(e *Entry) { e.Name = "" }),
		"without the campaign":   change(1, func(e *Entry) { of := *e.Reading.Of; of.Roll = ""; e.Reading.Of = &of }),
		"of which no entry stands": change(sign, func(e *Entry) {
			s := *e.Reading.Sign
			s.At = &credential.LogPlace{Log: 2, Name: "x", Line: 1}
			e.Reading.Sign = &s
		}),
		"is not on the roll":            followed()[1:], // so it is a campaign's
		"more than a count of what is ": change(3, func(e *Entry) { e.Name = "uid=somebody" }),
	} {
		rep := auditedAs("esg-01-evidence", entries)
		found := ""
		for _, p := range rep.Problems {
			found += p.What + "\n"
		}
		require.Contains(t, found, says)
	}
}

func TestACampaignTakesWhatWasHeldAgainstItsRoll(t *testing.T) {
	of := NewState()
	for i, e := range followed() {
		of.Add(uint64(i), e)
	}
	for _, s := range []*State{NewState(), NewPackedState()} {
		for i, e := range evidenceStory() {
			s.Add(uint64(i), withTime(e))
		}
		s.TakeEvidence(of)
		require.Len(t, s.Readings, 2)
		require.Equal(t, "esg-01-evidence", s.Readings[1].Ledger)
		n := 0
		for c := range s.All() {
			if c.ID == listed(0).Credential {
				n = len(c.Signs)
			}
		}
		require.Equal(t, 3, n)
	}
	other := NewState()
	other.Campaign = "esg-01-of-another-day"
	other.TakeEvidence(of)
	require.Empty(t, other.Readings)
}

// A reading that died half way is told apart from a whole one, and hinders
// nobody; the same one once more makes it whole.
func TestAReadingThatNeverEndedIsToldApartFromAWholeOne(t *testing.T) {
	read := credential.LogsRead{ID: "r1", Of: credential.LogReading{SHA256: strings.Repeat("0f", 32), ReadAt: readAt, Roll: campaign, Windows: []credential.Interval{windowed}},
		Logs:     []credential.ReadLog{{Number: 1, Name: "slapd.log", SHA256: strings.Repeat("a1", 32), Format: "openldap", Authority: "corp", Lines: 40}},
		Coverage: []credential.LogCoverage{{Authority: "corp", Format: "openldap", Lines: 40}}, Counts: credential.ReadingCounts{Logs: 1, Coverage: 1}}
	whole := EvidenceEntries("esg-01", "rollcall", read, nil, readAt)
	for n := 2; n < len(whole); n++ {
		rep := auditedAs("esg-01-evidence", whole[:n])
		require.Empty(t, rep.Problems)
		require.Equal(t, []VerifiedReading{{ID: "r1", SHA256: read.Of.SHA256, Logs: min(1, n-2), NeverEnded: true, Began: readAt}}, rep.Readings)
		s := NewState()
		for i, e := range whole[:n] {
			s.Add(uint64(i), e)
		}
		require.True(t, s.Readings[0].NeverEnded())
	}
	rep := auditedAs("esg-01-evidence", append(whole[:3:3], whole...))
	require.Empty(t, rep.Problems)
	require.Equal(t, []VerifiedReading{{ID: "r1", SHA256: read.Of.SHA256, Logs: 1}}, rep.Readings)
}
