package logs

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/lab"
)

// patience is what anything may take on a busy machine.
const patience = 5 * time.Minute

// try is a login that a test made, as the log should have it.
type try struct {
	account string // folded
	address string
	outcome event.Outcome
}

// logsIn binds from an address of this machine: ldap, ldaps or starttls.
func logsIn(t *testing.T, how, url, ca, from, dn, password string) error {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(ca))
	conf := &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	conn, err := ldap.DialURL(url, ldap.DialWithDialer(dialer), ldap.DialWithTLSConfig(conf))
	require.NoError(t, err)
	defer conn.Close()
	if how == "starttls" {
		require.NoError(t, conn.StartTLS(conf))
	}
	return conn.Bind(dn, password)
}

// done is a change that a test made, as the log should have it.
type done struct {
	by, from      string
	change        event.Change
	target, group string
}

func donesOf(events []event.Event, from string) (out []done) {
	for _, e := range events {
		if e.Change != "" && e.Address.String() == from {
			out = append(out, done{strings.ToLower(e.Account), from, e.Change, strings.ToLower(e.Target), strings.ToLower(e.Group)})
		}
	}
	return out
}

// read gives lines to a parser of the format, and what comes of them.
func read(t *testing.T, format string, o Options, files map[string]string, order ...string) (events []event.Event, notes map[event.Note]int, unreadable []string) {
	f, err := Named(format)
	require.NoError(t, err)
	notes = map[event.Note]int{}
	o.Event = func(e event.Event) { events = append(events, e) }
	o.Note = func(n event.Note, _ event.Place, _ string) { notes[n]++ }
	p := f.New(o)
	for _, name := range order {
		for i, line := range bytes.Split(bytes.TrimSuffix([]byte(files[name]), []byte("\n")), []byte("\n")) {
			v, _, err := p.Line(line, event.Place{File: name, Line: i + 1})
			require.NoError(t, err)
			if v == Unreadable {
				unreadable = append(unreadable, string(line))
			}
		}
	}
	p.Close()
	return events, notes, unreadable
}

func readText(t *testing.T, format, text string) ([]event.Event, map[event.Note]int, []string) {
	return read(t, format, Options{Quiet: time.Hour}, map[string]string{"log": text}, "log")
}

// triesOf are the logins of a log, but for those of the lab itself.
func triesOf(events []event.Event, but ...string) (out []try) {
	for _, e := range events {
		account := strings.ToLower(e.Account)
		skip := e.Change != ""
		for _, b := range but {
			skip = skip || account == strings.ToLower(b)
		}
		if !skip {
			out = append(out, try{account, e.Address.String(), e.Outcome})
		}
	}
	return out
}

