package ledger

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

var (
	readAt   = time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC)
	windowed = credential.Interval{From: time.Date(2022, 10, 10, 0, 0, 0, 0, time.UTC)}
	someDay  = func(n int) time.Time { return windowed.From.AddDate(0, 0, n) }
)

// evidenceStory is a campaign whose logs have signs of two of its credentials,
// with nothing wrong.
func evidenceStory() []Entry {
	s := story()
	sign := func(n int, code string, grade credential.Grade) credential.Sign {
		return credential.Sign{Code: code, Grade: grade, Rule: "new-place", Findings: 1, Count: 12, First: someDay(n), Last: someDay(n + 1), Outcome: "accepted",
			Addresses: []string{"192.0.2.7"}, At: &credential.LogPlace{Log: 2, Name: "mail.log", Line: 1234}}
	}
	of := credential.LogReading{Source: "logs", SHA256: strings.Repeat("0f", 32), ReadAt: readAt, Windows: []credential.Interval{windowed}}
	logs := []credential.ReadLog{
		{Number: 1, Name: "slapd.log", SHA256: strings.Repeat("a1", 32), Size: 1 << 33, Format: "openldap", Authority: "corp", Lines: 40, NotRead: 1, First: someDay(0), Last: someDay(9)},
		{Number: 2, Name: "mail.log", SHA256: strings.Repeat("b2", 32), Size: 9, Format: "dovecot", Lines: 2000, First: someDay(0), Last: someDay(9)},
	}
	coverage := []credential.LogCoverage{
		{Authority: "corp", Format: "openldap", Lines: 40, Gaps: []credential.LogGap{{From: someDay(1), To: someDay(2), Reason: "no-line"}, {From: someDay(9), To: readAt, Reason: "after-last-line"}}},
		{Authority: "vault", NoLog: true, Gaps: []credential.LogGap{{From: someDay(0), To: readAt, Reason: "no-log"}}},
	}
	elsewhere := []credential.Sign{{Code: "not-on-roll", Grade: credential.Possible, Findings: 7, Count: 70, First: someDay(1), Last: someDay(2)}}
	read := credential.LogsRead{ID: "r1", Of: of, Logs: logs, Coverage: coverage, Elsewhere: elsewhere, Counts: credential.ReadingCounts{Logs: 2, Coverage: 2, Signs: 3, Credentials: 2, Elsewhere: 7}}
	before, last := ReadingEntries(campaign, read, readAt)
	about := func(n int, signs ...credential.Sign) credential.Credential {
		c := credential.Credential{ID: listed(n).Credential, Name: listed(n).Name}
		for _, s := range signs {
			c.Signs = append(c.Signs, credential.SignOf{Reading: "r1", Sign: s})
		}
		return c
	}
	entries := append(s[:4:4], before...)
	entries = append(entries, SignEntries(campaign, about(0, sign(3, "used-elsewhere", credential.Probable), sign(1, "account-changed", credential.Possible)), readAt)...)
	entries = append(entries, SignEntries(campaign, about(1, sign(2, "used-elsewhere", credential.Confirmed)), readAt)...)
	return append(append(entries, last), s[4:]...)
}

func TestWhatLogsShowIsReadFromTheEntries(t *testing.T) {
	for _, s := range []*State{NewState(), NewPackedState()} {
		for i, e := range evidenceStory() {
			s.Add(uint64(i), withTime(e))
		}
		require.Len(t, s.Readings, 1)
		r := s.Readings[0]
		require.Equal(t, []any{"r1", "logs", 2, 2, 7}, []any{r.ID, r.Source, len(r.Logs), len(r.Coverage), r.Elsewhere[0].Findings})
		require.Equal(t, 3, r.Counts.Signs)
		first := s.Credential(listed(0).Credential)
		require.Len(t, first.Signs, 2)
		require.Equal(t, []any{"used-elsewhere", credential.Probable, 12}, []any{first.Worst().Code, first.Worst().Grade, first.Worst().Count})
		require.Nil(t, s.Credential(listed(2).Credential).Worst(), "no record, which is not: not used")
		require.True(t, s.ReadFirst())
	}
}

