package logs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"rollcall/internal/evidence/event"
	"rollcall/internal/lab"
)

// tried is a login at a service: the right one, a wrong one, and one whose name
// is written like what stands behind names in a log.
type tried struct{ name, value, from string }

var tries = []tried{
	{"alice", "right", "127.0.0.2"}, {"bob", "wrong", "127.0.0.3"},
	{"x] x=<y>, rip=192.0.2.9, from 192.0.2.9 port 5 ssh2", "wrong", "127.0.0.3"},
}

// did is what a log should have of them.
func did() []try {
	return []try{{"alice", "127.0.0.2", event.Accepted}, {"bob", "127.0.0.3", event.Refused}, {tries[2].name, "127.0.0.3", event.Refused}}
}

// office is a directory that services ask.
func office(t *testing.T) (context.Context, *lab.CA, *lab.Slapd) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	t.Cleanup(cancel)
	ca, err := lab.NewCA()
	require.NoError(t, err)
	d, err := lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Accounts: []lab.Account{{UID: "alice", Password: "right"}, {UID: "bob", Password: "right"}}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.Stop(context.Background()) })
	return ctx, ca, d
}

// service that a test started.
type started interface {
	LogFile() string
	Stop(context.Context) error
}

// begun is it, if it came up.
func begun[S started](t *testing.T, s S, err error) S {
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	return s
}

func dialFrom(t *testing.T, from, to string) net.Conn {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	c, err := d.Dial("tcp", to)
	require.NoError(t, err)
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return c
}

func trusts(ca *lab.CA) *tls.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM)
	return &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
}

// written is the log once it has so many lines with such a text: a server may
// write after it has answered. also is what they have besides.
func written(t *testing.T, s started, text string, times int, also ...string) string {
	var log []byte
	require.Eventually(t, func() bool {
		var err error
		log, err = os.ReadFile(s.LogFile())
		lines := strings.Split(string(log), "\n")
		lines = slices.DeleteFunc(lines, func(line string) bool {
			return !strings.Contains(line, text) || slices.ContainsFunc(also, func(a string) bool { return !strings.Contains(line, a) })
		})
		return err == nil && len(lines) >= times
	}, patience, 20*time.Millisecond, "%s", log)
	return string(log)
}

// here reads a log whose times are of this machine.
func here(t *testing.T, format, text string) ([]event.Event, map[event.Note]int, []string) {
	events, notes, unreadable := read(t, format, Options{Year: time.Now().Year(), Zone: time.Local}, map[string]string{"log": text}, "log")
	for _, e := range events {
		require.WithinDuration(t, time.Now(), e.At, 10*time.Minute)
		require.True(t, e.Login)
		require.Equal(t, event.Login, e.Form)
	}
	require.Empty(t, unreadable)
	return events, notes, unreadable
}

// standWhere says that each event is at the line that has its name.
func standWhere(t *testing.T, log string, events []event.Event) {
	lines := strings.Split(log, "\n")
	for _, e := range events {
		require.Contains(t, lines[e.Line-1], e.Account)
		require.Contains(t, lines[e.Line-1], e.Address.String())
	}
}

// bySyslog has the texts of a server as a syslog has them, behind the head of a
// line.
func bySyslog(program string, texts []string) string {
	var out strings.Builder
	for _, text := range texts {
		fmt.Fprintf(&out, "%s host1 %s: %s\n", time.Now().UTC().Format(time.RFC3339), program, text)
	}
	return out.String()
}

