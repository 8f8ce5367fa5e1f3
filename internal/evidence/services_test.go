package evidence

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/logs"
)

// said is a line of a syslog without a year.
func said(at time.Time, program, text string) string {
	return at.UTC().Format("Jan _2 15:04:05") + " host1 " + program + ": " + text + "\n"
}

func byLogin(o Options) Options {
	o.Year, o.Zone = 2025, time.UTC
	o.Judge.Credentials[0].Accounts = append(o.Judge.Credentials[0].Accounts, judge.Account{Form: event.Login, Name: "svc"})
	return o
}

// One syslog has the lines of many programs: each is a source of its own,
// across its files, and its gaps are its own. The turn of the year is that of
// the file and not of one program's lines.
func TestASyslogIsReadForAllProgramsThatAreKnown(t *testing.T) {
	before := hour(0).Add(-time.Minute)
	one := write(t, "syslog.1", said(before, "sshd[9]", "Failed password for root from 203.0.113.1 port 5 ssh2")+
		said(hour(11), "slapd[7]", "conn=1000 fd=1 ACCEPT from IP=203.0.113.1:5 (IP=192.0.2.2:389)")+
		said(hour(11), "dovecot", "imap-login: Login: user=<svc>, method=PLAIN, rip=192.0.2.10, lip=192.0.2.2, TLS, session=<x>"))
	o := byLogin(optionsFor(one, write(t, "syslog", said(hour(12), "slapd[7]", `conn=1000 op=0 BIND dn="uid=svc,dc=x" method=128`)+
		said(hour(12), "slapd[7]", `conn=1000 op=0 BIND dn="uid=svc,dc=x" mech=SIMPLE ssf=0`)+
		said(hour(12), "slapd[7]", "conn=1000 op=0 RESULT tag=97 err=0 text=")+
		said(hour(13), "postfix/smtpd[3]", "warning: unknown[203.0.113.7]: SASL LOGIN authentication failed: x, sasl_username=EXAMPLE\\Svc")+
		said(hour(13), "cron[1]", "x"))))
	o.Years = map[string]int{o.Files[1].Path: 2026}
	r, err := Read(t.Context(), o)
	require.NoError(t, err)
	var got []string
	for _, s := range r.Sources {
		got = append(got, fmt.Sprintf("%s %s %s %d of %d, %d files, %d foreign", s.Authority, s.Server, s.Format, s.Logins, s.Lines, len(s.Files), s.Foreign))
		require.True(t, s.Covered[0].From.Equal(before) || s.Covered[0].From.After(hour(10)), "%v", s.Covered)
	}
	require.Equal(t, []string{
		" host1 dovecot 1 of 1, 1 files, 0 foreign", " host1 postfix 1 of 1, 1 files, 0 foreign", " host1 sshd 1 of 2, 2 files, 1 foreign",
		"corp host1 openldap 1 of 4, 2 files, 0 foreign",
	}, got)
	require.Len(t, r.Findings, 1)
	require.Equal(t, "used-elsewhere 203.0.113.1", fmt.Sprint(r.Findings[0].Code, " ", r.Findings[0].Address), "the connection is joined across the files")
	require.Equal(t, 1, r.Uses[0].Device.Count, "Dovecot's login is the roll's")
	require.Equal(t, 1, r.Uses[0].Refused.Count)
}

