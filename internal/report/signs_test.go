package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
)

// windowed is the exposure of the sample: a hundred days.
var windowed = credential.Interval{From: time.Date(2022, 10, 10, 0, 0, 0, 0, time.UTC), To: time.Date(2023, 1, 18, 0, 0, 0, 0, time.UTC)}

func dayOf(n int) time.Time { return windowed.From.AddDate(0, 0, n) }

// sampleLogs is a campaign that ended, of which logs were read before it set
// anything.
func sampleLogs() *log {
	l := sample(true)
	sign := func(grade credential.Grade, code, rule string, address string) credential.SignOf {
		return credential.SignOf{Reading: "0f0f0f0f0f0f0f0f", Sign: credential.Sign{Code: code, Grade: grade, Rule: rule, Findings: 1, Count: 12, First: dayOf(20), Last: dayOf(40), Outcome: "accepted",
			Addresses: []string{address}, At: &credential.LogPlace{Log: 1, Name: "mail.log", Line: 1234}}}
	}
	read := credential.LogsRead{ID: "0f0f0f0f0f0f0f0f", Of: credential.LogReading{Source: "evidence", SHA256: strings.Repeat("0f", 32), ReadAt: noon, Windows: []credential.Interval{windowed}},
		Logs: []credential.ReadLog{{Number: 1, Name: "mail.log", SHA256: strings.Repeat("a1", 32), Size: 77, Format: "dovecot", Lines: 2000, First: dayOf(0), Last: dayOf(99)},
			{Number: 2, Name: "slapd.log", SHA256: strings.Repeat("b2", 32), Size: 99, Format: "openldap", Authority: "corp", Server: "ldap1", Lines: 4000, NotRead: 3, First: dayOf(0), Last: dayOf(99)}},
		Coverage: []credential.LogCoverage{{Format: "dovecot", InFront: true, Authority: "corp", Lines: 2000},
			{Authority: "corp", Server: "ldap1", Format: "openldap", Lines: 4000, Logins: 40, Gaps: []credential.LogGap{{From: dayOf(10), To: dayOf(20), Reason: "no-line"}}},
			{Authority: "corp", Server: "ldap2", Format: "openldap", Lines: 400, Logins: 4, Gaps: []credential.LogGap{{From: dayOf(15), To: dayOf(30), Reason: "before-first-line"}}},
			{Authority: "vault", NoLog: true, Gaps: []credential.LogGap{{From: dayOf(0), To: dayOf(100), Reason: "no-log"}}}},
		Elsewhere: []credential.Sign{{Code: "not-on-roll", Grade: credential.Possible, Findings: 3, Count: 30}},
		Counts:    credential.ReadingCounts{Logs: 2, Coverage: 4, Signs: 3, Credentials: 2, Elsewhere: 3, NotKept: 5},
	}
	before, last := ledger.ReadingEntries(sampleCampaign, read, at(time.Second))
	entries := before
	entries = append(entries, ledger.SignEntries(sampleCampaign, credential.Credential{ID: "corp/0004", Name: "far", Signs: []credential.SignOf{sign(credential.Possible, "account-changed", "no-address", "192.0.2.9"), sign(credential.Confirmed, "used-elsewhere", "indicator", "192.0.2.7")}}, at(time.Second))...)
	entries = append(entries, ledger.SignEntries(sampleCampaign, credential.Credential{ID: "corp/0001", Name: "relay", Signs: []credential.SignOf{sign(credential.Probable, "tried-after-rotation", "new-place", "192.0.2.7")}}, at(time.Second))...)
	entries = append(entries, last)
	const listed = 8 // and what was excluded
	l.entries = append(l.entries[:listed:listed], append(entries, l.entries[listed:]...)...)
	return l
}

