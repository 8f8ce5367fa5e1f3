package logs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
)

// Each form of a syslog has the same login, of slapd's and of sshd's.
func TestALoginIsReadInEachFormOfASyslog(t *testing.T) {
	at := time.Date(2022, 10, 12, 10, 0, 1, 0, time.UTC)
	for form, head := range map[string]string{
		"RFC 3164": "Oct 12 10:00:01 h P[9]: ", "with a priority": "<167>Oct 12 10:00:01 h P[9]: ", "short-precise": "Oct 12 10:00:01.000000 h P[9]: ",
		"RFC 3339": "2022-10-12T10:00:01+00:00 h P[9]: ", "short-iso to 254": "2022-10-12T10:00:01+0000 h P[9]: ", "short-iso-precise to 254": "2022-10-12T12:00:01.000000+0200 h P[9]: ",
		"short-full": "Wed 2022-10-12 10:00:01 UTC h P[9]: ", "short-full of a zone": "Wed 2022-10-12 10:00:01 CEST h P[9]: ", "short-unix": "1665568801.000000 h P[9]: ",
		"RFC 5424": "<167>1 2022-10-12T10:00:01.000Z h P 9 - - ", "RFC 5424 of rsyslog": "<38>1 2022-10-12T10:00:01Z h P 9 - -  ",
		"RFC 5424 with data":      `<38>1 2022-10-12T12:00:01+02:00 h P 9 ID47 [a@1 x="]"][b y="\"] \\"] ` + "\ufeff",
		"Solaris":                 "Oct 12 10:00:01 h P[9]: [ID 702911 local4.debug] ",
		"a year behind the time":  "Oct 12 10:00:01 2022 h P[9]: ",
		"a year before the month": "2022 Oct 12 10:00:01 h P[9]: ",
		"a year behind the day":   "Oct 12 2022 10:00:01 h P[9]: ",
		"a date with hyphens":     "2022-10-12 10:00:01 h P[9]: ",
	} {
		for program, texts := range map[string][]string{
			"slapd": {"conn=1 fd=1 ACCEPT from IP=192.0.2.1:5 (IP=0.0.0.0:389)", `conn=1 op=0 BIND dn="uid=a,dc=x" mech=SIMPLE ssf=0`, "conn=1 op=0 RESULT tag=97 err=0 text="},
			"sshd":  {"Accepted password for a from 192.0.2.1 port 5 ssh2"},
		} {
			text, before, behind := "", head, ""
			for i := range head {
				if head[i] == 'P' {
					before, behind = head[:i], head[i+1:]
				}
			}
			for _, said := range texts {
				text += before + program + behind + said + "\n"
			}
			format, ok := Recognise([]byte(text[:len(text)-1]))
			require.True(t, ok, form)
			require.True(t, IsSyslog([]byte(text)), form)
			events, _, unreadable := read(t, format.Name, Options{Year: 2022, Zone: time.UTC}, map[string]string{"log": text}, "log")
			require.Empty(t, unreadable, form)
			require.Len(t, events, 1, form)
			e := events[0]
			require.True(t, at.Equal(e.At), "%s: %s", form, e.At)
			require.Equal(t, "h 192.0.2.1 accepted", e.Server+" "+e.Address.String()+" "+string(e.Outcome), form)
		}
	}
	for _, line := range []string{
		"<38>1 - h sshd 9 - - Accepted password for a from 192.0.2.1 port 5 ssh2", `<38>1 2022-10-12T10:00:01Z h sshd 9 - [a x="] Accepted password for a`,
		"Wed 2022-10-12 10:00:01 LOG: x: y", "2022-10-12 10:00:01,285 h proftpd[4298] a (b[192.0.2.1]): USER x", "1665568801 h sshd[9]: x", "Oct 12 10:00:01 h last message repeated 4 times", "a b c d e f: g",
	} {
		require.False(t, IsSyslog([]byte(line)), line)
	}
}

// Letters name several zones: which, the operator says.
func TestAZoneOfLettersIsTheOperatorsToSay(t *testing.T) {
	f, err := Named("sshd")
	require.NoError(t, err)
	_, _, err = f.New(Options{Year: 2022}).Line([]byte("Wed 2022-10-12 10:00:01 IST h sshd[9]: Accepted password for a from 192.0.2.1 port 5 ssh2"), event.Place{File: "log", Line: 1})
	require.ErrorContains(t, err, "its time has no zone: say it, with --zone")
}
