package logs

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
)

func TestATimeWithoutAYearThatIsReadAsItIsWrittenIsTheLastSuchOne(t *testing.T) {
	for _, row := range []struct{ now, log, want string }{
		{"2026-11-30T12:00:00Z", "Nov 30 11:59:00", "2026-11-30T11:59:00Z"},
		{"2026-11-30T12:00:00Z", "Nov 30 12:05:00", "2026-11-30T12:05:00Z"}, // its clock is ahead
		{"2026-11-30T12:00:00Z", "Dec  2 12:00:00", "2025-12-02T12:00:00Z"}, // read from its beginning
		{"2027-01-01T00:00:05Z", "Dec 31 23:59:58", "2026-12-31T23:59:58Z"},
		{"2026-12-31T23:59:58Z", "Jan  1 00:00:05", "2027-01-01T00:00:05Z"},
		{"2027-03-01T00:00:00Z", "Feb 29 12:00:00", "2024-02-29T12:00:00Z"},
	} {
		now, err := time.Parse(time.RFC3339, row.now)
		require.NoError(t, err)
		p := newOpenLDAP(Options{Clock: NewLiveClock(time.UTC, func() time.Time { return now })})
		_, at, err := p.Line([]byte(row.log+" h slapd[1]: conn=1 fd=1 closed"), event.Place{File: "log", Line: 1})
		require.NoError(t, err)
		require.Equal(t, row.want, at.Format(time.RFC3339), row.log)
	}
	p := newOpenLDAP(Options{Clock: NewLiveClock(nil, time.Now)})
	_, _, err := p.Line([]byte("Nov 30 11:59:00 h slapd[1]: conn=1 fd=1 closed"), event.Place{File: "log", Line: 1})
	require.EqualError(t, err, "log line 1: its time has no zone: say it, with --zone")
}

// A connection from before the watch began has no first line any more: a login
// on it must not wait for one for ever, nor be given up while threads may still
// write it.
func TestALoginWhoseConnectionIsNotKnownIsGivenUpAfterAMoment(t *testing.T) {
	at := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	line := func(after time.Duration, text string) string {
		return at.Add(after).Format(time.RFC3339) + " h slapd[1]: " + text
	}
	bind := []string{`conn=5 op=1 BIND dn="uid=svc,dc=x" method=128`, "conn=5 op=1 RESULT tag=97 err=49 text="}
	for name, row := range map[string]struct {
		live  bool
		then  func(p *openLDAP, feed func(string))
		want  string
		notes int
	}{
		"of a log that is whole it waits": {false, func(_ *openLDAP, feed func(string)) { feed(line(time.Minute, "conn=6 fd=9 closed")) }, "[]", 0},
		"a later line gives it up":        {true, func(_ *openLDAP, feed func(string)) { feed(line(time.Minute, "conn=6 fd=9 closed")) }, "[invalid IP]", 1},
		"no line at all, and beats do":    {true, func(p *openLDAP, _ func(string)) { p.Beat(); p.Beat(); p.Beat() }, "[invalid IP]", 1},
		"it waits for a first line":       {true, func(p *openLDAP, _ func(string)) { p.Beat(); p.Beat() }, "[]", 0},
		"and takes the address if it is there": {true, func(p *openLDAP, feed func(string)) {
			p.Beat()
			feed(line(time.Second, "conn=5 fd=9 ACCEPT from IP=203.0.113.1:5 (IP=x)"))
			p.Beat()
			p.Beat()
			p.Beat()
		}, "[203.0.113.1]", 0},
	} {
		var got []string
		notes := 0
		p := newOpenLDAP(Options{Live: row.live, Event: func(e event.Event) { got = append(got, e.Address.String()) }, Note: func(event.Note, event.Place, string) { notes++ }}).(*openLDAP)
		feed := func(text string) {
			_, _, err := p.Line([]byte(text), event.Place{File: "log", Line: 1})
			require.NoError(t, err)
		}
		for _, b := range bind {
			feed(line(0, b))
		}
		row.then(p, feed)
		require.Equal(t, row.want, fmt.Sprint(got), name)
		require.Equal(t, row.notes, notes, name)
	}
}

func TestLoginsThatWaitForTheirConnectionAreBounded(t *testing.T) {
	n := 0
	p := newOpenLDAP(Options{Live: true, Event: func(event.Event) { n++ }, Note: func(event.Note, event.Place, string) {}})
	for i := range maxHeld + 500 {
		for _, text := range []string{`op=1 BIND dn="uid=svc,dc=x" method=128`, "op=1 RESULT tag=97 err=49 text="} {
			_, _, err := p.Line(fmt.Appendf(nil, "2026-11-30T12:00:00Z h slapd[1]: conn=%d %s", i, text), event.Place{File: "log", Line: i})
			require.NoError(t, err)
		}
	}
	require.Equal(t, 500, n)
}
