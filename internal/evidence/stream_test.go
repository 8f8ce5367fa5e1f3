package evidence

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/logs"
)

// On 30 October 2022 clocks in Berlin went back from 3 to 2 at 01:00 UTC: what
// is followed in that hour is held against both, also where the death is known
// later.
func TestATryInTheHourThatComesTwiceIsToldByAWatchAsBoth(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	utc := func(hour, minute int) time.Time { return time.Date(2022, 10, 30, hour, minute, 0, 0, time.UTC) }
	format, err := logs.Named("sshd")
	require.NoError(t, err)
	for died, want := range map[time.Time]string{
		utc(0, 10): "probable tried-after-rotation []", utc(0, 50): "possible tried-after-rotation [hour-came-twice]",
		utc(1, 20): "possible tried-after-rotation [hour-came-twice]", utc(1, 40): "",
	} {
		for _, later := range []bool{false, true} {
			o := byLogin(optionsFor())
			o.Zone = zone
			o.Judge.Windows = []judge.Window{{From: utc(0, 0).AddDate(0, -1, 0), To: utc(0, 0)}}
			o.Judge.Usual = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
			if o.Judge.Fold == nil {
				o.Judge.Fold = newFolder().fold
			}
			all := slices.Clone(o.Judge.Credentials)
			all[0].Rotated = died
			if !later {
				o.Judge.Credentials = all
			}
			live := judge.NewLive(o.Judge, time.Minute, judge.Memory{}, utc(2, 0))
			s := NewStream(o, File{Path: "log", Authority: "corp"}, format, func() time.Time { return utc(2, 0) }, live.Add)
			s.Line([]byte("Oct 30 02:30:00 h sshd[7]: Failed password for svc from 203.0.113.9 port 5 ssh2"), event.Place{File: "log", Line: 1}, false)
			if later {
				live.Roll(all)
			}
			alerts, _ := live.Due(utc(2, 0), true)
			got := ""
			for _, a := range alerts {
				got += fmt.Sprint(a.Grade, " ", a.Code, " ", a.Doubts)
			}
			require.Equal(t, want, got, "dead at %s, known later: %v", died, later)
		}
	}
}

// Who may write into a syslog says at which times he likes.
func TestWhatIsKeptOfALogThatIsFollowedGrowsByNoTimes(t *testing.T) {
	format, err := logs.Named("openldap")
	require.NoError(t, err)
	s := NewStream(Options{Quiet: time.Second}, File{Path: "log"}, format, time.Now, func(event.Event) {})
	kept := func(lines int) int {
		for i := range lines {
			at := time.Now().UTC().Add(-time.Duration(i) * 48 * time.Hour)
			s.Line(fmt.Appendf(nil, "%s ldap1 slapd[7]: conn=1 fd=1 closed", at.Format(time.RFC3339)), event.Place{File: "log", Line: i}, false)
		}
		return len(fmt.Sprintf("%v", *s.of.sources[0]))
	}
	few := kept(10)
	require.Less(t, kept(1000), few+few/2)
}
