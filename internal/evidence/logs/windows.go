package logs

import (
	"net/netip"
	"strings"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"rollcall/internal/evidence/event"
)

// winRecord is one event of Windows, by the names that the documentation gives
// its data (https://learn.microsoft.com/windows/security/threat-protection/auditing/).
type winRecord struct {
	id       string
	computer string
	at       time.Time
	data     winValues
}

// winValues are few: those of winData that an event has.
type winValues []winValue

type winValue struct{ name, value string }

func (v winValues) of(name string) (value string, ok bool) {
	for i := range v {
		if v[i].name == name {
			return v[i].value, true
		}
	}
	return "", false
}

// set gives a value another one's place, where there is one.
func (v *winValues) set(name, value string) {
	for i := range *v {
		if (*v)[i].name == name {
			(*v)[i].value = value
			return
		}
	}
	*v = append(*v, winValue{name, value})
}

func (r *winRecord) is(name string) string {
	v, _ := r.data.of(name)
	v = strings.TrimSpace(v)
	if v == "-" {
		return ""
	}
	return v
}

// winEvents are those of which anything is read, with how each is.
var winEvents = map[string]func(r *winRecord, e *event.Event) bool{
	"4723": winPassword, "4724": winPassword, "4728": winMember, "4732": winMember, "4756": winMember,
	"4720": winAccountChange, "4722": winAccountChange, "4725": winAccountChange, "4726": winAccountChange, "4781": winAccountChange, "5136": winAttribute,
	"4624": winLogon, "4625": winLogon, "4768": winTicket, "4769": winService, "4771": winTicket, "4776": winNTLM, "4740": winLockOut, "2889": winClear,
	winStart: func(*winRecord, *event.Event) bool { return true },
}

// winStart is that Windows starts. The number of a logon is its own until then
// alone (Microsoft on 4624: "unique between reboots on the same computer").
const winStart = "4608"

// windows makes events of records, however they were exported.
type windows struct {
	o      Options
	server string
	// from are the addresses of logons, by machine and number: a change names
	// the logon in which it was made.
	from *simplelru.LRU[logonKey, netip.Addr]
}

type logonKey struct{ computer, number string }

func newWindows(o Options) windows {
	from, _ := simplelru.NewLRU[logonKey, netip.Addr](maxConns, nil)
	return windows{o: o, from: from}
}

// take gives out what a record says.
func (w *windows) take(r *winRecord, place event.Place) {
	w.server = r.computer
	if m, ok := r.made(); ok {
		w.give(&m, place)
	}
}

// winMade is what a record says, by itself.
type winMade struct {
	event event.Event
	// logon is the one that is let in, and of the one in which a change was
	// made; "" where there is none.
	logon, of string
	starts    bool // the machine does
}

// made is what a record says, if that is anything.
func (r *winRecord) made() (m winMade, ok bool) {
	how := winEvents[r.id]
	if how == nil {
		return m, false
	}
	m.event = event.Event{At: r.at, Server: r.computer, Form: event.Login, Login: true}
	e := &m.event
	if m.starts = r.id == winStart; m.starts {
		return m, true
	}
	if !how(r, e) || e.Account == "" {
		return m, false
	}
	e.Account, e.Target, e.Group = cutName(e.Account), cutName(e.Target), cutName(e.Group)
	if r.id == "4624" && e.Address.IsValid() {
		m.logon = strings.ToLower(r.is("TargetLogonId"))
	}
	if e.Change != "" {
		m.of = strings.ToLower(r.is("SubjectLogonId"))
	}
	return m, true
}

// give hands it on, with the address of the logon in which a change was made.
func (w *windows) give(m *winMade, place event.Place) {
	e := m.event
	e.Place = place
	if m.starts {
		for _, key := range w.from.Keys() {
			if key.computer == e.Server {
				w.from.Remove(key)
			}
		}
		return
	}
	if m.logon != "" {
		w.from.Add(logonKey{strings.Clone(e.Server), strings.Clone(m.logon)}, e.Address)
	}
	if e.Change != "" {
		e.Address, _ = w.from.Get(logonKey{e.Server, m.of})
	}
	w.o.Event(e)
}