// A program that the campaign file maps is read beside those that are known,
// whichever of them comes first.
func TestAProgramThatIsMappedIsReadBesideOthersOfItsSyslog(t *testing.T) {
	web := logs.Mapping{Name: "web", Type: logs.Text, Program: "web", Patterns: []string{`\[(?P<address>[^]]*)\] (?P<outcome>LOGIN|FAILED) (?P<account>.*)`}, Ignore: []string{".* PAGE .*"},
		Form: event.Login, Accepted: []string{"LOGIN"}, Refused: []string{"FAILED"}, ByDevice: true}.Format()
	sshd := said(hour(12), "sshd[9]", "Failed password for root from 203.0.113.1 port 5 ssh2")
	in := said(hour(12), "web", "[203.0.113.1] PAGE /") + said(hour(12), "web", "[203.0.113.1] LOGIN svc")
	for name, text := range map[string]string{"first": in + sshd, "behind": sshd + in} {
		o := byLogin(optionsFor(write(t, "syslog", said(hour(11), "cron[1]", "x")+text)))
		o.Year, o.Mapped = 2026, []logs.Format{web}
		r, err := Read(t.Context(), o)
		require.NoError(t, err)
		var got []string
		for _, s := range r.Sources {
			got = append(got, fmt.Sprintf("%s %d %d", s.Format, s.Logins, s.Unreadable))
		}
		require.ElementsMatch(t, []string{"sshd 1 0", "web 1 0"}, got, name)
		require.Len(t, r.Findings, 1, name)
		f := r.Findings[0]
		require.Equal(t, "used-elsewhere possible [named-by-login written-by-the-device]", fmt.Sprint(f.Code, " ", f.Grade, " ", slices.Sorted(slices.Values(f.Doubts))), name)
	}
}

// Without a program a pattern is held against what programs wrote that nobody
// else reads; those that are known are read beside it.
func TestAPatternOfAnyProgramLeavesThoseThatAreKnownToTheirReaders(t *testing.T) {
	any := logs.Mapping{Name: "any", Type: logs.Text, Patterns: []string{`\[(?P<address>[^]]*)\] (?P<outcome>LOGIN|FAILED) (?P<account>.*)`}, Ignore: []string{".* PAGE .*"},
		Form: event.Login, Accepted: []string{"LOGIN"}, Refused: []string{"FAILED"}}
	own := any
	own.Name, own.Program, own.Patterns = "own", "own", []string{`in (?P<outcome>LOGIN) (?P<account>.*)`}
	sshd := said(hour(12), "sshd[9]", "Failed password for root from 203.0.113.1 port 5 ssh2") + said(hour(12), "own", "in LOGIN svc")
	in := said(hour(12), "web", "[203.0.113.1] PAGE /") + said(hour(12), "web", "[203.0.113.1] LOGIN svc") + said(hour(12), "cron[1]", "x")
	for name, text := range map[string]string{"first": in + sshd, "behind": sshd + in} {
		for named, want := range map[string][]string{"": {"sshd 1 0 0", "own 1 0 0", "any 1 1 0"}, "any": {"any 1 1 2"}} {
			o := byLogin(optionsFor(write(t, "syslog", text)))
			o.Year, o.Mapped, o.Format = 2026, logs.MappedFormats(any, own), named
			r, err := Read(t.Context(), o)
			require.NoError(t, err, name)
			var got []string
			for _, s := range r.Sources {
				got = append(got, fmt.Sprintf("%s %d %d %d", s.Format, s.Logins, s.Unreadable, s.Foreign))
			}
			require.ElementsMatch(t, want, got, name)
		}
	}
}

// Where no line fits the pattern all of its program are told, also beside
// others: it may be wrong.
func TestAWrongPatternOfAProgramBesideOthersIsTold(t *testing.T) {
	web := logs.Mapping{Name: "web", Type: logs.Text, Program: "web", Patterns: []string{`wrong (?P<outcome>LOGIN) (?P<account>.*)`}, Form: event.Login, Accepted: []string{"LOGIN"}}.Format()
	sshd, in := said(hour(12), "sshd[9]", "Failed password for root from 203.0.113.1 port 5 ssh2"), said(hour(12), "web", "[203.0.113.1] LOGIN svc")
	for name, text := range map[string]string{"first": in + sshd, "behind": sshd + in} {
		o := byLogin(optionsFor(write(t, "syslog", text)))
		o.Year, o.Mapped = 2026, []logs.Format{web}
		r, err := Read(t.Context(), o)
		require.NoError(t, err)
		var got []string
		for _, s := range r.Sources {
			got = append(got, fmt.Sprintf("%s %d %d", s.Format, s.Logins, s.Unreadable))
		}
		require.ElementsMatch(t, []string{"sshd 1 0", "web 0 1"}, got, name)
	}
}

