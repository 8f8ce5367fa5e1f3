// Package logs reads the logs of servers: each format is a parser that gets
// lines in order and says what was used, by whom, from where. A parser opens
// nothing and keeps a bounded memory.
package logs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"rollcall/internal/evidence/event"
)

// Verdict is what became of a line.
type Verdict int

// Verdicts.
const (
	Read       Verdict = iota // understood, whatever it says
	Foreign                   // of another program in the same file
	Unreadable                // not understood
	Aside                     // understood, and written whether logins are or not
)

// Parser reads the lines of one source, in order, across its files. Nothing of
// a line may be kept without a copy.
type Parser interface {
	// Line reads one line. at is zero where the line has no time of its own.
	// The error is *NoTime, where the time of a line cannot be placed, or
	// *NotEnglish: the file is none to go on with.
	Line(line []byte, place event.Place) (v Verdict, at time.Time, err error)
	// Server is the one that the line before named; "" where lines name none.
	Server() string
	// Close ends the source: what waits for an answer goes out as it is.
	Close()
}

// Options of a parser.
type Options struct {
	// Year is that of the first line of each file whose times have none; 0
	// where nobody said.
	Year int
	// Zone is that of times without one; nil where nobody said.
	Zone *time.Location
	// Clock is that of other parsers of the same files; nil makes one.
	Clock *Clock
	// Quiet is the stretch without lines behind which the address of a
	// connection is in doubt.
	Quiet time.Duration
	// Event and Note take what was found; server is the one whose log it is of,
	// "" where lines name none.
	Event func(event.Event)
	Note  func(n event.Note, at event.Place, server string)
	// Meets reports whether an address, or else the name of a host, is one that
	// is looked for wherever it stands. nil where none is.
	Meets func(a netip.Addr, name string) bool
	// Live: lines are read as they are written, and the end is far.
	Live bool
}

// connected tells of an address that is looked for, and that did not log in.
func (o Options) connected(place event.Place, at time.Time, server string, a netip.Addr, port uint16) {
	if o.Meets != nil && o.Meets(a, "") {
		o.Event(event.Event{Place: place, At: at, Server: server, Form: event.Other, Address: a.Unmap().WithZone(""), Port: port, Method: "connection", Outcome: event.Connected})
	}
}

// Looked gives the first address or name in a text that is looked for.
func (o Options) Looked(text string) (e event.Event, found bool) {
	if o.Meets == nil {
		return e, false
	}
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" \t[]()<>,;=\"'/", r) }) {
		e = event.Event{Form: event.Other, Method: "connection", Outcome: event.Connected}
		a, err := netip.ParseAddr(strings.TrimSuffix(word, ":"))
		if from, asPort := netip.ParseAddrPort(word); err != nil && asPort == nil {
			a, e.Port, err = from.Addr(), from.Port(), nil
		}
		if err == nil {
			e.Address = a.Unmap().WithZone("")
		} else if e.Client, e.NameSaid = cutName(strings.TrimRight(word, ":.")), true; !strings.Contains(e.Client, ".") {
			continue
		}
		if o.Meets(e.Address, e.Client) {
			return e, true
		}
	}
	return e, false
}

func (o Options) clock() *Clock {
	if o.Clock != nil {
		return o.Clock
	}
	return NewClock(o.Year, o.Zone)
}

// NoTime refuses a line whose time cannot be placed.
type NoTime struct {
	Place event.Place
	Needs string // what the operator has to say
	// Alone: one line may be so, whatever the operator said.
	Alone bool
}

func (e *NoTime) Error() string {
	return fmt.Sprintf("%s line %d: its time has no %s", e.Place.File, e.Place.Line, e.Needs)
}

// Format is one kind of log.
type Format struct {
	Name string
	// Writes names what writes it, for people.
	Writes string
	// Recognises reports whether a line is one of this format for certain:
	// nothing else is written so.
	Recognises func(line []byte) bool
	// Drivers of directories that write it, as config.Driver has them; Vault
	// says that Vault does.
	Drivers []string
	Vault   bool
	// Domains: it writes of a login the domain that the server found.
	Domains bool
	// Hostless: its lines do not say which server wrote them.
	Hostless func(line []byte) bool
	New      func(Options) Parser
	// Program reports whether a program of that name writes it into a syslog,
	// which many programs share; nil where none does.
	Program func(name string) bool
	// NeedsOrder: what a line says is told by those before it, and an export
	// may have the newest first.
	NeedsOrder bool
	// Headed: a file begins with the names of its columns.
	Headed bool
	// InFront: it is the log of a server in front of an authority, which is not
	// that authority's own.
	InFront bool
	// CannotShow is what no log of this format holds, however it is set.
	CannotShow []event.Limit
}

var winLimits = []event.Limit{event.NTLMNameless, event.LDAPByNoAddress}

func always([]byte) bool { return true }
func never([]byte) bool  { return false }
func notSyslog(line []byte) bool {
	_, ok := ByProgram(line)
	return !ok
}

// Formats are all that are read. Do not change them.
func Formats() []Format { return formats }

var formats []Format