// winAccount is the account that a record is of. One of the machine itself, its
// services and nobody (S-1-5-7) is none that could be on a roll.
func winAccount(r *winRecord, e *event.Event, name, domain string) bool {
	account, of := r.is(name), r.is(domain)
	host, _, _ := strings.Cut(r.computer, ".")
	host = host[:min(len(host), 15)] // as NetBIOS has it
	switch sid := r.is(strings.TrimSuffix(name, "Name") + "Sid"); {
	case account == "", sid == "S-1-5-7", sid == "S-1-5-18", sid == "S-1-5-19", sid == "S-1-5-20":
		return false
	case strings.HasPrefix(sid, "S-1-5-90-"), strings.HasPrefix(sid, "S-1-5-96-"), strings.EqualFold(of, "NT AUTHORITY"):
		return false
	case of != "" && strings.EqualFold(of[:min(len(of), 15)], host):
		e.Form = event.Other // the machine's own, of whatever name
	}
	e.Account = account
	if isDN(account) { // of a simple bind
		e.Form = event.DN
		return true
	}
	if of != "" && !strings.Contains(account, "@") {
		e.Account = of + `\` + account
	}
	return true
}

// winLogon is 4624 and 4625, at the machine that was logged on to.
func winLogon(r *winRecord, e *event.Event) bool {
	if !winAccount(r, e, "TargetUserName", "TargetDomainName") {
		return false
	}
	e.Address, e.Port = address(r.is("IpAddress")), port(r.is("IpPort"))
	e.Client, e.NameSaid = cutName(r.is("WorkstationName")), true
	e.Method = "logon-" + r.is("LogonType")
	e.Outcome = event.Accepted
	if r.id == "4625" {
		e.Code = r.is("SubStatus")
		if zero(e.Code) {
			e.Code = r.is("Status")
		}
		e.Outcome = winStatus(e.Code)
	}
	return true
}

// winTicket is 4768 and 4771: a login to the domain by Kerberos.
func winTicket(r *winRecord, e *event.Event) bool {
	if !winAccount(r, e, "TargetUserName", "TargetDomainName") {
		return false
	}
	e.Address, e.Port = address(r.is("IpAddress")), port(r.is("IpPort"))
	e.Method, e.Code = "kerberos", r.is("Status")
	e.Outcome = kerberosStatus(e.Code)
	switch {
	case e.Outcome != event.Accepted:
	case r.id == "4771":
		e.Outcome = event.Failed
	case r.is("PreAuthType") != "" && zero(r.is("PreAuthType")):
		e.Outcome = event.Unknown // who asked has shown no value
	}
	return true
}

// winService is 4769: what a ticket was used for. It is no login.
func winService(r *winRecord, e *event.Event) bool {
	if !winAccount(r, e, "TargetUserName", "TargetDomainName") {
		return false
	}
	e.Address, e.Port = address(r.is("IpAddress")), port(r.is("IpPort"))
	e.Login, e.Method, e.Code, e.Outcome = false, "kerberos-service", r.is("Status"), event.Failed
	if zero(e.Code) {
		e.Outcome = event.Accepted
	}
	return true
}

// winNTLM is 4776. It has a name of the client, as the client says it, and no
// address.
func winNTLM(r *winRecord, e *event.Event) bool {
	if !winAccount(r, e, "TargetUserName", "") {
		return false
	}
	e.Client, e.NameSaid = cutName(r.is("Workstation")), true
	e.Method, e.Code = "ntlm", r.is("Status")
	e.Outcome = winStatus(e.Code)
	return true
}

// winLockOut is 4740. What stands in the domain's place is the machine that
// asked, by the name that it says.
func winLockOut(r *winRecord, e *event.Event) bool {
	if !winAccount(r, e, "TargetUserName", "") {
		return false
	}
	e.Client, e.NameSaid = cutName(r.is("TargetDomainName")), true
	e.Login, e.Method, e.Outcome = false, "lock-out", event.Locked
	return true
}

// winClear is 2889: a simple bind in clear text, or a SASL bind that signs
// nothing. It does not say how it ended.
func winClear(r *winRecord, e *event.Event) bool {
	if !winAccount(r, e, "Identity", "") {
		return false
	}
	at, err := netip.ParseAddrPort(r.is("Client"))
	if err == nil {
		e.Address, e.Port = at.Addr().Unmap().WithZone(""), at.Port()
	}
	e.Method, e.Outcome = "unsigned-bind", event.Unknown
	return true
}

// winPassword is 4723 and 4724.
func winPassword(r *winRecord, e *event.Event) bool {
	if !winSubject(r, e) {
		return false
	}
	e.Change, e.Target = event.Reset, inDomain(r.is("TargetDomainName"), r.is("TargetUserName"))
	if r.id == "4723" {
		e.Change = event.OwnChange
	}
	return true
}

// winMember is 4728, 4732 and 4756: a group of each scope.
func winMember(r *winRecord, e *event.Event) bool {
	if !winSubject(r, e) {
		return false
	}
	e.Change, e.Group, e.Target = event.NewMember, inDomain(r.is("TargetDomainName"), r.is("TargetUserName")), r.is("MemberName")
	if e.Target == "" {
		e.Target = r.is("MemberSid")
	}
	return true
}

// winChanges are events that say what was done to an account.
var winChanges = map[string]event.Change{"4720": event.Made, "4722": event.Enabled, "4725": event.Disabled, "4726": event.Removed, "4781": event.Renamed}

// winAccountChange is 4720, 4722, 4725, 4726 and 4781.
func winAccountChange(r *winRecord, e *event.Event) bool {
	if !winSubject(r, e) {
		return false
	}
	name := r.is("TargetUserName")
	if r.id == "4781" {
		name = r.is("OldTargetUserName")
	}
	e.Change, e.Target = winChanges[r.id], inDomain(r.is("TargetDomainName"), name)
	return true
}

// winAttribute is 5136: a value of an attribute of an entry, of which those are
// told that let somebody in. Passwords and groups have events of their own.
func winAttribute(r *winRecord, e *event.Event) bool {
	const added = "%%14674"
	how := r.is("OperationType")
	if ofAttribute(r.is("AttributeLDAPDisplayName")) != event.NewKey || how != added && how != "Value Added" || !winSubject(r, e) {
		return false
	}
	e.Change, e.Target = event.NewKey, r.is("ObjectDN")
	return true
}

// winSubject is who made a change. That it failed is among the event's keywords
// alone.
func winSubject(r *winRecord, e *event.Event) bool {
	e.Login, e.Outcome = false, event.Accepted
	if words := strings.ToLower(r.is("Keywords")); strings.Contains(words, "failure") || strings.HasPrefix(words, "0x801") {
		e.Outcome = event.Failed
	}
	if r.is("SubjectUserSid") == "S-1-5-18" {
		return false // the machine itself
	}
	return winAccount(r, e, "SubjectUserName", "SubjectDomainName")
}

// zero reports whether a code says that nothing failed.
func zero(code string) bool {
	return code == "" || strings.Trim(strings.TrimPrefix(code, "0x"), "0") == ""
}

// winStatus reads a status ([MS-ERREF] 2.3.1). Barred is what says that a
// password is expired or must be changed, an account disabled, expired or
// restricted, its hours or its machine wrong.
func winStatus(code string) event.Outcome {
	switch strings.TrimPrefix(strings.ToLower(code), "0x") {
	case "c000006a", "c0000064", "c000006d":
		return event.Refused
	case "c0000234":
		return event.Locked
	case "c0000071", "c0000224", "c0000072", "c0000193", "c000006e", "c000006f", "c0000070":
		return event.Barred
	}
	if zero(code) {
		return event.Accepted
	}
	return event.Failed
}

// kerberosStatus reads an error of RFC 4120, 7.5.9. KDC_ERR_CLIENT_REVOKED is
// disabled, expired or locked.
func kerberosStatus(code string) event.Outcome {
	switch strings.TrimLeft(strings.TrimPrefix(strings.ToLower(code), "0x"), "0") {
	case "":
		return event.Accepted
	case "6", "18": // no such client, wrong password
		return event.Refused
	case "17": // the password is expired
		return event.Barred
	}
	return event.Failed
}

// Server is the machine that wrote the record.
func (w *windows) Server() string { return w.server }

// winNames are the data of events that are read.
var winNames = []string{"TargetUserName", "TargetDomainName", "TargetUserSid", "TargetLogonId", "SubjectUserSid", "Keywords", "SubjectUserName", "SubjectDomainName", "SubjectLogonId",
	"MemberName", "MemberSid", "OldTargetUserName", "ObjectDN", "AttributeLDAPDisplayName", "OperationType", "WorkstationName", "Workstation", "IpAddress", "IpPort", "LogonType", "Status", "SubStatus", "PreAuthType", "Client", "Identity"}

// winByLength are the same by how long they are: few are as long as others.
var winByLength = func() (out [32][]string) {
	for _, n := range winNames {
		out[len(n)] = append(out[len(n)], n)
	}
	return out
}()

// winName is that one of winNames, or "".
func winName(name []byte) string {
	if len(name) >= len(winByLength) {
		return ""
	}
	for _, n := range winByLength[len(name)] {
		if string(name) == n {
			return n
		}
	}
	return ""
}
