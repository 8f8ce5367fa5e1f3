package logs

import (
	"net/netip"
	"slices"
	"strings"

	"rollcall/internal/evidence/event"
)

// The mail syslog of a Barracuda Email Security Gateway, as far as its vendor
// documents it: of logins it has those alone that were refused, as a RECV whose
// reason is the answer 535 with the name in brackets. One that was let in
// leaves no line that is known.
func esg() service { return service{mine: isESGProgram, text: esgText, from: esgFrom} }

func newESG(o Options) Parser { return newService(o, esg()) }

// isESG takes any line of mail: one without a refused login is the rule.
func isESG(line []byte) bool {
	h, _, ok := cutSyslog(line)
	words := strings.Fields(string(h.text))
	return ok && isESGProgram(h.program) && len(words) > 4 && slices.Contains([]string{"RECV", "SCAN", "SEND"}, words[4])
}

func isESGProgram(name string) bool {
	return strings.HasPrefix(name, "inbound/pass") || name == "scan" || name == "outbound/smtp"
}

// esgFrom: a line of mail begins with who is connected.
func esgFrom(text string) (a netip.Addr, name string) {
	first, _, _ := strings.Cut(text, " ")
	if at, _, ok := inBrackets(first); ok {
		return at, ""
	}
	return address(first), ""
}

func esgText(_ *service, text string) (e event.Event, known bool) {
	// name[address] or an address alone, an id, two times, and what it is.
	words := strings.Fields(text)
	if len(words) < 5 || words[4] != "RECV" {
		return e, false
	}
	const failed = " 535 "
	i := strings.LastIndex(text, failed)
	if i < 0 || !strings.Contains(text[i:], "authentication failed") {
		return e, false
	}
	name, _, ok := between(text[i:], "[", "]")
	if !ok {
		return e, false
	}
	e.Account, e.Outcome, e.Method, e.Doubts = name, event.Refused, "smtp", []event.Doubt{event.OfDevice}
	if at, _, ok := inBrackets(words[0]); ok {
		e.Address, e.Client, e.NameSaid = at, clientName(words[0]), true
	} else {
		e.Address = address(words[0])
	}
	return e, true
}