func TestWhatDovecotWritesIsReadLineForLine(t *testing.T) {
	ctx, ca, d := office(t)
	s, err := lab.StartDovecot(ctx, lab.DovecotOptions{Dir: t.TempDir(), CA: ca, Directory: d, AtOnce: true})
	begun(t, s, err)
	for _, service := range []string{"imaps", "pop3s"} {
		for _, n := range tries {
			c := textproto.NewConn(tls.Client(dialFrom(t, n.from, s.Address(service)), trusts(ca)))
			says := func(format string, args ...any) {
				if format != "" {
					require.NoError(t, c.PrintfLine(format, args...))
				}
				_, err := c.ReadLine()
				require.NoError(t, err)
			}
			says("")
			if service == "imaps" {
				says("a LOGIN %q %q", n.name, n.value)
				says("b LOGOUT")
			} else {
				says("USER %s", n.name)
				says("PASS %s", n.value)
				says("QUIT")
			}
			require.NoError(t, c.Close())
		}
	}
	written(t, s, "Login: user=<alice>", 2)
	log := written(t, s, "(auth failed", 4)
	events, notes, _ := here(t, "dovecot", log)
	require.ElementsMatch(t, append(did(), did()...), triesOf(events))
	require.Empty(t, notes)
	standWhere(t, log, events)

	var texts []string
	for _, line := range strings.Split(strings.TrimSpace(log), "\n") {
		h, _, ok := cutDovecot([]byte(line))
		require.True(t, ok, line)
		texts = append(texts, string(h.text))
	}
	events, _, _ = here(t, "dovecot", bySyslog("dovecot", texts))
	require.ElementsMatch(t, append(did(), did()...), triesOf(events), "by syslog")
	require.Equal(t, "host1", events[0].Server)
}

// In the words of Dovecot 2.4, and of proxies of 2.3 and since: no such server
// wrote these here.
func TestALoginIsFoundHoweverDovecotSaysThatItWasLetIn(t *testing.T) {
	behind := ": user=<svc>, method=PLAIN, rip=192.0.2.1, lip=192.0.2.2, TLS, session=<abc>"
	for says, want := range map[string]event.Outcome{
		"Login": event.Accepted, "Logged in": event.Accepted, "Login (something new)": event.Unknown,
		"proxy(svc): started proxying to 192.0.2.3:143": event.Accepted, "Started proxying to <192.0.2.3> (0.001 secs)": event.Accepted,
		"proxy(svc): disconnecting 192.0.2.3 (Disconnected by client)":                               "",
		"Disconnected: Connection closed (auth failed, 1 attempts in 2 secs)":                        event.Refused,
		"Login aborted: Connection closed (auth failed, 1 attempts in 2 secs) (auth_failed)":         event.Refused,
		"Login aborted: Connection closed (no auth attempts in 2 secs) (no_auth_attempts)":           "",
		"Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)":       event.Unknown,
		"Disconnected: Internal login failure (pid=4 id=1) (internal failure, 1 successful auths)":   event.Unknown,
		"Disconnected: Logged out (auth failed, 1 attempts in 2 secs) Logged in: user=<x>, rip=::1,": event.Refused,
	} {
		for head, o := range map[string]Options{"2026-01-01T10:00:00Z h dovecot: imap-login: ": {}, "Jan  1 10:00:00 submission-login: Info: ": {Year: 2026, Zone: time.UTC}} {
			events, _, unreadable := read(t, "dovecot", o, map[string]string{"log": head + says + behind}, "log")
			require.Empty(t, unreadable)
			var got event.Outcome
			for _, e := range events {
				require.Equal(t, "192.0.2.1", e.Address.String())
				got = e.Outcome
			}
			require.Equal(t, want, got, says)
		}
	}
}