func TestAnEntryOfLogsIsALineForPeople(t *testing.T) {
	var text strings.Builder
	for i, e := range evidenceStory()[4:14] {
		require.NoError(t, WriteText(&text, uint64(i), withTime(e)))
	}
	for _, says := range []string{"of source logs", "sha256 " + strings.Repeat("b2", 32), "2 mail.log (dovecot)", "gap 2022-10-11T00:00:00Z to 2022-10-12T00:00:00Z (no-line)", "no log of vault",
		"confirmed  used-elsewhere  by rule new-place  12 times", "from 192.0.2.7  mail.log:1234", "possible  not-on-roll  7 findings", "logs 2, coverage 2, signs 3 of credentials 2, elsewhere 7"} {
		require.Contains(t, text.String(), says)
	}
}

// Each edit is signed: it is what a holder of the signing right could have
// written instead.
func TestVerifyReadsWhatLogsShowForGaps(t *testing.T) {
	const (
		began, log1, log2, covers1, covers2, counted, sign0, sign0b, sign1, ended, rollClosed = 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
	)
	without := func(n int) func([]Entry) []Entry {
		return func(s []Entry) []Entry { return append(s[:n:n], s[n+1:]...) }
	}
	with := func(change func(s []Entry)) func([]Entry) []Entry {
		return func(s []Entry) []Entry { change(s); return s }
	}
	behind := func(n, to int) func([]Entry) []Entry {
		return func(s []Entry) []Entry {
			moved := s[n]
			s = append(s[:n:n], s[n+1:]...)
			return append(s[:to:to], append([]Entry{moved}, s[to:]...)...)
		}
	}
	more := func(e Entry) func([]Entry) []Entry { return func(s []Entry) []Entry { return append(s, e) } }
	second := func(id string, of *credential.LogReading) Entry {
		return Entry{ID: EntryID(campaign, "", id, ReadingBegun), Event: ReadingBegun, Actor: "bo", Detail: "an older log came", Reading: &Reading{ID: id, Of: of}}
	}
	for _, c := range []struct {
		name  string
		edit  func([]Entry) []Entry
		index int64
		what  string
	}{
		{"nothing wrong", func(s []Entry) []Entry { return s }, 0, ""},
		{"its beginning left out", without(began), began, "evidence-log of reading r1, which never began"},
		{"a log left out", without(log1), log1, "log 2 of reading r1 follows 0"},
		{"the last log left out", without(log2), sign0 - 1, "in log 2 (mail.log), of which no entry stands before it"},
		{"coverage left out", without(covers2), ended - 1, "ended with 2 logs, 2 coverages, 3 signs, 2 credentials, 7 findings elsewhere, and the entries tell of 2 logs, 1 coverage"},
		{"a count of what is elsewhere left out", without(counted), ended - 1, "tell of 2 logs, 2 coverages, 3 signs, 2 credentials, 0 findings elsewhere"},
		{"a finding left out", without(sign1), ended - 1, "tell of 2 logs, 2 coverages, 2 signs, 1 credential"},
		{"one finding of two left out", without(sign0b), ended - 1, "tell of 2 logs, 2 coverages, 2 signs, 2 credentials"},
		{"its end left out", without(ended), rollClosed - 1, "reading r1 of logs (entry 4) never ended"},
		{"its end without a count", with(func(s []Entry) { s[ended].Reading.Counts = nil }), ended, "ended without a count"},
		{"a finding behind its end", behind(sign1, ended), ended, "evidence-finding of reading r1, which entry 12 ended"},
		{"a log behind its end", more(Entry{ID: "x", Event: LogRead, Reading: &Reading{ID: "r1", Log: &credential.ReadLog{Number: 3, Name: "x"}}}), 22, "evidence-log of reading r1, which entry 13 ended"},
		{"a finding of no reading", with(func(s []Entry) { s[sign0].Reading = nil }), sign0, "does not say of which reading"},
		{"a finding of another reading", with(func(s []Entry) { s[sign0].Reading.ID = "r2" }), sign0, "of reading r2, which never began"},
		{"a finding of what is not on the roll", with(func(s []Entry) { s[sign0].Credential = listed(7).Credential }), sign0, "this credential is not on the roll"},
		{"a finding that is moved before the listing", behind(sign0, 1), 1, "evidence-finding of reading r1, which never began"},
		{"a digest of a log cut short", with(func(s []Entry) { s[log1].Reading.Log.SHA256 = "a1" }), log1, "(slapd.log) has no SHA-256"},
		{"a digest of a log taken out", with(func(s []Entry) { s[log2].Reading.Log.SHA256 = "" }), log2, "(mail.log) has no SHA-256"},
		{"a digest in capitals", with(func(s []Entry) { s[log1].Reading.Log.SHA256 = strings.Repeat("A1", 32) }), log1, "has no SHA-256"},
		{"the digest of what was read taken out", with(func(s []Entry) { s[began].Reading.Of.SHA256 = "" }), began, "reading r1 has no SHA-256"},
		{"no time of the reading", with(func(s []Entry) { s[began].Reading.Of.ReadAt = time.Time{} }), began, "does not say when the logs were read"},
		{"a beginning of nothing", with(func(s []Entry) { s[began].Reading.Of = nil }), began, "does not say of what"},
		{"a second beginning", func(s []Entry) []Entry {
			again := second("r1", &credential.LogReading{SHA256: strings.Repeat("0f", 32), ReadAt: readAt})
			again.ID = "again"
			return append(s, again)
		}, 22, "began a second time: entry 4 began it"},
		{"a folder of the operator's in a log's name", with(func(s []Entry) { s[log1].Reading.Log.Name = "/home/jo/slapd.log" }), log1, "has no name, or that of a folder"},
		{"a log that ends before it begins", with(func(s []Entry) { s[log1].Reading.Log.Last = someDay(-1) }), log1, "ends before it begins"},
		{"less than no lines not understood", with(func(s []Entry) { s[log1].Reading.Log.NotRead = -1 }), log1, "less than no lines"},
		{"another log's name", with(func(s []Entry) { s[sign0].Reading.Sign.At.Name = "slapd.log" }), sign0, "in log 2 (slapd.log), of which no entry"},
		{"a line that the log has not got", with(func(s []Entry) { s[sign0].Reading.Sign.At.Line = 2001 }), sign0, "in line 2001 of mail.log, which has 2000 lines"},
		{"no line", with(func(s []Entry) { s[sign0].Reading.Sign.At = nil }), sign0, "without a line of a log"},
		{"no address", with(func(s []Entry) { s[sign0].Reading.Sign.Addresses = []string{"mx1"} }), sign0, "from what is no address"},
		{"a grade of its own", with(func(s []Entry) { s[sign0].Reading.Sign.Grade = "certain" }), sign0, `unknown grade "certain"`},
		{"a finding of nothing", with(func(s []Entry) { s[sign0].Reading.Sign.Count = 0 }), sign0, "of nothing"},
		{"a finding that ends before it begins", with(func(s []Entry) { s[sign0].Reading.Sign.Last = someDay(0) }), sign0, "ends before it begins"},
		{"a finding that says nothing", with(func(s []Entry) { s[sign0].Reading.Sign = nil }), sign0, "does not say which"},
		{"a name of what is not on the roll", with(func(s []Entry) { s[counted].Name = "uid=bystander" }), counted, "says more than a count"},
		{"an address of what is not on the roll", with(func(s []Entry) { s[counted].Reading.Sign.Addresses = []string{"192.0.2.7"} }), counted, "says more than a count"},
		{"a gap in no window", with(func(s []Entry) { s[covers1].Reading.Coverage.Gaps[0].From = someDay(-5) }), covers1, "is in no window"},
		{"a gap behind the reading", with(func(s []Entry) { s[covers2].Reading.Coverage.Gaps[0].To = readAt.Add(time.Hour) }), covers2, "is in no window"},
		{"gaps out of order", with(func(s []Entry) {
			g := s[covers1].Reading.Coverage.Gaps
			g[0], g[1] = g[1], g[0]
		}), covers1, "not in order"},
		{"coverage of nothing", with(func(s []Entry) { s[covers1].Reading.Coverage = nil }), covers1, "does not say of what"},
		{"no log of nobody", with(func(s []Entry) { s[covers2].Reading.Coverage.Authority = "" }), covers2, "an authority that it does not name"},
		{"a log that says nothing", with(func(s []Entry) { s[log1].Reading.Log = nil }), log1, "does not say which"},
		{"a second reading while it runs, which ended", func(s []Entry) []Entry {
			before, last := ReadingEntries(campaign, credential.LogsRead{ID: "r2", Of: credential.LogReading{SHA256: strings.Repeat("1e", 32), ReadAt: readAt}}, readAt)
			at := rollClosed + 2
			return append(s[:at:at], append(append(before, last), s[at:]...)...)
		}, 0, ""},
		{"a second reading while it runs, which never ended", func(s []Entry) []Entry {
			at := rollClosed + 2
			return append(s[:at:at], append([]Entry{second("r2", &credential.LogReading{SHA256: strings.Repeat("1e", 32), ReadAt: readAt})}, s[at:]...)...)
		}, 22, "reading r2 of logs (entry 16) never ended"},
		{"logs that are followed, which need no end and have no digest", func(s []Entry) []Entry {
			at := rollClosed + 2
			follows := second("w1", &credential.LogReading{ReadAt: readAt, Follows: true})
			log := Entry{ID: "w1.1", Event: LogRead, Reading: &Reading{ID: "w1", Log: &credential.ReadLog{Number: 1, Name: "slapd.log", Format: "openldap"}}}
			found := s[sign0]
			found.ID, found.Reading = "w1.2", &Reading{ID: "w1", Sign: s[sign0].Reading.Sign}
			sign := *found.Reading.Sign
			sign.At = &credential.LogPlace{Log: 1, Name: "slapd.log", Line: 5_000_000}
			found.Reading.Sign = &sign
			return append(s[:at:at], append([]Entry{follows, log, found}, s[at:]...)...)
		}, 0, ""},
		{"logs that are followed, with a digest", more(second("w1", &credential.LogReading{ReadAt: readAt, Follows: true, SHA256: strings.Repeat("1e", 32)})), 22, "reading w1 has no SHA-256"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rep, quick := &Report{Campaign: campaign}, &Report{Campaign: campaign}
			whole, little := newAudit(rep), newQuickAudit(quick, 64)
			for i, e := range c.edit(evidenceStory()) {
				e = withTime(e)
				e.Campaign = campaign
				whole.take(int64(i), &e, true)
				little.take(int64(i), &e, true)
			}
			whole.finish()
			little.finish()
			require.Equal(t, fmt.Sprint(rep.Problems), fmt.Sprint(quick.Problems))
			if c.what == "" {
				require.Empty(t, rep.Problems)
				return
			}
			require.True(t, rep.says(c.index, c.what), "%+v", rep.Problems)
		})
	}
}

func TestALedgerWithWhatLogsShowVerifiesFromItsFiles(t *testing.T) {
	f := newFixture(t)
	l := f.open(t)
	_, err := l.Append(t.Context(), evidenceStory())
	require.NoError(t, err)
	rep, err := Verify(t.Context(), f.dir, f.vkey, f.vault.last())
	require.NoError(t, err)
	require.Empty(t, rep.Problems)
	require.Equal(t, []VerifiedReading{{ID: "r1", SHA256: strings.Repeat("0f", 32), Logs: 2, Signs: 3, Credentials: 2}}, rep.Readings)
}
