package logs

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/logfile"
)

// No Windows wrote these: they are made from the schema that Microsoft
// documents of each event.
type winCase struct {
	id   string
	data []string // name=value
	want try
}

const winDC = "dc1.corp.example.org"

func winCases() []winCase {
	in, no, locked, failed := event.Accepted, event.Refused, event.Locked, event.Failed
	return []winCase{
		{"4624", []string{"TargetUserSid=S-1-5-21-1-2-3-1104", "TargetUserName=svc", "TargetDomainName=CORP", "TargetLogonId=0x1f", "LogonType=3", "IpAddress=::ffff:192.0.2.10", "IpPort=49254"}, try{`corp\svc`, "192.0.2.10", in}},
		{"4625", []string{"TargetUserName=svc", "TargetDomainName=CORP", "Status=0xc000006d", "SubStatus=0xc000006a", "LogonType=8", "IpAddress=192.0.2.11", "IpPort=1"}, try{`corp\svc`, "192.0.2.11", no}},
		{"4625", []string{"TargetUserName=svc", "TargetDomainName=CORP", "Status=0xc0000234", "SubStatus=0x0", "LogonType=3", "IpAddress=192.0.2.11", "IpPort=-"}, try{`corp\svc`, "192.0.2.11", locked}},
		{"4625", []string{"TargetUserName=svc", "TargetDomainName=CORP", "Status=0xc000006e", "SubStatus=0xc0000072", "LogonType=3", "IpAddress=2001:db8::1", "IpPort=5"}, try{`corp\svc`, "2001:db8::1", event.Barred}},
		{"4768", []string{"TargetUserName=svc", "TargetDomainName=corp.example.org", "TargetUserSid=S-1-5-21-1-2-3-1104", "Status=0x0", "IpAddress=::ffff:192.0.2.12", "IpPort=50135"}, try{`corp.example.org\svc`, "192.0.2.12", in}},
		// Nobody showed a value: anybody is given such a ticket.
		{"4768", []string{"TargetUserName=roast", "TargetDomainName=CORP", "TargetUserSid=S-1-5-21-1-2-3-1105", "Status=0x0", "PreAuthType=0", "IpAddress=::ffff:192.0.2.12", "IpPort=50135"}, try{`corp\roast`, "192.0.2.12", event.Unknown}},
		{"4768", []string{"TargetUserName=svc", "TargetDomainName=CORP", "TargetUserSid=S-1-5-21-1-2-3-1104", "Status=0x0", "PreAuthType=2", "IpAddress=::ffff:192.0.2.12", "IpPort=50135"}, try{`corp\svc`, "192.0.2.12", in}},
		{"4768", []string{"TargetUserName=nobody", "TargetDomainName=CORP", "TargetUserSid=S-1-0-0", "Status=0x6", "IpAddress=::ffff:192.0.2.12", "IpPort=50135"}, try{`corp\nobody`, "192.0.2.12", no}},
		{"4769", []string{"TargetUserName=svc@CORP.EXAMPLE.ORG", "TargetDomainName=CORP.EXAMPLE.ORG", "Status=0x0", "IpAddress=::ffff:192.0.2.13", "IpPort=50136"}, try{"svc@corp.example.org", "192.0.2.13", in}},
		{"4771", []string{"TargetUserName=svc", "Status=0x18", "IpAddress=::ffff:192.0.2.14", "IpPort=50137"}, try{"svc", "192.0.2.14", no}},
		{"4771", []string{"TargetUserName=svc", "Status=0x12", "IpAddress=::ffff:192.0.2.14", "IpPort=50137"}, try{"svc", "192.0.2.14", failed}},
		{"4776", []string{"TargetUserName=svc", "Workstation=WIN81", "Status=0xc000006a"}, try{"svc", "invalid IP", no}},
		{"4776", []string{"TargetUserName=svc", "Workstation=WIN81", "Status=0x0"}, try{"svc", "invalid IP", in}},
		{"4740", []string{"TargetUserName=svc", "TargetDomainName=WIN81", "TargetSid=S-1-5-21-1-2-3-1104"}, try{"svc", "invalid IP", locked}},
		{"2889", []string{"=192.0.2.15:51772", `=CORP\svc`, "=0"}, try{`corp\svc`, "192.0.2.15", event.Unknown}},
		// Nobody's: the machine itself, anonymous, and an event of no account.
		{"4624", []string{"TargetUserSid=S-1-5-18", "TargetUserName=SYSTEM", "TargetDomainName=NT AUTHORITY", "LogonType=5", "IpAddress=-"}, try{}},
		{"4624", []string{"TargetUserSid=S-1-5-7", "TargetUserName=ANONYMOUS LOGON", "TargetDomainName=NT AUTHORITY", "LogonType=3", "IpAddress=192.0.2.9"}, try{}},
		{"4634", []string{"TargetUserName=svc"}, try{}},
	}
}