// init and no value of its own: parsers ask for the formats.
func init() {
	formats = []Format{
		{Name: "openldap", Writes: "slapd with loglevel stats, by syslog or to a file", Drivers: []string{"openldap"}, Recognises: isOpenLDAP, Hostless: isDebug, New: newOpenLDAP, Program: called("slapd")},
		{Name: "389ds", Writes: "the access log of 389 Directory Server", Drivers: []string{"389ds"}, Recognises: isDS389, Hostless: always, New: newDS389},
		{Name: "389ds-json", Writes: "the access log of 389 Directory Server 3 with nsslapd-accesslog-log-format: json", Drivers: []string{"389ds"}, Recognises: isDS389JSON, Hostless: always, New: newDS389JSON},
		{Name: "samba", Writes: "a domain controller of Samba's with auth_json_audit", Drivers: []string{"active-directory"}, Domains: true, Recognises: isSamba, Hostless: always, New: newSamba,
			CannotShow: []event.Limit{event.ClearRefused}},
		{Name: "windows-xml", Writes: "events of Windows as XML (wevtutil qe /f:xml, Event Viewer, Get-WinEvent with ToXml)", Drivers: []string{"active-directory"}, Domains: true, Recognises: isWindowsXML, Hostless: never, NeedsOrder: true, New: newWindowsXML, CannotShow: winLimits},
		{Name: "windows-csv", Writes: "events of Windows as CSV (Get-WinEvent with Export-Csv, Event Viewer)", Drivers: []string{"active-directory"}, Domains: true, Recognises: isWindowsCSV, Headed: true, Hostless: always, NeedsOrder: true, New: newWindowsCSV, CannotShow: winLimits},
		{Name: "dovecot", Writes: "Dovecot, by syslog or to its own file (log_path)", InFront: true, Recognises: isDovecot, Hostless: notSyslog, New: newDovecot, Program: called("dovecot"),
			CannotShow: []event.Limit{event.LastNameOnly, event.ClearRefused}},
		{Name: "postfix", Writes: "Postfix's smtpd, by syslog or to its own file (maillog_file)", InFront: true, Recognises: isPostfix, Hostless: notSyslog, New: newPostfix, Program: isPostfixProgram,
			CannotShow: []event.Limit{event.NoMailNoName}},
		{Name: "sshd", Writes: "OpenSSH's sshd, by syslog", InFront: true, Recognises: isSSHD, Hostless: notSyslog, New: newSSHD, Program: called("sshd", "sshd-session")},
		{Name: "proftpd", Writes: "ProFTPD, by syslog or to its own file (SystemLog)", InFront: true, Recognises: isProFTPD, Hostless: never, New: newProFTPD, Program: called("proftpd")},
		{Name: "vsftpd", Writes: "vsftpd, by syslog or to its own file (vsftpd_log_file)", InFront: true, Recognises: isVSFTPD, Hostless: notSyslog, New: newVSFTPD, Program: called("vsftpd")},
		{Name: "freeradius", Writes: "FreeRADIUS with auth = yes, by syslog or to its own file", InFront: true, Recognises: isFreeRADIUS, Hostless: notSyslog, New: newFreeRADIUS, Program: called("freeradius", "radiusd"),
			CannotShow: []event.Limit{event.AddressSaid}},
		{Name: "esg", Writes: "the mail syslog of a Barracuda Email Security Gateway", InFront: true, Recognises: isESG, Hostless: never, New: newESG, Program: isESGProgram,
			CannotShow: []event.Limit{event.RefusedOnly, event.ByDevice}},
		{Name: "vault-audit", Writes: "a file audit device of Vault or OpenBao", Vault: true, Recognises: isVaultAudit, Hostless: always, New: newVaultAudit},
	}
}

// ByProgram is the format of a line of a syslog, by the program that it names.
// Those that are mapped come last.
func ByProgram(line []byte, mapped ...Format) (Format, bool) {
	h, _, ok := cutSyslog(line)
	if !ok {
		return Format{}, false
	}
	is := func(f Format) bool { return f.Program != nil && f.Program(h.program) }
	if i := slices.IndexFunc(formats, is); i >= 0 {
		return formats[i], true
	}
	if i := slices.IndexFunc(mapped, is); i >= 0 {
		return mapped[i], true
	}
	return Format{}, false
}

// IsSyslog reports whether a line is one of a syslog, whichever program wrote
// it.
func IsSyslog(line []byte) bool {
	_, _, ok := cutSyslog(line)
	return ok
}

// SyslogTime is that of a line of a syslog; *NoTime where it cannot be placed.
func SyslogTime(line []byte, clock *Clock, place event.Place) (time.Time, error) {
	h, has, _ := cutSyslog(line)
	return clock.whole(h.at, has, place)
}

// OfSyslog is a format that a syslog may have, of which nothing else is known.
func OfSyslog() Format {
	return formats[slices.IndexFunc(formats, func(f Format) bool { return f.Program != nil })]
}

func called(names ...string) func(string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

// Named is the format of that name.
func Named(name string, mapped ...Format) (Format, error) {
	var names []string
	for _, f := range slices.Concat(Formats(), mapped) {
		if f.Name == name {
			return f, nil
		}
		names = append(names, f.Name)
	}
	return Format{}, fmt.Errorf("no format is called %q; there are %s", name, strings.Join(names, ", "))
}

// Recognise names the format of a line, or none. Those that are mapped come
// last.
func Recognise(line []byte, mapped ...Format) (Format, bool) {
	const shortest = 12 // of lines that are recognised
	if len(line) < shortest {
		return Format{}, false
	}
	all := Formats()
	recognises := func(f Format) bool { return f.Recognises(line) }
	if i := slices.IndexFunc(all, recognises); i >= 0 {
		return all[i], true
	}
	if i := slices.IndexFunc(mapped, recognises); i >= 0 {
		return mapped[i], true
	}
	return Format{}, false
}