func TestSignsOfUseStandBesideTheCredentialAndWhatNoLogCoversIsNotCalledUnused(t *testing.T) {
	s := sampleLogs().fold()
	const headline = "2 credentials show signs of use (1 confirmed, 1 probable); the logs cover 40 % of the exposure; 3 gaps"
	const line = "confirmed, used-elsewhere, 12 times, 2022-10-30 00:00:00Z to 2022-11-19 00:00:00Z from 192.0.2.7 (mail.log:1234), by rule indicator"
	var text, page, doc, rows, summary, sheet bytes.Buffer
	require.NoError(t, Text(&text, s, verified, 400))
	require.NoError(t, HTML(&page, s, verified, noon))
	require.NoError(t, JSON(&doc, s, verified))
	require.NoError(t, CSV(&rows, s, Verification{}))
	require.NoError(t, SummaryText(&summary, s, verified, noon, 400))
	require.NoError(t, SummaryHTML(&sheet, s, verified, noon))
	require.Contains(t, text.String(), headline)
	for _, says := range []string{line, "probable, tried-after-rotation", "corp: 80 % of the exposure is covered (ldap1 openldap, 4000 lines; ldap2 openldap, 400 lines)",
		"gap: 2022-10-20 00:00:00Z to 2022-10-30 00:00:00Z (no-line)", "vault: no log of it is known", "not on the roll: possible not-on-roll: 3 findings (30 events)", noRecordMeans,
		"reading 0f0f0f0f0f0f0f0f: 2 logs, read 2026-11-23 12:00:00Z; sha256 of the result " + strings.Repeat("0f", 32) + "; 5 events of more accounts"} {
		require.Contains(t, text.String(), says)
	}
	require.Less(t, strings.Index(text.String(), "svc-far,"), strings.Index(text.String(), "Findings for the investigator"))
	require.Equal(t, 6, strings.Count(page.String(), "(mail.log:1234)"), "in the section and beside each credential")
	for _, says := range []string{"By the logs: " + headline, line, "signs of use: confirmed", strings.Repeat("b2", 32), "3 not understood"} {
		require.Contains(t, page.String(), says)
	}
	require.Contains(t, summary.String(), "2 credentials show signs of use")
	require.Contains(t, summary.String(), noRecordMeans)
	require.Contains(t, sheet.String(), "Signs of use")
	var d Document
	require.NoError(t, json.Unmarshal(doc.Bytes(), &d))
	require.Equal(t, []any{headline, 2}, []any{d.Logs.Words, d.Logs.Signed})
	require.Equal(t, []DocumentCover{{"corp", false, 80 * 86400, 100 * 86400, []credential.LogGap{{From: dayOf(10), To: dayOf(20), Reason: "no-line"}, {From: dayOf(15), To: dayOf(30), Reason: "before-first-line"}}},
		{"vault", true, 0, 100 * 86400, []credential.LogGap{{From: dayOf(0), To: dayOf(100), Reason: "no-log"}}}}, d.Logs.Covered)
	cells, err := csv.NewReader(&rows).ReadAll()
	require.NoError(t, err)
	last := len(cells[0]) - 1
	require.Equal(t, "signs_of_use", cells[0][last])
	for _, row := range cells[1:] {
		require.Equal(t, row[3] == "corp/0004", strings.HasPrefix(row[last], line), "%v", row)
	}
	for _, out := range []string{text.String(), page.String(), doc.String(), summary.String()} {
		out = strings.ReplaceAll(strings.ReplaceAll(out, "&#34;", `"`), noRecordMeans, "")
		require.NotContains(t, strings.ToLower(out), "not used")
		require.NotContains(t, strings.ToLower(out), "unused")
	}
}

func TestNoMoreIsSaidToBeCoveredThanLogsShow(t *testing.T) {
	line := func(change func(*ledger.ReadLogs)) string {
		s := sampleLogs().fold()
		s.Servers = map[string][]string{"corp": {"ldaps://ldap1:636", "ldaps://ldap2:636"}}
		change(s.Readings[0])
		return coverageOf(s).lines(time.UTC)[0].Words
	}
	const one = "corp: 45 % of the exposure is covered (ldap1 openldap, 4000 lines); no log is known of 1 of its 2 servers"
	require.Equal(t, one, line(func(r *ledger.ReadLogs) { r.Coverage = r.Coverage[1:2] }), "each server logs for itself")
	short := line(func(r *ledger.ReadLogs) {
		r.Coverage[1].Joined, r.Coverage[2].Notes = 3, []credential.LogNote{{Note: "too-many-stretches", Count: 4}, {Note: "cut-off", Count: 9}}
	})
	require.Contains(t, short, "; 7 stretches with lines, the shortest of more than are kept, count as gaps")
	none := line(func(r *ledger.ReadLogs) { r.Coverage[1].Logins = 0 })
	require.Contains(t, none, "corp: 0 % of the exposure is covered (ldap1 openldap, 4000 lines, no login in it;")
	forged := line(func(r *ledger.ReadLogs) {
		r.Coverage = append(r.Coverage, credential.LogCoverage{Authority: "corp", Server: "evil", Format: "openldap", Lines: 1, Logins: 1, Gaps: []credential.LogGap{{From: dayOf(0), To: dayOf(100), Reason: "no-line"}}})
	})
	require.Equal(t, "corp: 80 % of the exposure is covered (ldap1 openldap, 4000 lines; ldap2 openldap, 400 lines; evil openldap, 1 line); no server of it is called evil, so logs of that name count for none", forged, "whoever writes into a syslog calls himself as he likes")
	lasts := line(func(r *ledger.ReadLogs) {
		r.ReadAt, r.Windows = dayOf(100), []credential.Interval{{From: dayOf(0)}}
	})
	require.Regexp(t, `^corp: (less than 1|\d|[1-6]\d) % of the exposure`, lasts, "what came behind the reading is not covered")
}