func winWant() (out []try) {
	for _, c := range winCases() {
		if c.want.account != "" {
			out = append(out, c.want)
		}
	}
	return out
}

// asXML is a record as the schema has it.
func (c winCase) asXML(n int) string {
	provider, channel := "Microsoft-Windows-Security-Auditing", "Security"
	if c.id == "2889" {
		provider, channel = "Microsoft-Windows-ActiveDirectory_DomainService", "Directory Service"
	}
	var data strings.Builder
	for _, d := range c.data {
		name, value, _ := strings.Cut(d, "=")
		if name != "" {
			name = " Name='" + name + "'"
		}
		fmt.Fprintf(&data, "<Data%s>%s</Data>", name, html.EscapeString(value))
	}
	return fmt.Sprintf("<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='%s' Guid='{0}'/><EventID Qualifiers='16384'>%s</EventID><Version>0</Version><TimeCreated SystemTime='2026-11-29T22:10:%02d.1234567Z'/><EventRecordID>%d</EventRecordID><Channel>%s</Channel><Computer>%s</Computer><Security/></System><EventData>%s</EventData></Event>",
		provider, c.id, n, n, channel, winDC, data.String())
}

// byFile reads a file with the parts that it is read in.
func byFile(t *testing.T, format string, o Options, content []byte) (events []event.Event, unreadable int) {
	name := filepath.Join(t.TempDir(), "export")
	require.NoError(t, os.WriteFile(name, content, 0o600))
	in, err := logfile.Open(name)
	require.NoError(t, err)
	defer in.Close()
	o.Event = func(e event.Event) { events = append(events, e) }
	o.Note = func(n event.Note, at event.Place, _ string) { t.Errorf("%s at %v", n, at) }
	f, err := Named(format)
	require.NoError(t, err)
	p := f.New(o)
	lines, recognised := logfile.NewLines(in), false
	for {
		line, n, tooLong, err := lines.Next()
		if err != nil {
			break
		}
		is, ok := Recognise(line)
		recognised = recognised || ok && is.Name == format
		v := Unreadable
		if !tooLong {
			v, _, err = p.Line(line, event.Place{File: "f", Line: n})
			require.NoError(t, err)
		}
		if v == Unreadable {
			unreadable++
		}
	}
	p.Close()
	require.True(t, recognised)
	return events, unreadable
}

