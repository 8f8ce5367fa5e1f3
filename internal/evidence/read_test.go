package evidence

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/lab"
)

var dirs = map[string]string{"corp": "openldap", "branch": "389ds"}

// syslog is a line of slapd's, by syslog with a whole time.
func syslog(at time.Time, host, text string) string {
	return at.UTC().Format(time.RFC3339) + " " + host + " slapd[7]: " + text + "\n"
}

func session(at time.Time, host string, conn int, from, dn string, code int) string {
	return syslog(at, host, fmt.Sprintf("conn=%d fd=1 ACCEPT from IP=%s:5 (IP=192.0.2.2:389)", conn, from)) +
		syslog(at, host, fmt.Sprintf("conn=%d op=0 BIND dn=%q method=128", conn, dn)) + asWhom(at, host, conn, dn, code) +
		syslog(at, host, fmt.Sprintf("conn=%d op=0 RESULT tag=97 err=%d text=", conn, code))
}

// asWhom is what slapd writes of a login that it lets in.
func asWhom(at time.Time, host string, conn int, dn string, code int) string {
	if code != 0 {
		return ""
	}
	return syslog(at, host, fmt.Sprintf("conn=%d op=0 BIND dn=%q mech=SIMPLE bind_ssf=0 ssf=0", conn, dn))
}

func hour(n int) time.Time { return time.Date(2026, 1, 1, n, 0, 0, 0, time.UTC) }