// Nor does a forged name of the roll's own put the true log aside.
func TestAForgedNameOfTheRollsCoversNoMore(t *testing.T) {
	s := sampleLogs().fold()
	s.Servers = map[string][]string{"corp": {"ldaps://ldap.example.org:636"}}
	s.Readings[0].Coverage = []credential.LogCoverage{
		{Authority: "corp", Server: "node1", Format: "openldap", Lines: 4000, Logins: 50, Gaps: []credential.LogGap{{From: dayOf(40), To: dayOf(100), Reason: "no-line"}}},
		{Authority: "corp", Server: "ldap", Format: "openldap", Lines: 90, Logins: 1},
	}
	require.Contains(t, coverageOf(s).lines(time.UTC)[0].Words, "corp: 40 % of the exposure is covered")
}

// One server of a log may be called in two ways, or be one that the roll has
// not got: it stands for none of those of which no log is known.
func TestAServerWithoutALogIsNotCoveredByAnotherOnes(t *testing.T) {
	s := sampleLogs().fold()
	s.Servers = map[string][]string{"corp": {"ldaps://ldap1:636", "ldaps://ldap3:636"}}
	r := s.Readings[0]
	r.Coverage[1].Gaps, r.Coverage[2].Gaps = nil, nil
	r.Coverage = append(r.Coverage, credential.LogCoverage{Authority: "corp", Server: "ldap3", NoLog: true, Gaps: []credential.LogGap{{From: dayOf(0), To: dayOf(100), Reason: "no-log"}}})
	require.Equal(t, "corp: 50 % of the exposure is covered (ldap1 openldap, 4000 lines; ldap2 openldap, 400 lines); no log is known of 1 of its 2 servers; none is known to be of ldap3; no server of it is called ldap2, so logs of that name count for none",
		coverageOf(s).lines(time.UTC)[0].Words)
	_, doc := render(t, s, verified)
	require.Contains(t, fmt.Sprint(lanesOf(doc, "picture")), "[Log: corp covers 50 % of the exposure, 1 server without a log 1 × stretch without a record]")

	for name, without := range map[string]string{"LDAP3": "ldap3", "LDAP3.example.org": "ldap3.example.org", "ldap3": "ldap3.example.org"} {
		r.Coverage[len(r.Coverage)-1].Server, s.Servers["corp"][1] = without, "ldaps://"+without+":636"
		later := *r
		later.Coverage = []credential.LogCoverage{{Authority: "corp", Server: name, Format: "openldap", Lines: 9, Logins: 1}}
		s.Readings = append(s.Readings[:1:1], &later)
		line := coverageOf(s).lines(time.UTC)[0].Words
		require.NotContains(t, line, "none is known to be of", "a later reading has it: %s", name)
		require.Contains(t, line, "corp: 100 % of the exposure")
	}
	s.Readings[1].Coverage[0].Server = "ldap3" // whichever name came last
	r.Coverage[len(r.Coverage)-1].Server = "ldap3.example.org"
	s.Servers["corp"] = []string{"ldaps://ldap3.example.org:636", "ldaps://ldap3.example.com:636"}
	require.Contains(t, coverageOf(s).lines(time.UTC)[0].Words, "none is known to be of ldap3.example.org", "it may be the other one")
}