func TestALoginsNameIsInDoubtUntilSomebodySaysWhoseAccountsTheyAre(t *testing.T) {
	for authority, want := range map[string]string{"": "possible [named-by-login]", "corp": "probable []"} {
		o := byLogin(optionsFor(write(t, "mail.log", said(hour(9), "dovecot", "imap-login: Login: user=<svc@example.org>, method=PLAIN, rip=198.51.100.1, lip=192.0.2.2")+
			said(hour(12), "dovecot", "imap-login: Login: user=<svc@example.org>, method=PLAIN, rip=203.0.113.1, lip=192.0.2.2"))))
		o.Year, o.Files[0].Authority = 2026, authority
		r, err := Read(t.Context(), o)
		require.NoError(t, err)
		require.Len(t, r.Findings, 1)
		require.Equal(t, want, fmt.Sprint(r.Findings[0].Grade, " ", r.Findings[0].Doubts))
		require.Len(t, r.Missing, 1, "a mail server's log is not its directory's")
		require.Contains(t, r.Sources[0].CannotShow, event.LastNameOnly)
	}
}

func TestHostileLinesOfEachServiceAreBoundedAndEscaped(t *testing.T) {
	evil := "\x1b[2J<script>alert(1)</script>\u202e"
	// As JSON has it, and as XML cannot.
	evilByte := map[string]string{"samba": `\u001b`, "windows-xml": "&#27;"}
	for format, row := range map[string]struct{ first, name string }{
		"dovecot":     {"Jan  1 11:00:00 imap-login: Info: ", "Login: user=<%s>, method=PLAIN, rip=192.0.2.10, lip=192.0.2.2"},
		"postfix":     {"2026-01-01T11:00:00Z h postfix/smtpd[1]: ", "4A: client=unknown[192.0.2.10], sasl_method=PLAIN, sasl_username=%s"},
		"sshd":        {"2026-01-01T11:00:00Z h sshd[1]: ", "Accepted password for %s from 192.0.2.10 port 5 ssh2"},
		"proftpd":     {"2026-01-01 11:00:00,000 h proftpd[1] h ", "(x[192.0.2.10]): USER %s: Login successful."},
		"samba":       {`{"timestamp": "2026-01-01T11:00:00.1+0000", "type": "Authentication", "Authentication": {"status": "NT_STATUS_OK", "remoteAddress": "ipv4:192.0.2.10:5", "clientAccount": "`, `%s"}}`},
		"windows-csv": {"Id,TimeCreated,TargetUserName,IpAddress\n", "4624,2026-01-01 11:00:00,%s,192.0.2.10"},
		"windows-xml": {"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>4624</EventID><TimeCreated SystemTime='2026-01-01T11:00:00Z'/></System>",
			"<EventData><Data Name='TargetUserName'>%s</Data><Data Name='IpAddress'>192.0.2.10</Data></EventData></Event>"},
		"vsftpd":     {"Thu Jan  1 11:00:00 2026 [pid 1] ", `[%s] OK LOGIN: Client "192.0.2.10"`},
		"freeradius": {"Thu Jan  1 11:00:00 2026 : Auth: ", "Login OK: [%s] (from client x port 0 cli 192.0.2.10)"},
	} {
		line := row.first + row.name + "\n"
		if evilByte[format] == "" {
			evilByte[format] = "\x1b"
		}
		o := byLogin(optionsFor(write(t, "log", fmt.Sprintf(line, strings.NewReplacer("/", "", "\x1b", evilByte[format]).Replace(inXML(format, evil)))+strings.Repeat("A", 10<<20)+"\n"+fmt.Sprintf(line, strings.Repeat("b", 100_000)))))
		o.Year = 2026
		r, err := Read(t.Context(), o)
		require.NoError(t, err, format)
		require.Equal(t, format, r.Sources[0].Format)
		require.Equal(t, 1, r.Sources[0].Unreadable, "%s: a line of 10 MB is counted", format)
		require.Len(t, r.Findings, 2, format)
		for _, f := range r.Findings {
			require.Less(t, len(f.Account), 1_000)
		}
	}
}

