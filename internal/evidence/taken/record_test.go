package taken

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/evidence/event"
)

func day(n int) time.Time { return time.Date(2022, 10, 10, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n) }

func TestWhatALedgerIsToldOfAResult(t *testing.T) {
	file, err := Read([]byte(small))
	require.NoError(t, err)
	r := file.Record()
	require.Equal(t, file.digest[:16], r.ID)
	require.Equal(t, credential.LogReading{SHA256: file.digest, ReadAt: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Windows: []credential.Interval{{From: day(0)}}}, r.Of)
	require.Equal(t, []credential.ReadLog{{Number: 1, Name: "slapd.log", SHA256: strings.Repeat("0f", 32), Size: 9, Format: "openldap", Authority: "corp", Lines: 40, NotRead: 1, First: day(1), Last: day(52)}}, r.Logs)
	require.Equal(t, []SignsOf{{"corp/1", []credential.Sign{{Code: "used-elsewhere", Grade: credential.Probable, Rule: "new-place", Doubts: []string{"address-over-gap"}, Findings: 1, Count: 12,
		First: day(22), Last: day(23), Outcome: "accepted", Addresses: []string{"192.0.2.7"}, At: &credential.LogPlace{Log: 1, Name: "slapd.log", Line: 7}}}}}, r.Signs)
	require.Equal(t, []credential.Sign{{Code: "burst-of-failures", Grade: credential.Possible, Findings: 1, Count: 10, First: day(22), Last: day(23)}}, r.Elsewhere, "a count, and nobody's name or address")
	require.Len(t, r.Coverage, 2)
	require.Equal(t, []credential.LogGap{{From: day(0), To: day(1), Reason: "before-first-line"}}, r.Coverage[0].Gaps)
	require.True(t, r.Coverage[1].NoLog)
	require.Equal(t, 3, r.NotKept)
	require.NotContains(t, fmt.Sprintf("%+v", r), "bystander")
	require.NotContains(t, fmt.Sprintf("%+v", r), "/var/log")
}

func TestFindingsThatAreAlikeAreOneSignWithEachAddressOnce(t *testing.T) {
	var s credential.Sign
	seen := map[string]bool{}
	for n := range 40 {
		address := fmt.Sprintf("192.0.2.%d", 1+(39-n)%20) // each of twenty twice, the first ones last
		s = credential.JoinSigns(s, credential.Sign{Addresses: []string{address}, Findings: 1, Count: 2, First: day(100 - n), Last: day(101 - n), At: &credential.LogPlace{Log: 1, Line: 1 + n}}, !seen[address])
		seen[address] = true
	}
	require.Equal(t, []any{40, 80, day(61), day(101), 40}, []any{s.Findings, s.Count, s.First, s.Last, s.At.Line})
	require.Len(t, s.Addresses, credential.MostAddresses)
	require.Equal(t, "192.0.2.1", s.Addresses[0], "the first first")
	require.Equal(t, 20-credential.MostAddresses, s.MoreAddresses)
}

// Whoever makes a result up makes no roll too large with it, and no ledger.
func TestAResultHasSoManyCodesAndSoManySignsOfACredential(t *testing.T) {
	fresh := func() *File {
		r := reader{}
		r.out.places, r.out.logs = map[string]int{"x": 1}, []Log{{File: "x", Lines: 1}}
		r.out.signs = signs{of: map[signKey]int{}, addresses: map[signAddress]bool{}, elsewhere: map[countKey]int{}, codes: map[string]int{}, ofOne: map[string]int{}}
		return &r.out
	}
	f := finding{Code: "a", Grade: "possible", Rule: "r", Count: 1, First: day(1), Last: day(1), Seen: []event.Place{{File: "x", Line: 1}}}
	word := func(n int) string { return fmt.Sprint("a", n) }
	codes := fresh()
	for n := range mostCodes {
		f.Code = word(n)
		require.Empty(t, codes.addFinding(f))
	}
	f.Code = word(mostCodes)
	require.Contains(t, codes.addFinding(f), "a code more than any result has")
	of := fresh()
	f.Code, f.Credential = "a", "corp/1"
	for n := range mostOfOne {
		f.Rule = word(n)
		require.Empty(t, of.addFinding(f))
	}
	f.Rule = word(mostOfOne)
	require.Contains(t, of.addFinding(f), "one more of its credential than any result has")
	f.Credential = "corp/2"
	require.Empty(t, of.addFinding(f), "of another one")
}