// An authority that came onto the roll behind the reading is in no result.
func TestAnAuthorityOfTheRollThatTheReadingDidNotKnowHasNoLogAtAll(t *testing.T) {
	for _, s := range []*ledger.State{ledger.NewState(), ledger.NewPackedState()} { // a ledger that verifies is read packed
		for index, e := range sampleLogs().all() {
			s.Add(index, e)
		}
		r := s.Readings[0]
		r.Coverage = r.Coverage[:len(r.Coverage)-1] // without vault
		c := coverageOf(s)
		require.Equal(t, "the logs cover 40 % of the exposure; 3 gaps", c.words())
		lines := c.lines(time.UTC)
		require.Len(t, lines, 2)
		require.Equal(t, "vault: no log of it is known", lines[1].Words)
		require.Equal(t, []string{"2022-10-10 00:00:00Z to 2023-01-18 00:00:00Z (no-log)"}, lines[1].Gaps)
	}
}

// A watch follows logs, and covers nothing of what was before it.
func TestOfAWatchAloneNoAuthorityIsSaidToHaveNoLog(t *testing.T) {
	s := sampleLogs().fold()
	r := s.Readings[0]
	r.Follows, r.SHA256, r.Coverage = true, "", nil
	c := coverageOf(s)
	require.Empty(t, c.lines(time.UTC))
	require.Equal(t, "the logs cover no part of the exposure that is known", c.words())
}

func TestAReadingThatIsRecordedLaterMakesTheExposureNoLonger(t *testing.T) {
	s := sampleLogs().fold()
	r := s.Readings[0]
	r.Windows = []credential.Interval{{From: dayOf(0)}}
	before := coverageOf(s).exposed
	later := *r
	later.ID, later.Ledger, later.ReadAt = "later", "esg-01-evidence", r.ReadAt.Add(1000*time.Hour)
	s.Readings = append(s.Readings, &later)
	require.Equal(t, before, coverageOf(s).exposed)
}

func TestWithoutLogsNothingIsSaidOfThem(t *testing.T) {
	s := sample(true).fold()
	require.Nil(t, logsOf(s, 1))
	var doc, page bytes.Buffer
	require.NoError(t, JSON(&doc, s, verified))
	require.NoError(t, HTML(&page, s, verified, noon))
	require.NotContains(t, doc.String(), `"logs"`)
	require.NotContains(t, page.String(), "By the logs")
}

func TestAShareIsNeverSaidToBeMoreThanItIs(t *testing.T) {
	day := 24 * time.Hour
	for _, row := range []struct {
		part, whole time.Duration
		says        string
	}{{0, 0, "no part"}, {0, day, "0 %"}, {time.Second, day, "less than 1 %"}, {day - time.Second, day, "99 %"}, {day, day, "100 %"}} {
		require.Equal(t, row.says, percent(row.part, row.whole))
	}
}

func TestASignOfOneSecondHasOneTime(t *testing.T) {
	s := credential.Sign{Code: "used-elsewhere", Grade: credential.Probable, Rule: "new-place", Count: 2, First: dayOf(1), Last: dayOf(1).Add(300 * time.Millisecond)}
	require.Equal(t, "probable, used-elsewhere, 2 times, 2022-10-11 00:00:00Z, by rule new-place", SignLine(s, time.UTC))
}

// Of a reading that died half way findings may be missing: it covers nothing,
// and no report calls that nothing found.
func TestAReadingThatNeverEndedCoversNothingAndIsSaid(t *testing.T) {
	whole := sampleLogs()
	l := &log{}
	for _, e := range whole.entries {
		if e.Event != ledger.ReadingEnded && e.Event != ledger.SignFound {
			l.entries = append(l.entries, e)
		}
	}
	s := l.fold()
	var text, page, doc bytes.Buffer
	require.NoError(t, Text(&text, s, verified, 400))
	require.NoError(t, HTML(&page, s, verified, noon))
	require.NoError(t, JSON(&doc, s, verified))
	for _, says := range []string{
		"no sign of use in what the logs cover; 1 reading of logs never ended, so findings may be missing; the logs cover 0 % of the exposure; 2 gaps",
		"begun at 2026-11-23 12:00:01Z and never ended: findings of it may be missing, and it covers nothing", "corp: no log of it is known from a reading that ended",
	} {
		require.Contains(t, text.String(), says)
		require.Contains(t, page.String(), says)
	}
	var d Document
	require.NoError(t, json.Unmarshal(doc.Bytes(), &d))
	require.True(t, d.Logs.Readings[0].NeverEnded)
	require.NotContains(t, page.String(), "has lines throughout")
	doc.Reset()
	require.NoError(t, JSON(&doc, whole.fold(), verified))
	require.NotContains(t, doc.String(), "never_ended")
}