func utf16LE(text string) []byte {
	out := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune(text)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

func TestEventsOfWindowsAsXMLAreReadHoweverTheyStand(t *testing.T) {
	var all []string
	for i, c := range winCases() {
		all = append(all, c.asXML(i))
	}
	pretty := strings.NewReplacer("><", ">\r\n  <").Replace(strings.Join(all, "\r\n"))
	for name, content := range map[string][]byte{
		"one on each line":             []byte(strings.Join(all, "\n")),
		"all on one line":              []byte(strings.Join(all, "")),
		"the Event Viewer's":           []byte("\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?>\r\n<Events>" + strings.Join(all, "") + "</Events>"),
		"UTF-16, as PowerShell writes": utf16LE(strings.Join(all, "\r\n") + "\r\n"),
		"on many lines":                []byte(pretty),
	} {
		events, unreadable := byFile(t, "windows-xml", Options{}, content)
		require.Equal(t, winWant(), triesOf(events), name)
		require.Zero(t, unreadable, name)
		require.Equal(t, "2026-11-29T22:10:00.1234567Z", events[0].At.UTC().Format(time.RFC3339Nano))
		require.Equal(t, winDC, events[0].Server)
		for _, e := range events {
			require.Equal(t, e.Method != "kerberos-service" && e.Method != "lock-out", e.Login, e.Method)
			if name == "one on each line" {
				require.Equal(t, e.At.Second()+1, e.Line)
			}
		}
	}
}

func TestAChangeInWindowsIsFromTheAddressOfItsLogon(t *testing.T) {
	by := []string{"SubjectUserSid=S-1-5-21-1-2-3-1104", "SubjectUserName=svc", "SubjectDomainName=CORP", "SubjectLogonId=0x1F"}
	cases := []winCase{winCases()[0],
		{"4724", append([]string{"TargetUserName=admin", "TargetDomainName=CORP"}, by...), try{}},
		{"4723", append([]string{"TargetUserName=svc", "TargetDomainName=CORP"}, by...), try{}},
		{"4728", append([]string{"MemberName=CN=svc,DC=corp", "TargetUserName=Domain Admins", "TargetDomainName=CORP"}, by...), try{}},
		{"4724", []string{"TargetUserName=x", "SubjectUserName=other", "SubjectDomainName=CORP", "SubjectLogonId=0x2f"}, try{}},
		{"4724", []string{"TargetUserName=x", "SubjectUserSid=S-1-5-18", "SubjectUserName=DC1$", "SubjectDomainName=CORP", "SubjectLogonId=0x3e7"}, try{}},
	}
	var text strings.Builder
	for i, c := range cases {
		text.WriteString(c.asXML(i))
	}
	events, _ := byFile(t, "windows-xml", Options{}, []byte(text.String()))
	require.Equal(t, []done{
		{`corp\svc`, "192.0.2.10", event.Reset, `corp\admin`, ""}, {`corp\svc`, "192.0.2.10", event.OwnChange, `corp\svc`, ""},
		{`corp\svc`, "192.0.2.10", event.NewMember, "cn=svc,dc=corp", `corp\domain admins`},
	}, donesOf(events, "192.0.2.10"))
	require.Equal(t, []done{{`corp\other`, "invalid IP", event.Reset, "x", ""}}, donesOf(events, "invalid IP"))
}

func TestABindByADNIsOfThatEntry(t *testing.T) {
	events, _ := byFile(t, "windows-xml", Options{}, []byte(winCase{"2889", []string{"=192.0.2.1:4000", "=CN=svc,OU=s,DC=corp", "=0"}, try{}}.asXML(1)))
	require.Equal(t, []try{{"cn=svc,ou=s,dc=corp", "192.0.2.1", event.Unknown}}, triesOf(events))
	require.Equal(t, event.DN, events[0].Form)
}

func TestANumberOfALogonIsAnotherOneWhenWindowsHasStarted(t *testing.T) {
	change := winCase{"4724", []string{"TargetUserName=admin", "TargetDomainName=CORP", "SubjectUserSid=S-1-5-21-1-2-3-1104", "SubjectUserName=svc", "SubjectDomainName=CORP", "SubjectLogonId=0x1F"}, try{}}
	text := winCases()[0].asXML(0) + change.asXML(1) + winCase{id: winStart}.asXML(2) + change.asXML(3)
	events, _ := byFile(t, "windows-xml", Options{}, []byte(text))
	require.Len(t, donesOf(events, "192.0.2.10"), 1)
	require.Len(t, donesOf(events, "invalid IP"), 1, "nothing says from where")
	_, unreadable := byFile(t, "windows-csv", Options{}, []byte("Id,TimeCreated,MachineName,Message\r\n"+
		winStart+",2026-11-29T22:10:32Z,"+winDC+",\"Windows is starting up.\r\n\r\nThis event is logged when LSASS.EXE starts and the auditing subsystem is initialized.\"\r\n"))
	require.Zero(t, unreadable)
}

func TestAccountsThatAreMadeAndNewKeysInWindowsAreTold(t *testing.T) {
	by := []string{"SubjectUserSid=S-1-5-21-1-2-3-1104", "SubjectUserName=svc", "SubjectDomainName=CORP", "SubjectLogonId=0x1F"}
	of := func(id string, data ...string) winCase { return winCase{id, append(data, by...), try{}} }
	cases := []winCase{winCases()[0],
		of("4720", "TargetUserName=made", "TargetDomainName=CORP"), of("4722", "TargetUserName=made", "TargetDomainName=CORP"),
		of("4781", "OldTargetUserName=made", "NewTargetUserName=other", "TargetDomainName=CORP"),
		of("4725", "TargetUserName=other", "TargetDomainName=CORP"), of("4726", "TargetUserName=other", "TargetDomainName=CORP"),
		of("5136", "ObjectDN=CN=admin,DC=corp", "AttributeLDAPDisplayName=msDS-KeyCredentialLink", "OperationType=%%14674"),
		of("5136", "ObjectDN=CN=admin,DC=corp", "AttributeLDAPDisplayName=msDS-KeyCredentialLink", "OperationType=%%14675"),
		of("5136", "ObjectDN=CN=admin,DC=corp", "AttributeLDAPDisplayName=description", "OperationType=%%14674"),
	}
	want := func(what event.Change, target string) done { return done{`corp\svc`, "192.0.2.10", what, target, ""} }
	all := []done{want(event.Made, `corp\made`), want(event.Enabled, `corp\made`), want(event.Renamed, `corp\made`), want(event.Disabled, `corp\other`), want(event.Removed, `corp\other`), want(event.NewKey, "cn=admin,dc=corp")}
	quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	asXML, asCSV := "", "Id,TimeCreated,MachineName,Message\r\n"
	for i, c := range cases {
		asXML += c.asXML(i)
		text := strings.NewReplacer("%%14674", "Value Added", "%%14675", "Value Deleted").Replace(c.asMessage())
		if i > 0 { // the one who did it stands first in such a message
			text = strings.Replace(text, "Subject:\r\n\tSecurity ID:\t\tS-1-5-18\r\n\tAccount Name:\t\tDC1$\r\n\tAccount Domain:\t\tCORP\r\n\r\n", "", 1)
		}
		asCSV += fmt.Sprintf("%s,2026-11-29 22:10:%02d,%s,%s\r\n", c.id, i, winDC, quote(text))
	}
	events, _ := byFile(t, "windows-xml", Options{}, []byte(asXML))
	require.Equal(t, all, donesOf(events, "192.0.2.10"))
	events, unreadable := byFile(t, "windows-csv", Options{Zone: time.UTC}, []byte(asCSV))
	require.Zero(t, unreadable)
	require.Equal(t, all, donesOf(events, "192.0.2.10"))
}

func TestAnAccountOfTheMachineItselfIsNotTheDomains(t *testing.T) {
	own := winCase{"4624", []string{"TargetUserName=svc", "TargetDomainName=DC1", "LogonType=3", "IpAddress=192.0.2.10"}, try{}}
	events, _ := byFile(t, "windows-xml", Options{}, []byte(own.asXML(0)))
	require.Equal(t, event.Other, events[0].Form)
}

func TestHostileEventsOfWindowsAreBounded(t *testing.T) {
	good := winCases()[0]
	evil := winCase{"4625", []string{"TargetUserName=</Data></EventData></Event><Event><System><EventID>4624</EventID>", "TargetDomainName=CORP", "SubStatus=0xc000006a", "IpAddress=192.0.2.66"}, try{}}
	text := good.asXML(0) + evil.asXML(1) + "\n<Event " + strings.Repeat("A", 10<<20) + "</Event>" + good.asXML(2) + "\n<Event xmlns='" + string(winSchema) + "'>\n" + strings.Repeat("A\n", 1<<20) + "</Event>\n" + good.asXML(3)
	events, unreadable := byFile(t, "windows-xml", Options{}, []byte(text))
	require.Len(t, events, 4)
	require.Equal(t, event.Refused, events[1].Outcome, "a name is a name, whatever is written in it")
	require.Equal(t, "192.0.2.66", events[1].Address.String())
	require.Positive(t, unreadable)
}

// asMessage is the text that Windows shows of a record: its labels in their
// sections.
func (c winCase) asMessage() string {
	sections := map[string][]string{}
	var order []string
	var top strings.Builder
	for _, d := range c.data {
		name, value, _ := strings.Cut(d, "=")
		for label, of := range winLabels[c.id] {
			section, label, _ := strings.Cut(label, "/")
			switch {
			case of != name && !(name == "" && of == "Client" && strings.Contains(value, ":")) && !(name == "" && of == "Identity" && strings.Contains(value, `\`)):
			case section == "Logon Information": // of another version
			case section == "" && c.id == "2889":
				fmt.Fprintf(&top, "%s:\r\n%s\r\n", label, value)
			case section == "":
				fmt.Fprintf(&top, "%s:\t\t%s\r\n", label, value)
			default:
				if sections[section] == nil {
					order = append(order, section)
				}
				sections[section] = append(sections[section], label+":\t\t"+value)
			}
		}
	}
	out := "An event, in words: of \"which\" nothing is read.\r\n\r\nSubject:\r\n\tSecurity ID:\t\tS-1-5-18\r\n\tAccount Name:\t\tDC1$\r\n\tAccount Domain:\t\tCORP\r\n\r\n" + top.String()
	for _, s := range order {
		out += s + ":\r\n\t" + strings.Join(sections[s], "\r\n\t") + "\r\n\r\n"
	}
	return out + "This event is generated when something: happens."
}

func TestEventsOfWindowsAsCSVAreReadFromTheirColumnsOrTheirMessage(t *testing.T) {
	quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	export, german, viewer := "#TYPE System.Diagnostics.Eventing.Reader.EventLogRecord\r\n\"Message\",\"Id\",\"ProviderName\",\"MachineName\",\"TimeCreated\"\r\n", "Id;TimeCreated;MachineName;Message\r\n",
		"\xef\xbb\xbfLevel,Date and Time,Source,Event ID,Task Category\r\n"
	columns := "TimeCreated,EventID,Computer,TargetUserName,TargetDomainName,TargetUserSid,LogonType,IpAddress,IpPort,Status,SubStatus,PreAuthType,Client,Identity\n"
	names := strings.Split(strings.TrimSpace(columns), ",")[3:]
	for i, c := range winCases() {
		provider := "Microsoft-Windows-Security-Auditing"
		if c.id == "2889" {
			provider = "Microsoft-Windows-ActiveDirectory_DomainService"
		}
		at := fmt.Sprintf("2026-11-29 22:10:%02d", i)
		export += strings.Join([]string{quote(c.asMessage()), quote(c.id), quote(provider), quote(winDC), quote(at)}, ",") + "\r\n"
		german += strings.Join([]string{c.id, fmt.Sprintf("29.11.2026 22:10:%02d", i), winDC, quote(c.asMessage())}, ";") + "\r\n"
		viewer += strings.Join([]string{"Information", at, provider, c.id, "Logon", quote(c.asMessage())}, ",") + "\r\n"
		row := []string{fmt.Sprintf("2026-11-29T22:10:%02dZ", i), c.id, winDC}
		for _, name := range names {
			value := ""
			for j, d := range c.data {
				of, v, _ := strings.Cut(d, "=")
				if of == name || of == "" && (name == "Client" && j == 0 || name == "Identity" && j == 1) {
					value = v
				}
			}
			row = append(row, value)
		}
		columns += strings.Join(row, ",") + "\n"
	}
	for name, text := range map[string]string{"Export-Csv": export, "with semicolons": german, "the Event Viewer's": viewer, "by columns": columns} {
		events, unreadable := byFile(t, "windows-csv", Options{Zone: time.UTC}, []byte(text))
		require.Equal(t, winWant(), triesOf(events), name)
		require.Zero(t, unreadable, name)
		for _, e := range events {
			require.Equal(t, "2026-11-29T22:10", e.At.UTC().Format("2006-01-02T15:04"))
			lines := strings.Split(text, "\n")
			require.Contains(t, lines[e.Line-1]+lines[min(e.Line, len(lines)-1)], map[bool]string{true: "An event", false: winDC}[name != "by columns"], "an event is where its record begins")
		}
	}
}

func TestATimeOfWhichTheOrderIsNotSureIsRefused(t *testing.T) {
	p := newWindowsCSV(Options{Zone: time.UTC})
	_, _, err := p.Line([]byte("Id,TimeCreated"), event.Place{File: "f", Line: 1})
	require.NoError(t, err)
	_, _, err = p.Line([]byte("4624,03/04/2026 10:10:32 PM"), event.Place{File: "f", Line: 2})
	require.ErrorContains(t, err, "f line 2: its time has no order of day and month that is sure")
}

func TestAnExportWhoseMessagesAreInAnotherLanguageIsRefusedAndSaysHowToExportIt(t *testing.T) {
	p := newWindowsCSV(Options{Zone: time.UTC})
	at := func(n int) event.Place { return event.Place{File: "f", Line: n} }
	_, _, err := p.Line([]byte("Id,TimeCreated,MachineName,Message"), at(1))
	require.NoError(t, err)
	v, _, err := p.Line([]byte(`4634,2026-11-29 22:10:00,dc1,"Ein Konto wurde abgemeldet."`), at(2))
	require.NoError(t, err)
	require.Equal(t, Read, v, "of which nothing is read in any language")
	v, _, err = p.Line([]byte(`4624,2026-11-29 22:10:00,dc1,`), at(3))
	require.NoError(t, err)
	require.Equal(t, Unreadable, v, "nothing of it was exported")
	for i, line := range []string{`4624,2026-11-29 22:10:00,dc1,"Ein Konto wurde erfolgreich angemeldet.`, ``, `Neue Anmeldung:`, "\tKontoname:\t\tsvc", "\tLogon Type:\t\t3"} {
		_, _, err = p.Line([]byte(line), at(4+i))
		require.NoError(t, err)
	}
	_, _, err = p.Line([]byte(`"`), at(9))
	require.ErrorContains(t, err, "f line 4: the message of event 4624 has none of the labels that Windows writes in English")
	require.ErrorContains(t, err, "wevtutil qe Security /f:xml")
}

func TestWhoAsksIsAWorkstationInWindowsAsHeSays(t *testing.T) {
	cases := []winCase{
		{"4624", []string{"TargetUserName=svc", "TargetDomainName=CORP", "LogonType=3", "WorkstationName=KALI", "IpAddress=192.0.2.10"}, try{}},
		{"4776", []string{"TargetUserName=svc", "Workstation=KALI", "Status=0x0"}, try{}},
		{"4740", []string{"TargetUserName=svc", "TargetDomainName=KALI"}, try{}},
	}
	quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	asXML, asCSV := "", "Id,TimeCreated,MachineName,Message\r\n"
	for i, c := range cases {
		asXML += c.asXML(i)
		asCSV += fmt.Sprintf("%s,2026-11-29 22:10:%02d,%s,%s\r\n", c.id, i, winDC, quote(c.asMessage()))
	}
	for format, text := range map[string]string{"windows-xml": asXML, "windows-csv": asCSV} {
		events, unreadable := byFile(t, format, Options{Zone: time.UTC}, []byte(text))
		require.Zero(t, unreadable)
		require.Len(t, events, 3)
		for _, e := range events {
			require.Equal(t, "KALI", e.Client, format)
			require.True(t, e.NameSaid)
		}
	}
}

// Who asks for a ticket types any text as his name, ends of lines too, and the
// name stands before what the server says of him.
func TestWhoTypesANameWritesNothingElseOfAMessage(t *testing.T) {
	quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	const after = "\r\n\r\nNetwork Information:\r\n\tClient Address:\t\t10.0.0.5\r\n\r\nAdditional Information:\r\n\tResult Code:\t\t0x0"
	message := func(name, address string) string {
		return "A Kerberos authentication ticket (TGT) was requested.\r\n\r\nAccount Information:\r\n\tAccount Name:\t\t" + name + "\r\n\tSupplied Realm Name:\tCORP\r\n\r\n" +
			"Network Information:\r\n\tClient Address:\t\t" + address + "\r\n\tClient Port:\t\t5\r\n\r\nAdditional Information:\r\n\tResult Code:\t\t0x6\r\n"
	}
	text := "Id,TimeCreated,MachineName,Message\r\n"
	for _, m := range []string{
		message("svc"+after, "192.0.2.66"), message("svc"+after, ""), message("svc\r\n\r\nNetwork Information:\r\n\tClient Address:\r\n10.0.0.5", "192.0.2.66"),
		message("svc\r\n\tAccount Name:\t\tadmin", "192.0.2.66"), message("svc", "192.0.2.66"),
	} {
		text += "4768,2026-11-29 22:10:00," + winDC + "," + quote(m) + "\r\n"
	}
	events, unreadable := byFile(t, "windows-csv", Options{Zone: time.UTC}, []byte(text))
	require.Equal(t, []try{{`corp\svc`, "192.0.2.66", event.Refused}}, triesOf(events))
	require.Equal(t, 4, unreadable)

	binds := "2889,2026-11-29 22:10:00," + winDC + "," + quote("Client IP address:\r\n192.0.2.66:5\r\nIdentity the client attempted to authenticate as:\r\nx\r\nClient IP address:\r\n10.0.0.5:5\r\n") + "\r\n"
	events, unreadable = byFile(t, "windows-csv", Options{Zone: time.UTC}, []byte("Id,TimeCreated,MachineName,Message\r\n"+binds))
	require.Empty(t, events)
	require.Equal(t, 1, unreadable)
}