func write(t *testing.T, name, text string) string {
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func optionsFor(files ...string) Options {
	o := Options{Drivers: dirs, Judge: judge.Options{
		Windows: []judge.Window{{From: hour(10), To: hour(20)}}, Device: []netip.Prefix{netip.MustParsePrefix("192.0.2.10/32")}, Now: hour(100),
		Credentials: []judge.Credential{{ID: "corp/svc", Name: "uid=svc,dc=x", Authority: "corp", Accounts: []judge.Account{{Form: event.DN, Name: "uid=svc,dc=x"}}}},
	}}
	for _, f := range files {
		o.Files = append(o.Files, File{Path: f})
	}
	return o
}

func TestFilesAreReadInTheOrderOfTheirTimesAndJoinedAcrossThem(t *testing.T) {
	// The connection is opened in the older file, which is packed, given last,
	// and whose name sorts behind the other's.
	older := filepath.Join(t.TempDir(), "slapd.log.1.gz")
	f, err := os.Create(older)
	require.NoError(t, err)
	z := gzip.NewWriter(f)
	_, err = z.Write([]byte(syslog(hour(11), "ldap1", "conn=1000 fd=1 ACCEPT from IP=203.0.113.1:5 (IP=192.0.2.2:389)")))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	require.NoError(t, f.Close())
	newer := write(t, "a.log", syslog(hour(11).Add(time.Minute), "ldap1", `conn=1000 op=0 BIND dn="uid=svc, dc=X" method=128`)+
		asWhom(hour(11), "ldap1", 1000, "uid=svc,dc=x", 0)+
		syslog(hour(11).Add(time.Minute), "ldap1", "conn=1000 op=0 RESULT tag=97 err=0 text="))
	r, err := Read(t.Context(), optionsFor(newer, older))
	require.NoError(t, err)
	require.Len(t, r.Findings, 1)
	seen := r.Findings[0].Seen[0]
	require.Equal(t, "used-elsewhere "+newer+" 1 203.0.113.1 ldap1", fmt.Sprint(r.Findings[0].Code, " ", seen.File, " ", seen.Line, " ", seen.Address, " ", seen.Server))
	require.Len(t, r.Sources, 1)
	require.Equal(t, "corp", r.Sources[0].Authority, "the one directory that writes such a log")
	require.Len(t, r.Sources[0].Files, 2)
	require.Empty(t, r.Missing)
}

func TestAHoleInTheLogsIsAGapAndAUseOutsideTheWindowIsFound(t *testing.T) {
	text := session(hour(9), "ldap1", 1000, "198.51.100.1", "uid=svc,dc=x", 0) +
		session(hour(12), "ldap1", 1001, "198.51.100.1", "uid=svc,dc=x", 0) +
		session(hour(13), "ldap1", 1002, "192.0.2.10", "uid=other,dc=x", 0) +
		session(hour(30), "ldap1", 1003, "203.0.113.1", "uid=svc,dc=x", 0) +
		"nonsense\n" + hour(31).Format(time.RFC3339) + " ldap1 cron[1]: x\n"
	path := write(t, "slapd.log", text)
	o := optionsFor(path)
	o.Judge.Credentials = append(o.Judge.Credentials, judge.Credential{ID: "branch/x", Name: "uid=x", Authority: "branch"})
	r, err := Read(t.Context(), o)
	require.NoError(t, err)
	var got []string
	for _, f := range r.Findings {
		got = append(got, fmt.Sprintf("%s %s %s %s", f.Grade, f.Code, f.Account, f.Phase))
	}
	require.Equal(t, []string{"confirmed not-on-roll uid=other,dc=x in-window", "probable used-elsewhere uid=svc,dc=x after-window"}, got)
	s := r.Sources[0]
	require.Equal(t, "18 lines, 4 events, 1 unreadable at 17, 1 foreign", fmt.Sprintf("%d lines, %d events, %d unreadable at %d, %d foreign", s.Lines, s.Events, s.Unreadable, s.Where[0].Line, s.Foreign))
	gap := func(from, to int, why judge.GapReason) judge.Gap {
		return judge.Gap{From: hour(from), To: hour(to), Reason: why, Ask: why.Question()}
	}
	require.Equal(t, []judge.Gap{gap(10, 12, judge.NoLine), gap(13, 20, judge.NoLine)}, s.Gaps)
	require.Equal(t, []judge.Missing{{Authority: "branch", Gaps: []judge.Gap{gap(10, 20, judge.NoLog)}}}, r.Missing)
	require.True(t, r.Gaps())
	out, err := json.Marshal(r)
	require.NoError(t, err)
	require.NotContains(t, string(out), "nonsense", "no line of a log is shown")
}

// A syslog mostly begins with lines of other programs.
func TestLinesBeforeTheFirstOfTheServerMakeNoServerOfTheirOwn(t *testing.T) {
	text := hour(10).Format(time.RFC3339) + " ldap1 cron[1]: x\nnonsense\n" + session(hour(11), "ldap1", 1000, "192.0.2.10", "uid=svc,dc=x", 0)
	r, err := Read(t.Context(), optionsFor(write(t, "syslog", text)))
	require.NoError(t, err)
	require.Len(t, r.Sources, 1)
	s := r.Sources[0]
	require.Equal(t, "ldap1 6 1 1 2", fmt.Sprint(s.Server, " ", s.Lines, " ", s.Foreign, " ", s.Unreadable, " ", s.Where[0].Line))
	require.Empty(t, s.Notes)
}

func TestTheHeadOfAnExportIsNoServerOfItsOwn(t *testing.T) {
	record := `<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>4776</EventID><TimeCreated SystemTime='` + hour(12).Format(time.RFC3339) +
		`'/><Channel>Security</Channel><Computer>dc1.x</Computer></System><EventData><Data Name='TargetUserName'>svc</Data><Data Name='Status'>0x0</Data></EventData></Event>` + "\n"
	for name, text := range map[string]string{
		"a.xml": "<?xml version=\"1.0\"?>\n<Events>\n" + record + "</Events>\n",
		"b.xml": strings.ReplaceAll(record, "><", ">\n  <"),
		"c.csv": "\"Message\",\"Id\",\"MachineName\",\"TimeCreated\"\n\"A logon.\n\nLogon Account:\tsvc\nSource Workstation:\tx\nError Code:\t0x0\n\",\"4776\",\"dc1.x\",\"" + hour(12).Format(time.RFC3339) + "\"\n",
	} {
		r, err := Read(t.Context(), optionsFor(write(t, name, text)))
		require.NoError(t, err)
		require.Len(t, r.Sources, 1, name)
		s := r.Sources[0]
		require.Equal(t, fmt.Sprint("dc1.x ", strings.Count(text, "\n"), " 1"), fmt.Sprint(s.Server, " ", s.Lines, " ", s.Logins), name)
		require.Empty(t, s.Notes, name)
	}
}

func TestInAMergedSyslogEachServerHasItsOwnNotesAndCoverage(t *testing.T) {
	lost := syslog(hour(12), "ldap2", `conn=1000 op=0 BIND dn="" method=163`) + syslog(hour(12), "ldap2", "conn=1000 op=0 RESULT tag=97 err=49 text=SASL(-13): x")
	r, err := Read(t.Context(), optionsFor(write(t, "syslog", session(hour(11), "ldap1", 1000, "192.0.2.10", "uid=svc,dc=x", 0)+lost+syslog(hour(13), "ldap1", "conn=1000 fd=1 closed"))))
	require.NoError(t, err)
	require.Len(t, r.Sources, 2)
	require.Empty(t, r.Sources[0].Notes)
	require.Equal(t, "ldap2", r.Sources[1].Server)
	require.Equal(t, []event.Note{event.NamesNobody, event.NoAddress}, []event.Note{r.Sources[1].Notes[0].Note, r.Sources[1].Notes[1].Note})
	require.Equal(t, []judge.Stretch{{From: hour(12), To: hour(12)}}, r.Sources[1].Covered)
}

func TestWhatCannotBeReadForSureIsRefusedWithFileAndLine(t *testing.T) {
	good := session(hour(11), "ldap1", 1000, "192.0.2.10", "uid=svc,dc=x", 0)
	plain := func(at time.Time) string {
		return fmt.Sprintf("%08x.00000000 0x7f0000000000 conn=1000 fd=1 ACCEPT from IP=192.0.2.1:5 (IP=x)\n%08x.00000000 0x7f0000000000 conn=1000 fd=1 closed\n", at.Unix(), at.Add(time.Hour).Unix())
	}
	vault := `{"time":"2026-01-01T11:00:00Z","type":"request","request":{"id":"1","path":"sys/health","operation":"read"}}` + "\n"
	yearless := "Jan  1 11:00:00 ldap1 slapd[7]: conn=1 fd=1 closed\n"
	for name, row := range map[string]struct {
		texts []string
		says  string
	}{
		"no log":               {[]string{"dear diary\nnothing\n"}, "is no log that Rollcall reads, by its lines: there are openldap ("},
		"empty":                {[]string{""}, "an empty log says nothing"},
		"two formats in one":   {[]string{good + vault}, "line 5 is of another format (vault-audit) than the lines before it (openldap)"},
		"the other way round":  {[]string{vault + good}, "line 2 is of another format (openldap) than the lines before it (vault-audit)"},
		"no year":              {[]string{yearless}, "line 1: its time has no year and no zone: say them, with --year and --zone"},
		"a year behind others": {[]string{good + yearless}, "line 5: its time has no year and no zone"},
		"two servers in one":   {[]string{plain(hour(11)), plain(hour(11).Add(time.Minute))}, "no line of them says which server wrote it: connections of two servers would be taken for one"},
	} {
		var files []string
		for i, text := range row.texts {
			files = append(files, write(t, fmt.Sprint(i), text))
		}
		_, err := Read(t.Context(), optionsFor(files...))
		require.ErrorContains(t, err, row.says, name)
		require.ErrorContains(t, err, files[len(files)-1], name)
	}
	path := write(t, "x", good)
	_, err := Read(t.Context(), optionsFor(path, path))
	require.ErrorContains(t, err, "is given twice")
	o := optionsFor(path)
	o.Format = "389ds"
	_, err = Read(t.Context(), o)
	require.ErrorContains(t, err, "hold none of 389ds with a time")
	o.Format = "nothing"
	_, err = Read(t.Context(), o)
	require.ErrorContains(t, err, `no format is called "nothing"; there are openldap, 389ds, 389ds-json, `)
	a, b := write(t, "a", plain(hour(11))), write(t, "b", plain(hour(11).Add(time.Minute)))
	o = optionsFor()
	o.Files = []File{{Path: a, Server: "ldap1"}, {Path: b, Server: "ldap2", Authority: "corp"}}
	r, err := Read(t.Context(), o)
	require.NoError(t, err, "and with their servers said they are two")
	require.Len(t, r.Sources, 2)
}

func TestHostileLinesAreBoundedAndEscaped(t *testing.T) {
	evil := "uid=\x1b[2J<script>alert(1)</script>\u202e,dc=x"
	text := syslog(hour(11), "ldap1", "conn=1 fd=1 ACCEPT from IP=192.0.2.10:5 (IP=x)") +
		syslog(hour(11), "ldap1", `conn=1 op=0 BIND dn="`+evil+`" mech=SIMPLE ssf=0`) + syslog(hour(11), "ldap1", "conn=1 op=0 RESULT tag=97 err=0 text=") +
		strings.Repeat("A", 10<<20) + "\n" + syslog(hour(12), "ldap1", `conn=1 op=1 BIND dn="uid=`+strings.Repeat("b", 100_000)+`,dc=x" mech=SIMPLE ssf=0`) +
		syslog(hour(12), "ldap1", "conn=1 op=1 RESULT tag=97 err=0 text=")
	r, err := Read(t.Context(), optionsFor(write(t, "log", text)))
	require.NoError(t, err)
	require.Equal(t, 1, r.Sources[0].Unreadable, "a line of 10 MB is counted")
	require.Len(t, r.Findings, 2)
	out, err := json.Marshal(r)
	require.NoError(t, err)
	require.NotContains(t, string(out), "<script>")
	require.NotContains(t, string(out), "\x1b")
	require.Less(t, len(out), 10_000)
}

// The intruder really logs in with what he took, from an address of his own,
// and the device with an account that nobody listed.
func TestARealIntruderIsShownWithGradePlaceAndTime(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Stats: true, Accounts: []lab.Account{{UID: "svc", Password: "stolen"}, {UID: "passer-by", Password: "typed"}}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	from := time.Now().Add(-time.Minute).Truncate(time.Second)
	bind := func(address, uid, password string) {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(s.CA))
		c, err := ldap.DialURL(s.LDAPS(), ldap.DialWithDialer(&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}), ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}))
		require.NoError(t, err)
		_ = c.Bind(s.AccountDN(uid), password)
		require.NoError(t, c.Close())
	}
	bind("127.0.0.2", "svc", "stolen")      // the device
	bind("127.0.0.2", "passer-by", "typed") // through it
	bind("127.0.0.66", "svc", "stolen")     // the intruder
	for range 12 {
		bind("127.0.0.66", "passer-by", "guessed")
	}
	require.NoError(t, s.Stop(ctx))
	o := optionsFor(s.LogFile())
	dn := s.AccountDN("svc")
	o.Judge.Windows, o.Judge.Now = []judge.Window{{From: from}}, time.Now()
	o.Judge.Device = []netip.Prefix{netip.MustParsePrefix("127.0.0.2/32")}
	o.Judge.Credentials = []judge.Credential{{ID: "corp/svc", Name: dn, Authority: "corp", Accounts: []judge.Account{{Form: event.DN, Name: dn}}}}
	o.Judge.Indicators = &judge.Indicators{}
	require.NoError(t, o.Judge.Indicators.Read("iocs", strings.NewReader("127.0.0.64/26\n")))
	r, err := Read(ctx, o)
	require.NoError(t, err)
	var got []string
	for _, f := range r.Findings {
		got = append(got, fmt.Sprintf("%s %s %s %d", f.Grade, f.Code, f.Address, f.Count))
		require.WithinDuration(t, time.Now(), f.First, 10*time.Minute)
	}
	require.ElementsMatch(t, []string{
		"confirmed used-elsewhere 127.0.0.66 1", "confirmed not-on-roll 127.0.0.2 1", "possible indicator 127.0.0.66 12", "possible indicator 127.0.0.66 13", "possible burst-of-failures 127.0.0.66 12",
	}, got)
	require.Equal(t, 1, r.Uses[0].Device.Count)
	require.Equal(t, 1, r.Uses[0].Elsewhere.Count)
}