func TestWhatSlapdWritesIsReadLineForLine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Stats: true, Accounts: []lab.Account{{UID: "alice", Password: "right"}, {UID: "bob", Password: "right"}}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	alice, bob := s.AccountDN("alice"), s.AccountDN("bob")
	var did []try
	round := func() {
		for _, how := range []struct{ name, url string }{{"ldap", s.LDAP()}, {"starttls", s.LDAP()}, {"ldaps", s.LDAPS()}} {
			require.NoError(t, logsIn(t, how.name, how.url, s.CA, "127.0.0.2", alice, "right"))
			require.Error(t, logsIn(t, how.name, how.url, s.CA, "127.0.0.3", strings.ToUpper(bob), "wrong"))
			did = append(did, try{strings.ToLower(alice), "127.0.0.2", event.Accepted}, try{strings.ToLower(bob), "127.0.0.3", event.Refused})
		}
	}
	round()
	require.NoError(t, s.Restart(ctx)) // numbers begin again
	round()
	require.NoError(t, s.Stop(ctx)) // all is written
	text, err := os.ReadFile(s.LogFile())
	require.NoError(t, err)
	require.Len(t, regexp.MustCompile(`conn=1000 fd=\d+ ACCEPT`).FindAll(text, -1), 2, "slapd begins at 1000 at each start")

	events, notes, unreadable := readText(t, "openldap", string(text))
	// A login whose connection's line comes late is known when that is read.
	require.ElementsMatch(t, did, triesOf(events, s.AdminDN))
	require.Empty(t, unreadable)
	require.Empty(t, notes)
	for _, e := range events {
		require.Empty(t, e.Doubts)
		require.WithinDuration(t, time.Now(), e.At, 10*time.Minute)
		line := strings.Split(string(text), "\n")[e.Line-1]
		require.Contains(t, line, "BIND dn=", "an event is where its login stands")
	}

	t.Run("joined across a rotation in the middle of every connection", func(t *testing.T) {
		for at, c := range string(text) {
			if c != '\n' || at%7 != 0 {
				continue
			}
			halves := map[string]string{"1": string(text[:at+1]), "2": string(text[at+1:])}
			if halves["2"] == "" {
				continue
			}
			events, notes, _ := read(t, "openldap", Options{Quiet: time.Hour}, halves, "1", "2")
			require.ElementsMatch(t, did, triesOf(events, s.AdminDN))
			require.Empty(t, notes)
		}
	})
	t.Run("the first file is missing: no address is made up", func(t *testing.T) {
		first := regexp.MustCompile(`conn=(\d+) op=0 BIND dn="uid=alice`).FindSubmatch(text)
		// Threads write out of order, so the line is taken out wherever it is.
		opened := regexp.MustCompile(`.* conn=` + string(first[1]) + ` fd=\d+ ACCEPT .*\n`).FindIndex(text)
		rest := string(text[:opened[0]]) + string(text[opened[1]:])
		events, notes, _ := readText(t, "openldap", rest)
		var without []event.Event
		for _, e := range events {
			if !e.Address.IsValid() {
				without = append(without, e)
			}
		}
		require.Len(t, without, 1)
		require.Equal(t, event.Accepted, without[0].Outcome)
		require.Equal(t, 1, notes[event.NoAddress])
	})
	for name, form := range map[string]func(at time.Time) string{
		"syslog without year":   func(at time.Time) string { return at.UTC().Format("Jan _2 15:04:05") },
		"syslog with RFC 3339":  func(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000Z07:00") },
		"slapd's own file":      func(at time.Time) string { return at.UTC().Format("Jan _2 15:04:05.000000") },
		"syslog and a priority": func(at time.Time) string { return "<167>" + at.UTC().Format("Jan _2 15:04:05") },
	} {
		t.Run(name, func(t *testing.T) {
			syslog := asSyslog(t, string(text), form)
			events, notes, unreadable := read(t, "openldap", Options{Quiet: time.Hour, Year: time.Now().UTC().Year(), Zone: time.UTC}, map[string]string{"l": syslog}, "l")
			require.ElementsMatch(t, did, triesOf(events, s.AdminDN))
			require.Empty(t, unreadable)
			require.Empty(t, notes)
			require.Equal(t, "ldap1", events[0].Server)
			require.WithinDuration(t, time.Now(), events[0].At, 10*time.Minute)
		})
	}
	t.Run("two servers merged", func(t *testing.T) {
		one := asSyslog(t, string(text), func(at time.Time) string { return at.UTC().Format(time.RFC3339) })
		two := strings.ReplaceAll(strings.ReplaceAll(one, "ldap1", "ldap2"), "127.0.0.", "127.0.9.")
		var merged strings.Builder
		other := strings.Split(two, "\n")
		for i, line := range strings.Split(one, "\n") {
			merged.WriteString(line + "\n" + other[i] + "\n")
		}
		events, _, _ := read(t, "openldap", Options{Quiet: time.Hour}, map[string]string{"l": strings.TrimSpace(merged.String())}, "l")
		require.Len(t, events, 2*len(eventsOf(t, one)))
		for _, e := range events {
			require.Equal(t, e.Server == "ldap2", strings.HasPrefix(e.Address.String(), "127.0.9."), "%+v", e)
		}
	})
}

func eventsOf(t *testing.T, syslog string) []event.Event {
	events, _, _ := readText(t, "openldap", syslog)
	return events
}

// asSyslog writes what slapd printed as syslog has it, with a process id for
// each start.
func asSyslog(t *testing.T, text string, form func(time.Time) string) string {
	var out strings.Builder
	pid := 99
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		at, rest, ok := cutDebug([]byte(line))
		if !ok {
			continue // the rest of the banner, which syslog has not
		}
		if bytes.HasPrefix(rest, []byte("@(#)")) {
			pid++
		}
		fmt.Fprintf(&out, "%s ldap1 slapd[%d]: %s\n", form(at), pid, rest)
	}
	return out.String()
}

