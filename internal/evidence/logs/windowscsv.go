package logs

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/evidence/event"
)

// windowsCSV reads events as Get-WinEvent | Export-Csv and the Event Viewer
// write them: a head with the names of columns, and records whose message
// stands on many lines. Where columns have the names of an event's data, those
// are read, else the message, which has to be in English.
type windowsCSV struct {
	windows
	records
	clock *Clock
}

func newWindowsCSV(o Options) Parser {
	return &windowsCSV{windows: newWindows(o), records: records{isHead: winHead}, clock: o.clock()}
}

// Names of columns, by what exports call them.
var (
	winIDs       = []string{"id", "eventid", "event id", "eventcode"}
	winTimes     = []string{"timecreated", "date and time", "timegenerated", "systemtime", "time created"}
	winComputers = []string{"machinename", "computer", "computername"}
	winMessages  = []string{"message", "description"}
	winProviders = []string{"providername", "source", "sourcename", "provider"}
)

func isWindowsCSV(line []byte) bool {
	head, _ := winHead(line)
	return head != nil
}

// winHead reads the names of the columns, in small letters; nil where it is no
// head.
func winHead(line []byte) (head []string, comma rune) {
	comma = ','
	if bytes.Count(line, []byte(";")) > bytes.Count(line, []byte(",")) {
		comma = ';'
	}
	if bytes.IndexByte(line, byte(comma)) < 0 {
		return nil, comma
	}
	head, err := csvRow(line, comma)
	if err != nil {
		return nil, comma
	}
	for i := range head {
		head[i] = strings.ToLower(strings.TrimSpace(head[i]))
	}
	if column(head, winIDs) < 0 || column(head, winTimes) < 0 {
		return nil, comma
	}
	return head, comma
}

func column(head, names []string) int {
	return slices.IndexFunc(head, func(h string) bool { return slices.Contains(names, h) })
}

func (p *windowsCSV) Line(line []byte, place event.Place) (Verdict, time.Time, error) {
	if place.File != p.file {
		p.Close()
	}
	row, ok := p.add(line, place)
	switch {
	case !ok:
		return Unreadable, time.Time{}, nil
	case row == nil:
		return Read, time.Time{}, nil
	}
	return p.row(row)
}

func (p *windowsCSV) row(row []string) (Verdict, time.Time, error) {
	of := func(names []string) string {
		if i := column(p.head, names); i >= 0 && i < len(row) {
			return strings.TrimSpace(row[i])
		}
		return ""
	}
	t, has, ok := exportTime(of(winTimes))
	switch {
	case !ok && strings.Count(of(winTimes), "/") == 2:
		return Unreadable, t, &NoTime{Place: p.since, Needs: "order of day and month that is sure: export the events again, with times as in 2026-11-29T22:10:32Z"}
	case !ok:
		return Unreadable, t, nil
	}
	at, err := p.clock.whole(t, has, p.since)
	if err != nil {
		return Unreadable, time.Time{}, err
	}
	r := winRecord{id: of(winIDs), computer: of(winComputers), at: at}
	message := of(winMessages)
	if column(p.head, winMessages) < 0 && len(row) > len(p.head) {
		message = row[len(row)-1] // the Event Viewer's has no name
	}
	if !messageData(r.id, message, &r.data) {
		return Unreadable, at, nil
	}
	for i, name := range p.head {
		if proper, ok := winData[name]; ok && i < len(row) && row[i] != "" {
			r.data.set(proper, row[i])
		}
	}
	p.server = r.computer
	if provider := of(winProviders); provider != "" && !ofProvider(r.id, provider) {
		return Read, at, nil
	}
	switch {
	case winEvents[r.id] == nil || r.id == winStart || r.names():
	case message == "":
		return Unreadable, at, nil // nothing of it was exported
	default:
		return Unreadable, at, &NotEnglish{Place: p.since, Event: r.id}
	}
	p.take(&r, p.since)
	return Read, at, nil
}

// names reports whether a record has the name of an account, if an empty one:
// each that is read has one.
func (r *winRecord) names() bool {
	for _, name := range []string{"TargetUserName", "SubjectUserName", "Identity"} {
		if _, ok := r.data.of(name); ok {
			return true
		}
	}
	return false
}

// NotEnglish refuses an export whose messages are in another language: each
// login of it would be passed over.
type NotEnglish struct {
	Place event.Place
	Event string
}

func (e *NotEnglish) Error() string {
	return fmt.Sprintf("%s line %d: the message of event %s has none of the labels that Windows writes in English, so it says nobody's name. Export the events as XML, which is the same in each language: wevtutil qe Security /f:xml, or Get-WinEvent with ToXml(); or with the columns TargetUserName, IpAddress and so on", e.Place.File, e.Place.Line, e.Event)
}

// winData are the data that are read, by their names in small letters.
var winData = func() map[string]string {
	out := map[string]string{}
	for _, name := range winNames {
		out[strings.ToLower(name)] = name
	}
	return out
}()

