package evidence

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
)

// sshd is a line of a syslog without a year.
func sshd(at, text string) string { return at + " h sshd[7]: " + text + "\n" }

const letIn = "Accepted password for svc from 203.0.113.9 port 5 ssh2"

// yearless are options for lines of a syslog without years, of 2022.
func yearless(t *testing.T, lines ...string) Options {
	o := byLogin(optionsFor(write(t, "auth.log", strings.Join(lines, ""))))
	o.Year, o.Zone = 2022, time.UTC
	o.Judge.Windows = []judge.Window{{From: time.Date(2022, 10, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2023, 2, 1, 0, 0, 0, 0, time.UTC)}}
	o.Judge.Now = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return o
}

// Whoever can write into a syslog can write any month.
func TestLinesOfOtherMonthsMoveTheYearOfNoOtherLine(t *testing.T) {
	for name, row := range map[string]struct {
		lines []string
		want  string // first times of uses
	}{
		"two forged lines":      {[]string{sshd("Nov 10 10:00:00", "x"), sshd("Mar  1 10:00:00", "x"), sshd("Jul  1 10:00:00", "x"), sshd("Nov 10 10:05:00", letIn)}, "2022-11-10"},
		"a walk into next year": {[]string{sshd("Nov 10 10:00:00", "x"), sshd("Dec 31 10:00:00", "x"), sshd("Feb  1 10:00:00", "x"), sshd("Apr  1 10:00:00", "x"), sshd("Jun  9 10:00:00", "x"), sshd("Nov 11 10:05:00", letIn)}, "2022-11-11"},
		"the turn of a year":    {[]string{sshd("Dec 31 23:59:59", "x"), sshd("Jan  1 00:00:01", letIn)}, "2023-01-01"},
		"and a late line of it": {[]string{sshd("Dec 31 23:59:59", "x"), sshd("Jan  1 00:00:01", "x"), sshd("Dec 31 23:59:58", letIn)}, "2022-12-31"},
		"from before the first": {[]string{sshd("Nov 10 10:00:00", "x"), sshd("Oct 20 10:05:00", letIn)}, "2022-10-20"},
		"ten months on":         {[]string{sshd("Feb 10 10:00:00", "x"), sshd("Dec 20 10:05:00", letIn)}, "2022-12-20"},
	} {
		r, err := Read(t.Context(), yearless(t, row.lines...))
		require.NoError(t, err, name)
		require.Len(t, r.Findings, 1, name)
		require.Equal(t, row.want, r.Findings[0].First.Format(time.DateOnly), name)
	}
}

// Of what goes round, and of a file that begins with a line of another year,
// nobody but the operator knows the years.
func TestAFileOfWhichTheYearCannotBeToldIsRefusedWithItsLine(t *testing.T) {
	var round []string
	for month := range 11 {
		round = append(round, sshd(time.Date(2022, time.Month(month+1), 3, 10, 0, 0, 0, time.UTC).Format(time.Stamp), "x"))
	}
	round = append(round, strings.Repeat(sshd("Jan  5 10:00:00", letIn), 4))
	first := []string{sshd("Jan  5 10:00:00", "x"), strings.Repeat(sshd("Dec 20 10:00:00", letIn), 20)}
	for says, lines := range map[string][]string{
		"line 15: its time has no year that can be told: the file goes on to Nov  3 10:00:00 (line 11) and back to Jan  5 10:00:00": round,
		"line 12: its time has no year that can be told: the file's first line is of Jan  5 10:00:00":                               first,
	} {
		o := yearless(t, lines...)
		_, err := Read(t.Context(), o)
		require.ErrorContains(t, err, o.Files[0].Path+" "+says)
	}
	r, err := Read(t.Context(), yearless(t, append(round[:11:11], sshd("Jan  5 10:00:00", letIn), sshd("Nov  3 10:00:00", "x"))...))
	require.NoError(t, err, "one such line is none that is understood, and stops no reading")
	require.Equal(t, "0 1", fmt.Sprint(len(r.Findings), " ", r.Sources[0].Unreadable))
}