func TestWhatPostfixWritesIsReadLineForLineAndALoginWithoutAMailHasNoName(t *testing.T) {
	ctx, ca, d := office(t)
	checker, err := lab.StartSaslauthd(ctx, lab.SaslauthdOptions{Dir: t.TempDir(), Directory: d})
	begun(t, checker, err)
	s, err := lab.StartPostfix(ctx, lab.PostfixOptions{Dir: t.TempDir(), CA: ca, Saslauthd: checker, Mail: true})
	begun(t, s, err)
	login := func(n tried) *smtp.Client {
		c, err := smtp.NewClient(dialFrom(t, n.from, s.Address("submission")), "127.0.0.1")
		require.NoError(t, err)
		require.NoError(t, c.StartTLS(trusts(ca)))
		require.Equal(t, n.value == "right", c.Auth(smtp.PlainAuth("", n.name, n.value, "127.0.0.1")) == nil)
		return c
	}
	mail := login(tries[0])
	require.NoError(t, mail.Mail("a@example.org"))
	require.NoError(t, mail.Rcpt("b@example.org"))
	require.NoError(t, mail.Quit())
	_ = login(tries[1]).Quit()
	_ = login(tries[2]).Quit()
	require.NoError(t, login(tries[0]).Quit()) // and no mail
	log := written(t, s, "disconnect from unknown[127.0.0.", 4)
	events, notes, _ := here(t, "postfix", log)
	require.ElementsMatch(t, append(did(), try{"", did()[0].address, event.Accepted}), triesOf(events))
	require.Equal(t, map[event.Note]int{event.InUnnamed: 1}, notes)
	standWhere(t, log, events)
}

func TestWhatSSHDWritesIsReadLineForLine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	s, err := lab.StartSSHD(ctx, lab.SSHDOptions{Dir: t.TempDir(), Accounts: []lab.Account{{UID: "alice", Password: "right"}, {UID: "bob", Password: "right"}}})
	begun(t, s, err)
	ways := map[string]func(string) ssh.AuthMethod{
		"password": ssh.Password,
		"prompt": func(value string) ssh.AuthMethod {
			return ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) (out []string, _ error) {
				for range questions {
					out = append(out, value)
				}
				return out, nil
			})
		},
	}
	for at, way := range ways {
		for _, n := range tries {
			c, _, _, err := ssh.NewClientConn(dialFrom(t, n.from, s.Address(at)), "x", &ssh.ClientConfig{User: n.name, Auth: []ssh.AuthMethod{way(n.value)}, HostKeyCallback: ssh.InsecureIgnoreHostKey()})
			require.Equal(t, n.value == "right", err == nil)
			if err == nil {
				require.NoError(t, c.Close())
			}
		}
	}
	// It prints to a file what it gives to syslog, without a head.
	log := bySyslog("sshd[7]", strings.Split(strings.TrimSpace(written(t, s, "Connection closed by ", 4, "127.0.0.3", "[preauth]")), "\n"))
	events, notes, _ := here(t, "sshd", log)
	require.ElementsMatch(t, append(did(), did()...), triesOf(events))
	require.Empty(t, notes)
	standWhere(t, log, events)
}

func TestWhatProFTPDWritesIsReadLineForLine(t *testing.T) {
	ctx, ca, d := office(t)
	s, err := lab.StartProFTPD(ctx, lab.ProFTPDOptions{Dir: t.TempDir(), CA: ca, Directory: d})
	begun(t, s, err)
	for _, n := range tries {
		c := textproto.NewConn(dialFrom(t, n.from, s.Address("ftp")))
		_, _, err := c.ReadResponse(220)
		require.NoError(t, err)
		for _, line := range []string{"USER " + n.name, "PASS " + n.value, "QUIT"} {
			require.NoError(t, c.PrintfLine("%s", line))
			_, _, _ = c.ReadResponse(0)
		}
		require.NoError(t, c.Close())
	}
	log := written(t, s, "USER ", 3)
	events, notes, _ := here(t, "proftpd", log)
	require.ElementsMatch(t, did(), triesOf(events))
	require.Empty(t, notes)
	standWhere(t, log, events)
}