func TestWhatIsWrongInAResultIsSaidWithItsPlaceAndNothingOfItIsTaken(t *testing.T) {
	for name, c := range map[string]struct{ old, new, says string }{
		"a log twice":                  {`"logs": [`, `"logs": [{"file": "/var/log/slapd.log", "sha256": "` + strings.Repeat("0f", 32) + `", "format": "openldap"}, `, "logs[1], which ends here, is a log without a name, or a second one"},
		"a log without a digest":       {strings.Repeat("0f", 32), "0f", "logs[0], which ends here, has no SHA-256"},
		"a log with no such lines":     {`"not_understood": 1`, `"not_understood": -1`, "less than no lines"},
		"a log of no time":             {`"first": "2022-10-11T00:00:00Z"`, `"first": "0001-01-01T00:00:00+14:00"`, "ends before it begins"},
		"a format that is no word":     {`"format": "openldap", "authority": "corp", "lines": 40, "not`, `"format": "PLANTED it", "authority": "corp", "lines": 40, "not`, "logs[0], which ends here, has no format"},
		"findings before logs":         {`"logs": [`, `"findings": [], "logs": [`, "has findings before the logs"},
		"a finding in no log":          {`"seen": [{"file": "/var/log/slapd.log"`, `"seen": [{"file": "/var/log/PLANTED"`, "findings[0], which ends here, is in no log that was read"},
		"a finding in no line":         {`"line": 7, "at"`, `"line": 41, "at"`, "is in a line that its log has not got"},
		"a finding nowhere":            {`"seen": [{"file": "/var/log/slapd.log", "line": 7, "at": "2022-11-01T00:00:00Z", "outcome": "accepted"}]`, `"seen": []`, "is in no log"},
		"a grade that is none":         {`"grade": "probable"`, `"grade": "PLANTED"`, "has a code, a grade or a rule that none has"},
		"a code that is none":          {`"code": "used-elsewhere"`, `"code": "PLANTED code"`, "has a code, a grade or a rule"},
		"an outcome that is none":      {`"outcome": "accepted", "count": 12`, `"outcome": "PLANTED", "count": 12`, "has an outcome"},
		"more than there can be":       {`"count": 12`, `"count": 9000000000000000000`, "has no times, or ends before it begins"},
		"a time beyond any ledger":     {`"last": "2022-11-02T00:00:00Z", "doubts"`, `"last": "9999-12-31T23:59:59-14:00", "doubts"`, "has no times"},
		"an address that is none":      {`"address": "192.0.2.7", "outcome"`, `"address": "PLANTED", "outcome"`, "has an address that is none"},
		"an address with a zone":       {`"address": "192.0.2.7", "outcome"`, `"address": "fe80::1%PLANTED", "outcome"`, "has an address that is none"},
		"a doubt that is no word":      {`["address-over-gap"], "seen"`, `["PLANTED!"], "seen"`, "has a doubt that is no word"},
		"a credential beyond measure":  {`"credential": "corp/1"`, `"credential": "` + strings.Repeat("x", 5000) + `"`, "is about a credential of no roll"},
		"coverage with a false note":   {`"note": "no-address"`, `"note": "PLANTED "`, "coverage[0], which ends here, has a note that is no word"},
		"coverage that cannot show it": {`["last-name-only"]`, `["PLANTED "]`, "has a limit that is no word"},
		"a gap that ends too early":    {`"to": "2022-10-11T00:00:00Z", "reason"`, `"to": "2022-10-09T00:00:00Z", "reason"`, "has a gap without a reason, or one that ends"},
		"a gap without a reason":       {`"reason": "no-log"`, `"reason": ""`, "no_log_of[0], which ends here, has a gap without a reason"},
		"nobody's log":                 {`"no_log_of": [{"authority": "vault"`, `"no_log_of": [{"authority": ""`, "names no authority"},
		"no time of the reading":       {`"read_at": "2026-01-01T00:00:00Z"`, `"read_at": "0001-01-01T00:00:00Z"`, "does not say when the logs were read"},
		"a roll beyond measure":        {`"device": "esg-01"`, `"device": "esg-01", "campaign": "` + strings.Repeat("PLANTED", 50) + `"`, "or against whose roll"},
		"logs that are no list":        {`"logs": [`, `"logs": {}, "more": [`, "logs is no list"},
		"no logs":                      {`"logs": [`, `"more": [`, "has findings before the logs"},
		"no coverage":                  {`"coverage": [`, `"more": [`, `has no "coverage"`},
	} {
		require.Equal(t, 1, strings.Count(small, c.old), name)
		_, err := Read([]byte(strings.Replace(small, c.old, c.new, 1)))
		var m *Mistake
		require.ErrorAs(t, err, &m, name)
		require.Contains(t, m.Text, c.says, name)
		require.NotContains(t, m.Text, "PLANTED")
	}
}