// On 30 October 2022 clocks in Berlin went back from 3 to 2 at 01:00 UTC.
func TestATimeInTheHourThatComesTwiceIsHeldAgainstBothAndCoversNeither(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	utc := func(hour, minute int) time.Time { return time.Date(2022, 10, 30, hour, minute, 0, 0, time.UTC) }
	const tried = "Failed password for svc from 203.0.113.9 port 5 ssh2"
	for died, want := range map[time.Time]string{
		utc(0, 10): "probable tried-after-rotation []", utc(0, 50): "possible tried-after-rotation [hour-came-twice]",
		utc(1, 20): "possible tried-after-rotation [hour-came-twice]", utc(1, 40): "",
	} {
		o := yearless(t, sshd("Oct 30 01:50:00", "x"), sshd("Oct 30 02:30:00", tried), sshd("Oct 30 03:05:00", "x"))
		o.Zone = zone
		o.Files[0].Authority, o.Files[0].Server = "corp", "h"
		o.Judge.Credentials[0].Rotated = died
		r, err := Read(t.Context(), o)
		require.NoError(t, err)
		got := ""
		for _, f := range r.Findings {
			got += fmt.Sprint(f.Grade, " ", f.Code, " ", f.Doubts)
		}
		require.Equal(t, want, got, "dead at %s", died)
		s := r.Sources[0]
		require.Len(t, s.Gaps, 3)
		require.Equal(t, judge.Gap{From: time.Date(2022, 10, 30, 1, 50, 0, 0, zone), To: utc(2, 5).In(zone), Reason: judge.HourTwice, Ask: judge.HourTwice.Question()}, s.Gaps[1])
		require.Equal(t, fmt.Sprint(event.HourTwice, " 1 2"), fmt.Sprint(s.Notes[0].Note, " ", s.Notes[0].Count, " ", s.Notes[0].First.Line))
	}
}

// A login that may have been within the window is none from which a usual place
// is learned: it may be the intruder's.
func TestALoginInTheHourThatComesTwiceMakesNoPlaceUsualWhereItMayBeWithinTheWindow(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for begins, want := range map[time.Time]string{
		time.Date(2022, 10, 30, 1, 20, 0, 0, time.UTC): "possible used-elsewhere no-usual-places 2 [named-by-login hour-came-twice]",
		time.Date(2022, 10, 30, 1, 50, 0, 0, time.UTC): "",
	} {
		o := yearless(t, sshd("Oct 30 01:50:00", "x"), sshd("Oct 30 02:30:00", letIn), sshd("Oct 30 10:00:00", letIn))
		o.Zone = zone
		o.Judge.Windows[0].From = begins
		r, err := Read(t.Context(), o)
		require.NoError(t, err)
		var got []string
		for _, f := range r.Findings {
			got = append(got, fmt.Sprint(f.Grade, " ", f.Code, " ", f.Rule, " ", f.Count, " ", f.Doubts))
		}
		require.Equal(t, want, strings.Join(got, ", "), "a window from %s", begins)
	}
}

// A line of an hour that was not there is of another zone.
func TestATimeOfAnHourThatClocksWentOverIsNotUnderstood(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	o := yearless(t, sshd("Mar 27 01:30:00", "x"), sshd("Mar 27 02:30:00", letIn), sshd("Mar 27 03:30:00", "x"))
	o.Zone = zone
	r, err := Read(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, "0 1", fmt.Sprint(len(r.Findings), " ", r.Sources[0].Unreadable))
	o = yearless(t, sshd("Mar 27 01:30:00", "x"), strings.Repeat(sshd("Mar 27 02:30:00", letIn), mostAlone+1))
	o.Zone = zone
	_, err = Read(t.Context(), o)
	require.ErrorContains(t, err, "its time has no hour that there was: in Europe/Berlin clocks went ahead over it on 2022-03-27. Is --zone that of the log?")
}