func TestWhatFreeRADIUSWritesIsReadLineForLine(t *testing.T) {
	ctx, _, d := office(t)
	s, err := lab.StartFreeRADIUS(ctx, lab.FreeRADIUSOptions{Dir: t.TempDir(), Directory: d, Unsigned: true})
	begun(t, s, err)
	for _, n := range tries {
		p := radius.New(radius.CodeAccessRequest, []byte(s.Secret))
		require.NoError(t, rfc2865.UserName_SetString(p, n.name))
		require.NoError(t, rfc2865.UserPassword_SetString(p, n.value))
		require.NoError(t, rfc2865.CallingStationID_SetString(p, n.from))
		_, err := radius.Exchange(ctx, p, s.Address())
		require.NoError(t, err)
	}
	log := written(t, s, "Login ", 3)
	events, notes, _ := here(t, "freeradius", log)
	require.ElementsMatch(t, did(), triesOf(events))
	require.Empty(t, notes)
	standWhere(t, log, events)
	for _, e := range events {
		require.Equal(t, []event.Doubt{event.BySaying}, e.Doubts)
	}
}

// As rsyslog writes them, where it is told to (RepeatedMsgReduction).
func TestALoginThatIsRepeatedCountsAsOftenAsItWas(t *testing.T) {
	for times, want := range map[string]int{"40": 40, "99999999": maxRepeated, "0": 0, "-3": 0, "99999999999999999999": 0, "x": 0} {
		events, notes, unreadable := readText(t, "sshd", "2026-01-01T10:00:00Z h sshd[1]: message repeated "+times+" times: [ Failed password for root from 192.0.2.1 port 5 ssh2]\n"+
			"2026-01-01T10:00:00Z h sshd[1]: message repeated "+times+" times: [ Connection closed by 192.0.2.1 port 5]")
		require.Len(t, events, want)
		require.Equal(t, want == maxRepeated, notes[event.TooOften] == 1, "what is not counted is told")
		require.Empty(t, unreadable)
	}
}

// What sshd takes for an error has that word before the rest.
func TestAnAddressBehindAWordOfSshdsIsTheClients(t *testing.T) {
	for _, word := range []string{"", "error: ", "fatal: "} {
		for _, text := range []string{"Received disconnect from 192.0.2.1 port 5:3: x 9.9.9.9 port 7", "Connection closed by 192.0.2.1 port 5 [preauth]"} {
			a, _ := sshdFrom(word + text)
			require.Equal(t, "192.0.2.1", a.String(), word+text)
		}
	}
}

// The first four lines are those that a vsftpd 3.0.3 wrote.
func TestVSFTPDsOwnFileIsRead(t *testing.T) {
	events, _, unreadable := read(t, "vsftpd", Options{Zone: time.UTC}, map[string]string{"log": `Sun Nov 29 22:21:30 2026 [pid 31691] CONNECT: Client "127.0.0.2"
Sun Nov 29 22:21:30 2026 [pid 31690] [alice] OK LOGIN: Client "127.0.0.2"
Sun Nov 29 22:21:33 2026 [pid 31932] CONNECT: Client "127.0.0.3"
Sun Nov 29 22:21:33 2026 [pid 31931] [no]x] FAIL LOGIN: Client "127.0.0.3"
Sun Nov 29 22:10:32 2026 [pid 2] [alice] OK LOGIN: Client "::ffff:192.0.2.1"
Sun Nov  1 22:10:33 2026 [pid 2] [b] OK LOGIN: Client "9.9.9.9"] FAIL LOGIN: Client "192.0.2.2"
2026-11-29T22:10:32Z h vsftpd[9]: [bob] FAIL LOGIN: Client "192.0.2.2"
`}, "log")
	require.Empty(t, unreadable)
	require.Equal(t, []try{{"alice", "127.0.0.2", event.Accepted}, {"no]x", "127.0.0.3", event.Refused}, {"alice", "192.0.2.1", event.Accepted}, {`b] ok login: client "9.9.9.9"`, "192.0.2.2", event.Refused}, {"bob", "192.0.2.2", event.Refused}}, triesOf(events))
}

