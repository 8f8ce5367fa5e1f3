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

func TestLinesThatAreWrittenAtEveryLevelCoverNothing(t *testing.T) {
	text := session(hour(10), "ldap1", 1000, "198.51.100.1", "uid=svc,dc=x", 0)
	for m := range 9 * 6 {
		text += syslog(hour(10).Add(time.Duration(m+1)*10*time.Minute), "ldap1", "do_syncrep2: rid=001 LDAP_RES_INTERMEDIATE - SYNC_ID_SET")
	}
	r, err := Read(t.Context(), optionsFor(write(t, "a.log", text+session(hour(19), "ldap1", 1001, "198.51.100.1", "uid=svc,dc=x", 0))))
	require.NoError(t, err)
	require.Len(t, r.Sources, 1)
	var reasons []judge.GapReason
	for _, g := range r.Sources[0].Gaps {
		reasons = append(reasons, g.Reason)
		require.NotEmpty(t, g.Ask)
	}
	require.Equal(t, []judge.GapReason{judge.NotLogged, judge.AfterLast}, reasons)
	require.True(t, r.Sources[0].Gaps[0].From.Equal(hour(10)))
	require.True(t, r.Sources[0].Gaps[0].To.Equal(hour(19)))
	require.Equal(t, 2*4+9*6, r.Sources[0].Lines)
}

// A server that starts writes such lines before the first login: what is before
// them is before the log.
func TestWhatIsLongBeforeTheFirstLineIsNotCalledNotLogged(t *testing.T) {
	starts := func(from, minutes int) (text string) {
		for m := 0; m <= minutes; m += 10 {
			text += syslog(hour(from).Add(time.Duration(m)*time.Minute), "ldap1", "slapd starting")
		}
		return text
	}
	login := session(hour(15), "ldap1", 1000, "198.51.100.1", "uid=svc,dc=x", 0)
	for name, row := range map[string]struct {
		text string
		want string
	}{
		"moments":        {syslog(hour(15).Add(-time.Second), "ldap1", "slapd starting") + login, "10-15 before-first-line, 15-20 after-last-line"},
		"hours":          {starts(13, 119) + login, "10-13 before-first-line, 13-15 logins-not-logged, 15-20 after-last-line"},
		"hours, behind":  {login + starts(15, 120), "10-15 before-first-line, 15-17 logins-not-logged, 17-20 after-last-line"},
		"all of a night": {starts(10, 299) + login + starts(15, 300), "10-15 logins-not-logged, 15-20 logins-not-logged"},
	} {
		r, err := Read(t.Context(), optionsFor(write(t, "a.log", row.text)))
		require.NoError(t, err, name)
		var got []string
		for _, g := range r.Sources[0].Gaps {
			got = append(got, fmt.Sprintf("%d-%d %s", g.From.UTC().Hour(), g.To.UTC().Hour(), g.Reason))
			require.Equal(t, g.Reason.Question(), g.Ask)
		}
		require.Equal(t, row.want, strings.Join(got, ", "), name)
	}
}

func TestALogOfFailuresAloneAndOneThatLostLinesSaySo(t *testing.T) {
	text := ""
	for n := range 60 {
		text += said(hour(10).Add(time.Duration(n)*10*time.Minute), "sshd[9]", "Failed password for svc from 198.51.100.1 port 5 ssh2")
	}
	text += said(hour(11), "rsyslogd", "imuxsock[pid 99]: begin to drop messages due to rate-limiting") +
		said(hour(11), "systemd-journald[1]", "Suppressed 5000 messages from slapd.service") + said(hour(11), "rsyslogd", "start")
	o := byLogin(optionsFor(write(t, "auth.log", text)))
	o.Year = 2026
	r, err := Read(t.Context(), o)
	require.NoError(t, err)
	require.Len(t, r.Sources, 1)
	got := map[event.Note]int{}
	for _, n := range r.Sources[0].Notes {
		got[n.Note] = n.Count
	}
	require.Equal(t, map[event.Note]int{event.NoneLetIn: 1, event.LinesLost: 2}, got)
}

func TestLinesThatWereLostBeforeTheFirstOfAServerAreCounted(t *testing.T) {
	text := many(3, "rsyslogd", "imuxsock[pid 99]: begin to drop messages due to rate-limiting") + many(1, "sshd[9]", "Accepted password for svc from 198.51.100.1 port 5 ssh2")
	r, err := Read(t.Context(), byLogin(optionsFor(write(t, "auth.log", text))))
	require.NoError(t, err)
	require.Len(t, r.Sources, 1)
	require.Equal(t, []judge.Noted{{Note: event.LinesLost, Count: 3, First: event.Place{File: r.Logs[0].File, Line: 1}}}, r.Sources[0].Notes)
	require.Equal(t, 4, r.Sources[0].Lines)
}

// rsyslog takes digits or a date at the head of a line for a count of bytes,
// and swallows the records behind it into one: that one is never passed over as
// another program's.
func TestARecordThatSwallowedOthersIsNotUnderstood(t *testing.T) {
	for name, text := range map[string]string{
		"openldap": "slapd[7]: conn=1001 op=0 RESULT tag=97 err=0 text=",
		"dovecot":  "dovecot: imap-login: Login: user=<bob>, method=PLAIN, rip=203.0.113.1, lip=192.0.2.2, mpid=1, session=<x>",
		"sshd":     "sshd[7]: Accepted password for bob from 203.0.113.1 port 4 ssh2",
	} {
		head := hour(11).Format(time.RFC3339) + " ldap1 "
		log := head + "slapd[7]: conn=1000 fd=1 ACCEPT from IP=203.0.113.1:5 (IP=x)\n" +
			head + "OK was expected#012<38>" + head + text + "#012<38>" + head + text + "\n" + head + text + "\n"
		r, err := Read(t.Context(), optionsFor(write(t, name, log)))
		require.NoError(t, err, name)
		unreadable := 0
		for _, s := range r.Sources {
			unreadable += s.Unreadable
			for _, at := range s.Where {
				require.Equal(t, 2, at.Line, name)
			}
		}
		require.Positive(t, unreadable, name)
	}
}