// winLabels are the labels of messages, with their sections, by the data that
// they stand for.
var winLabels = map[string]map[string]string{
	"4624": {"New Logon/Security ID": "TargetUserSid", "New Logon/Account Name": "TargetUserName", "New Logon/Account Domain": "TargetDomainName", "New Logon/Logon ID": "TargetLogonId",
		"/Logon Type": "LogonType", "Logon Information/Logon Type": "LogonType", "Network Information/Workstation Name": "WorkstationName", "Network Information/Source Network Address": "IpAddress", "Network Information/Source Port": "IpPort"},
	"4625": {"Account For Which Logon Failed/Account Name": "TargetUserName", "Account For Which Logon Failed/Account Domain": "TargetDomainName", "/Logon Type": "LogonType",
		"Failure Information/Status": "Status", "Failure Information/Sub Status": "SubStatus", "Network Information/Workstation Name": "WorkstationName", "Network Information/Source Network Address": "IpAddress", "Network Information/Source Port": "IpPort"},
	"4768": {"Account Information/Account Name": "TargetUserName", "Account Information/Supplied Realm Name": "TargetDomainName", "Network Information/Client Address": "IpAddress",
		"Network Information/Client Port": "IpPort", "Additional Information/Result Code": "Status", "Additional Information/Pre-Authentication Type": "PreAuthType"},
	"4769": {"Account Information/Account Name": "TargetUserName", "Account Information/Account Domain": "TargetDomainName", "Network Information/Client Address": "IpAddress",
		"Network Information/Client Port": "IpPort", "Additional Information/Failure Code": "Status"},
	"4771": {"Account Information/Account Name": "TargetUserName", "Network Information/Client Address": "IpAddress", "Network Information/Client Port": "IpPort",
		"Additional Information/Failure Code": "Status"},
	"4776": {"/Logon Account": "TargetUserName", "/Source Workstation": "Workstation", "/Error Code": "Status"},
	"4740": {"Account That Was Locked Out/Account Name": "TargetUserName", "Additional Information/Caller Computer Name": "TargetDomainName"},
	"4723": winChangeLabels, "4724": winChangeLabels, "4728": winMemberLabels, "4732": winMemberLabels, "4756": winMemberLabels,
	"4720": winLabelsOf("New Account", map[string]string{"Account Name": "TargetUserName", "Account Domain": "TargetDomainName"}),
	"4722": winChangeLabels, "4725": winChangeLabels, "4726": winChangeLabels,
	"4781": winLabelsOf("Target Account", map[string]string{"Old Account Name": "OldTargetUserName", "Account Domain": "TargetDomainName"}),
	"5136": winLabelsOf("", map[string]string{"Object/DN": "ObjectDN", "Attribute/LDAP Display Name": "AttributeLDAPDisplayName", "Operation/Type": "OperationType"}),
	"2889": {"/Client IP address": "Client", "/Identity the client attempted to authenticate as": "Identity"},
}

var (
	winChangeLabels = winLabelsOf("Target Account", map[string]string{"Account Name": "TargetUserName", "Account Domain": "TargetDomainName"})
	winMemberLabels = winLabelsOf("", map[string]string{"Member/Account Name": "MemberName", "Member/Security ID": "MemberSid", "Group/Group Name": "TargetUserName", "Group/Group Domain": "TargetDomainName"})
)

// winLabelsOf are labels of a section, beside those of who made a change.
func winLabelsOf(section string, labels map[string]string) map[string]string {
	out := map[string]string{"Subject/Security ID": "SubjectUserSid", "Subject/Account Name": "SubjectUserName", "Subject/Account Domain": "SubjectDomainName", "Subject/Logon ID": "SubjectLogonId"}
	for label, name := range labels {
		if section != "" {
			label = section + "/" + label
		}
		out[label] = name
	}
	return out
}

// messageData reads the text that Windows shows of an event. ok is false where
// a label comes twice: a name stands in it as somebody typed it, with labels of
// his own.
func messageData(id, message string, to *winValues) (ok bool) {
	labels := winLabels[id]
	section, waits := "", ""
	seen := map[string]bool{}
	for line := range strings.Lines(message) {
		line = strings.TrimRight(line, "\r\n \t")
		if waits != "" && line != "" { // the value of a label above it
			to.set(waits, strings.TrimSpace(line))
			waits = ""
			continue
		}
		label, value, ok := strings.Cut(line, ":")
		if !ok {
			continue
		}
		inside := strings.HasPrefix(label, "\t") || strings.HasPrefix(label, " ")
		label, value = strings.TrimSpace(label), strings.TrimSpace(value)
		key := section + "/" + label
		if !inside {
			section, key = "", "/"+label
			if value == "" {
				section = label
			}
		}
		if name := labels[key]; name != "" {
			if seen[name] {
				return false
			}
			seen[name] = true
			if to.set(name, value); id == "2889" && value == "" {
				waits = name
			}
		}
	}
	return true
}

// exportTime reads a time as exports have it. One with strokes may be of either
// order of day and month, and is refused.
func exportTime(text string) (t time.Time, has dated, ok bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05.999999-0700"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, zoned, true
		}
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "02.01.2006 15:04:05", "2.1.2006 15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, unzoned, true
		}
	}
	return t, unzoned, false
}

// Close ends it.
func (p *windowsCSV) Close() {
	if len(p.pending) > 0 {
		p.o.Note(event.CutOff, p.since, p.server)
	}
}