// Whatever the gaps are, what a ledger is told is in order, in the windows and
// few, and never says that more is covered than is.
func TestGapsOfALedgerAreInOrderInTheWindowsAndNeverLessThanThereAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := func(name string) time.Time {
			return day(0).Add(time.Duration(rapid.IntRange(-50, 2000).Draw(t, name)) * time.Hour)
		}
		var windows []Span
		for range rapid.IntRange(1, 3).Draw(t, "windows") {
			from := at("from")
			w := Span{From: from, To: from.Add(time.Duration(rapid.IntRange(1, 900).Draw(t, "long")) * time.Hour)}
			if rapid.IntRange(0, 3).Draw(t, "lasts") == 0 {
				w.To = time.Time{}
			}
			windows = append(windows, w)
		}
		now := at("now")
		var gaps []credential.LogGap
		for range rapid.IntRange(0, 600).Draw(t, "gaps") {
			from := at("gap")
			gaps = append(gaps, credential.LogGap{From: from, To: from.Add(time.Duration(rapid.IntRange(1, 3).Draw(t, "hours")) * time.Hour), Reason: "no-line"})
		}
		all := slices.Clone(gaps)
		whole := merged(windows)
		out, joined := within(gaps, whole, now)
		require.LessOrEqual(t, len(out), max(mostGaps, len(whole)))
		last := time.Time{}
		for _, g := range out {
			require.True(t, g.To.After(g.From) && !g.From.Before(last))
			require.True(t, slices.ContainsFunc(whole, func(w credential.Interval) bool {
				return !g.From.Before(w.From) && (w.To.IsZero() || !g.To.After(w.To)) && !g.To.After(now)
			}), "%v", g)
			last = g.To
		}
		in := func(list []credential.LogGap, at time.Time) bool {
			return slices.ContainsFunc(list, func(g credential.LogGap) bool { return !at.Before(g.From) && at.Before(g.To) })
		}
		extra := false
		for h := -50; h < 3000; h++ {
			moment := day(0).Add(time.Duration(h)*time.Hour + time.Minute)
			exposed := moment.Before(now) && slices.ContainsFunc(windows, func(w Span) bool { return !moment.Before(w.From) && (w.To.IsZero() || moment.Before(w.To)) })
			if exposed && in(all, moment) {
				require.True(t, in(out, moment), "what is not covered is not said to be: %v", moment)
			} else {
				extra = extra || in(out, moment)
			}
		}
		require.Equal(t, joined > 0, extra, "only what was joined is said to be a gap and is none")
	})
}