func TestSlapdsOddLoginsAreCountedAndNameNobodyElse(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Stats: true, Accounts: []lab.Account{{UID: "alice", Password: "right"}}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	conn, err := ldap.DialURL(s.LDAP(), ldap.DialWithDialer(&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.2")}}))
	require.NoError(t, err)
	require.Error(t, conn.MD5Bind("127.0.0.1", "alice", "wrong")) // SASL: names nobody
	require.Error(t, conn.Bind("hunter2", "x"))                   // a value where the name goes
	// A name that writes a line of its own into the log: it may name an address
	// that is none of this connection's.
	require.Error(t, conn.Bind("x)\n6b0c73fb.01206613 0x7f13635fe6c0 conn=1003 fd=12 ACCEPT from IP=10.9.9.9:52592 (IP=127.0.0.1:389)\n(", "x"))
	require.NoError(t, conn.Bind(s.AccountDN("alice"), "right"))
	require.NoError(t, conn.UnauthenticatedBind("")) // anonymous is nobody's credential
	require.NoError(t, conn.Close())
	require.NoError(t, s.Stop(ctx))
	text, err := os.ReadFile(s.LogFile())
	require.NoError(t, err)
	events, notes, _ := readText(t, "openldap", string(text))
	tries := triesOf(events, s.AdminDN)
	require.Equal(t, "", tries[0].account)
	require.Equal(t, event.Refused, tries[0].outcome)
	require.Equal(t, 1, notes[event.NamesNobody])
	require.Equal(t, try{"hunter2", "127.0.0.2", event.Refused}, tries[1])
	// The lab's own logins may be told at the end: the line that was typed may
	// have one of its connections' numbers.
	others := slices.DeleteFunc(events, func(e event.Event) bool { return strings.EqualFold(e.Account, s.AdminDN) })
	last := others[len(others)-1]
	require.Equal(t, strings.ToLower(s.AccountDN("alice")), strings.ToLower(last.Account))
	require.Equal(t, event.Accepted, last.Outcome)
	if last.Address != netip.MustParseAddr("127.0.0.2") {
		// The line of the intruder's making was taken for one of slapd's: then
		// nothing behind it may pass for sure.
		require.Positive(t, notes[event.NumbersBack]+notes[event.NoAddress])
		require.NotEqual(t, []event.Doubt(nil), last.Doubts)
	}
}

func TestWhatDS389WritesIsReadLineForLine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartDS389(ctx, lab.DS389Options{Dir: t.TempDir(), CA: ca, AccessLog: true, Accounts: []lab.Account{{UID: "alice", Password: "right-Alice-1"}, {UID: "bob", Password: "right-Bob-1"}}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	alice, bob := s.AccountDN("alice"), s.AccountDN("bob")
	var did []try
	round := func() {
		for _, how := range []struct{ name, url string }{{"ldap", s.LDAP()}, {"starttls", s.LDAP()}, {"ldaps", s.LDAPS()}} {
			require.NoError(t, logsIn(t, how.name, how.url, s.CA, "127.0.0.2", strings.ToUpper(alice), "right-Alice-1"))
			require.Error(t, logsIn(t, how.name, how.url, s.CA, "127.0.0.3", bob, "wrong"))
			did = append(did, try{strings.ToLower(alice), "127.0.0.2", event.Accepted}, try{strings.ToLower(bob), "127.0.0.3", event.Refused})
		}
	}
	var text []byte
	written := func(logins int) {
		require.Eventually(t, func() bool {
			text, err = os.ReadFile(s.AccessFile())
			return err == nil && strings.Count(string(text), "Invalid credentials") == logins && strings.Count(string(text), ` dn="uid=alice,ou=people,dc=example,dc=org"`) == logins+1
		}, patience, 20*time.Millisecond)
	}
	round()
	written(3)                         // a kill takes what is not written
	require.NoError(t, s.Restart(ctx)) // numbers begin again, and no line says so
	round()
	written(6)
	events, notes, unreadable := readText(t, "389ds", string(text))
	require.ElementsMatch(t, did, triesOf(events, s.AdminDN))
	require.Empty(t, unreadable)
	require.Zero(t, notes[event.NoAddress]+notes[event.NumbersBack]+notes[event.NoQuestion])
	for _, e := range events {
		require.Contains(t, strings.Split(string(text), "\n")[e.Line-1], map[event.Change]string{"": "BIND dn=", event.Modified: "MOD dn=", event.Made: "ADD dn="}[e.Change])
	}
	format, ok := Recognise([]byte(strings.Split(string(text), "\n")[3]))
	require.True(t, ok)
	require.Equal(t, "389ds", format.Name)
}