func TestAPasswordBehindTheNameIsNoPartOfIt(t *testing.T) {
	events, _, _ := read(t, "freeradius", Options{Zone: time.UTC}, map[string]string{"log": `Sun Nov 29 22:10:32 2026 : Auth: (1) Login OK: [alice/hunter2] (from client here port 0 cli 02-00-00-00-00-01)
Sun Nov 29 22:10:32 2026 : Auth: Login incorrect: [host/pc1.example.org/<via Auth-Type = eap>] (from client here port 0)
Sun Nov 29 22:10:32 2026 : Auth: Login incorrect (ldap: Can't contact LDAP server): [bob/a]b] (from client here port 0)
`}, "log")
	require.Equal(t, []try{{"alice", "invalid IP", event.Accepted}, {"host/pc1.example.org", "invalid IP", event.Refused}, {"bob", "invalid IP", event.Failed}}, triesOf(events))
}

// In the words of FreeRADIUS's and ProFTPD's sources; no server of these wrote
// them here.
func TestLoginsThatAreWrittenInRarerWordsAreRead(t *testing.T) {
	for text, want := range map[string]event.Outcome{
		"(4)   Login OK: [svc] (from client nas port 0 cli 192.0.2.1 via TLS tunnel)": event.Accepted,
		"(5) Invalid user: [svc] (from client nas port 0 cli 192.0.2.1)":              event.Refused,
		"Invalid user (x): [svc] (from client nas port 0 cli 192.0.2.1)":              event.Refused,
		"(6) Rejected in post-auth: [svc] (from client nas port 0 cli 192.0.2.1)":     event.ValueRight,
		"Rejected in post-auth (x): [svc] (from client nas port 0 cli 192.0.2.1)":     event.ValueRight,
		"(7) Login incorrect (x): [svc] (from client nas port 0 cli 192.0.2.1)":       event.Refused,
	} {
		events, _, _ := read(t, "freeradius", Options{Zone: time.UTC}, map[string]string{"log": "Sun Nov 29 22:10:32 2026 : Auth: " + text}, "log")
		require.Equal(t, []try{{"svc", "192.0.2.1", want}}, triesOf(events), text)
	}
	events, _, _ := readText(t, "sshd", "2026-01-01T10:00:00Z h sshd[1]: Partial password for svc from 192.0.2.1 port 5 ssh2")
	require.Equal(t, []try{{"svc", "192.0.2.1", event.ValueRight}}, triesOf(events), "sshd asks for more behind it (AuthenticationMethods)")
	events, _, _ = readText(t, "proftpd", "2026-01-01T10:00:00Z ftp proftpd[77]: ftp.example.com (c[192.0.2.1]) - USER svc: Login successful.")
	require.Equal(t, []try{{"svc", "192.0.2.1", event.Accepted}}, triesOf(events))
}

func TestEachServicesLinesAreRecognisedAndNoOthers(t *testing.T) {
	for want, line := range map[string]string{
		"dovecot":    "Nov 29 22:10:24 imap-login: Info: Login: user=<alice>, method=PLAIN, rip=127.0.0.2, lip=127.0.0.1, mpid=3789, TLS, session=<u5Vcj3FhQ+Z/AAAC>",
		"postfix":    "Nov 29 22:10:29 localhost postfix/submission/smtpd[3964]: warning: unknown[127.0.0.3]: SASL PLAIN authentication failed: (reason unavailable), sasl_username=bob",
		"sshd":       "Nov 29 22:10:29 h sshd-session[9]: Accepted publickey for alice from 127.0.0.2 port 50705 ssh2: ED25519 SHA256:abc",
		"proftpd":    "2026-11-29 22:10:32,362 vm proftpd[4303] 127.0.0.1 (127.0.0.3[127.0.0.3]): USER bob (Login failed): Incorrect password",
		"vsftpd":     `Sun Nov 29 22:10:32 2026 [pid 2] [alice] OK LOGIN: Client "192.0.2.1"`,
		"freeradius": "Sun Nov 29 22:10:32 2026 : Auth: (1) Login OK: [alice] (from client here port 0 cli 127.0.0.2)",
		"":           "Nov 29 22:10:29 h CRON[9]: Accepted password for alice from 127.0.0.2 port 1 ssh2",
	} {
		format, _ := Recognise([]byte(line))
		require.Equal(t, want, format.Name, line)
	}
}