func inXML(format, text string) string {
	if format != "windows-xml" {
		return text
	}
	return strings.NewReplacer("<", "&lt;", ">", "&gt;").Replace(text)
}

// A trusted domain, or a machine of its own, may have an account of the same
// short name as one of the roll: what the device did with that is told.
func TestAnAccountOfAnotherDomainIsNotTheRollsOfThatName(t *testing.T) {
	const corp = "corp.example.org"
	windows := func(computer, domain, name string) (string, string) {
		return "windows-xml", fmt.Sprintf("<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>4624</EventID><TimeCreated SystemTime='%s'/><Computer>%s</Computer></System>"+
			"<EventData><Data Name='TargetUserName'>%s</Data><Data Name='TargetDomainName'>%s</Data><Data Name='IpAddress'>192.0.2.10</Data></EventData></Event>\n", hour(12).Format(time.RFC3339), computer, name, domain)
	}
	samba := func(_, domain, name string) (string, string) {
		return "samba", fmt.Sprintf(`{"timestamp": "%s", "type": "Authentication", "Authentication": {"status": "NT_STATUS_OK", "remoteAddress": "ipv4:192.0.2.10:5", "clientAccount": "%s", "becameAccount": "%s", "becameDomain": "%s"}}`+"\n",
			hour(12).Format("2006-01-02T15:04:05.000000-0700"), name, name, domain)
	}
	for _, row := range []struct {
		computer, domain, name string
		known                  Domain
		want                   string
	}{
		{"dc1." + corp, "CORP", "svc", Domain{DNS: corp}, ""},
		{"dc1." + corp, corp, "svc", Domain{DNS: corp}, ""},
		{"dc1." + corp, "ACME", "svc", Domain{corp, "ACME"}, ""},
		{"dc1." + corp, "", "svc@" + corp, Domain{DNS: corp}, ""},
		{"dc1." + corp, "", "svc@example.com", Domain{DNS: corp}, "not-on-roll probable [domain-not-known]"},
		{"dc1." + corp, "PARTNER", "svc", Domain{DNS: corp}, "not-on-roll probable [domain-not-known]"},
		{"dc1." + corp, "PARTNER", "svc", Domain{corp, "CORP"}, "not-on-roll confirmed []"},
		{"dc1." + corp, "CORP", "svc", Domain{corp, "ACME"}, "not-on-roll confirmed []"},
		{"dc1." + corp, "eu." + corp, "svc", Domain{DNS: corp}, "not-on-roll confirmed []"},
		{"fileserver-longname." + corp, "FILESERVER-LONG", "svc", Domain{corp, "CORP"}, "not-on-roll confirmed []"},
	} {
		for _, write1 := range []func(string, string, string) (string, string){windows, samba} {
			format, text := write1(row.computer, row.domain, row.name)
			o := byLogin(optionsFor(write(t, "log", text)))
			o.Drivers, o.Domains = map[string]string{"corp": "active-directory"}, map[string]Domain{"corp": row.known}
			r, err := Read(t.Context(), o)
			require.NoError(t, err)
			got := ""
			for _, f := range r.Findings {
				got += fmt.Sprint(f.Code, " ", f.Grade, " ", f.Doubts)
				require.Empty(t, f.Credential)
				require.Contains(t, f.Account, row.domain)
			}
			require.Equal(t, row.want, got, "%s: %s\\%s", format, row.domain, row.name)
			require.Equal(t, format, r.Sources[0].Format)
		}
	}
}