// In the form that the vendor documents; no appliance wrote these.
func TestOfAnEmailSecurityGatewayRefusedLoginsAreRead(t *testing.T) {
	log := "Jan 11 06:58:03 10.10.10.111  inbound/pass1: unknown[192.0.2.1] 1704927410-1920756-20844-227386-1 1704927410 1704927410 RECV - - 2 83 535 Error: authentication failed [svc@example.org]\n" +
		"Jan 11 06:58:04 esg inbound/pass1[27564]: 192.0.2.2 1126226282-27564-2-0 1126226286 1126226328 RECV a@example.org b@example.org 2 7 x 535 authentication failed [here] 535 Error: authentication failed [svc]\n" +
		"Jan 11 06:58:05 esg scan[9390]: mail.example.net[192.0.2.3] 1300386126-4739a8be0001-R6OEVB 1300386126 1300386128 SCAN - a@example.net b@example.com - 7 61 - SZ:34602 SUBJ:RECV 535 Error: authentication failed [no]\n" +
		"Jan 11 06:58:06 esg web: [192.0.2.4] somebody did something\n"
	events, notes, unreadable := read(t, "esg", Options{Year: 2026, Zone: time.UTC}, map[string]string{"log": log}, "log")
	require.Equal(t, []try{{"svc@example.org", "192.0.2.1", event.Refused}, {"svc", "192.0.2.2", event.Refused}}, triesOf(events))
	require.Equal(t, "10.10.10.111", events[0].Server)
	require.Empty(t, notes)
	require.Empty(t, unreadable)
	for i, line := range strings.Split(log, "\n")[:4] {
		format, _ := Recognise([]byte(line))
		require.Equal(t, []string{"esg", "esg", "esg", ""}[i], format.Name)
	}
}

func TestWhoAsksIsNamedAsFarAsTheServerFoundIt(t *testing.T) {
	for format, row := range map[string]struct {
		line, name string
		said       bool
	}{
		"postfix": {"Nov 29 22:10:28 h postfix/smtpd[1]: 4ABC: client=mx.evil.example[192.0.2.1], sasl_method=PLAIN, sasl_username=alice", "mx.evil.example", false},
		"proftpd": {"Nov 29 22:10:32 h proftpd[4305]: 127.0.0.1 (mx.evil.example[192.0.2.1]): USER bob (Login failed): Incorrect password", "mx.evil.example", true},
		"esg":     {"Jan 11 06:58:03 h inbound/pass1: mx.evil.example[192.0.2.1] 1704927410-1 1704927410 1704927410 RECV - - 2 83 535 Error: authentication failed [svc@example.org]", "mx.evil.example", true},
	} {
		for line, want := range map[string]string{row.line: row.name, strings.ReplaceAll(row.line, "mx.evil.example", "unknown"): "", strings.ReplaceAll(row.line, "mx.evil.example", "192.0.2.1"): ""} {
			events, _, _ := read(t, format, Options{Year: 2026, Zone: time.UTC}, map[string]string{"l": line}, "l")
			require.Len(t, events, 1, line)
			require.Equal(t, want, events[0].Client, line)
			require.Equal(t, row.said, events[0].NameSaid, line)
			require.Equal(t, "192.0.2.1", events[0].Address.String())
		}
	}
	refused := "Nov 29 22:10:29 h postfix/smtpd[2]: warning: mx.evil.example[192.0.2.1]: SASL PLAIN authentication failed: x, sasl_username=bob"
	events, _, _ := read(t, "postfix", Options{Year: 2026, Zone: time.UTC}, map[string]string{"l": refused}, "l")
	require.Equal(t, "mx.evil.example", events[0].Client)
}
