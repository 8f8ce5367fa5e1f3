package logs

import (
	"bytes"
	"net/netip"
	"strings"
	"time"

	"rollcall/internal/evidence/event"
)

// OpenSSH's sshd. A name that it does not know, or lets nobody in by, is called
// an invalid user; it may hold anything but a line's end.
func sshd() service {
	return service{mine: called("sshd", "sshd-session"), text: sshdText, from: sshdFrom}
}

func newSSHD(o Options) Parser { return newService(o, sshd()) }

func isSSHD(line []byte) bool { return sshd().recognises(line) }

func sshdText(_ *service, text string) (e event.Event, known bool) {
	how, rest, _ := strings.Cut(text, " ")
	switch how {
	case "Accepted":
		e.Outcome = event.Accepted
	case "Failed":
		e.Outcome = event.Refused
	case "Partial": // the first of two that are asked for
		e.Outcome, e.Code = event.ValueRight, "partial"
	default:
		return e, false
	}
	method, rest, ok := strings.Cut(rest, " for ")
	i := strings.LastIndex(rest, " from ")
	if !ok || i < 0 || method == "none" {
		return e, false
	}
	where := strings.Fields(rest[i+len(" from "):])
	if len(where) < 4 || where[1] != "port" || !strings.HasPrefix(where[3], "ssh") {
		return e, false
	}
	if e.Address, e.Port = address(where[0]), port(where[2]); !e.Address.IsValid() {
		e.Client, e.NameSaid = cutName(where[0]), true // as its owner's name server has it
	}
	e.Method, _, _ = strings.Cut(method, "/")
	if e.Outcome == event.Refused && e.Method == "publickey" {
		// A client offers all its keys, one after the other.
		e.Outcome = event.Failed
	}
	e.Account = strings.TrimPrefix(rest[:i], "invalid user ")
	return e, true
}

// sshdFirst begin lines in which the client's address stands next, and what it
// sent may stand behind it.
var sshdFirst = []string{"Connection from ", "Connection closed by ", "Connection reset by ", "Received disconnect from ", "Disconnected from ", "Unable to negotiate with ",
	"Did not receive identification string from ", "Protocol major versions differ for ", "banner exchange: Connection from ", "ssh_dispatch_run_fatal: Connection from "}

// sshdFrom: else the last address with a port is the server's own. Before it a
// client may have any name.
func sshdFrom(text string) (a netip.Addr, name string) {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "error: "), "fatal: ")
	for _, first := range sshdFirst {
		if rest, ok := strings.CutPrefix(text, first); ok {
			word, _, _ := strings.Cut(rest, " ")
			if a = address(word); a.IsValid() {
				return a, ""
			}
		}
	}
	if i := strings.LastIndex(text, " port "); i >= 0 {
		before := text[:i]
		a = address(before[strings.LastIndex(before, " ")+1:])
	}
	return a, ""
}

// ProFTPD tells who was let in at the level info alone.
func proftpd() service {
	return service{mine: called("proftpd"), own: cutProFTPD, text: proftpdText, from: bracketed}
}

func newProFTPD(o Options) Parser { return newService(o, proftpd()) }

func isProFTPD(line []byte) bool { return proftpd().recognises(line) }

// cutProFTPD reads `2026-11-29 22:10:32,285 host proftpd[4298] text`.
func cutProFTPD(line []byte) (h syslogHead, has dated, ok bool) {
	const n = len("2006-01-02 15:04:05,000")
	if len(line) <= n || line[n] != ' ' {
		return h, unzoned, false
	}
	at, err := time.Parse("2006-01-02 15:04:05,000", string(line[:n]))
	if err != nil {
		return h, unzoned, false
	}
	word, rest, _ := bytes.Cut(line[n+1:], []byte(" "))
	tag, text, found := bytes.Cut(rest, []byte("] "))
	program, pid, _ := bytes.Cut(tag, []byte("["))
	h.at, h.host, h.program, h.pid, h.text = at, string(word), string(program), string(pid), text
	return h, unzoned, found && h.program == "proftpd"
}

func proftpdText(_ *service, text string) (e event.Event, known bool) {
	at, rest, ok := inBrackets(text)
	said, ok2 := strings.CutPrefix(rest, "): USER ")
	if !ok2 {
		said, ok2 = strings.CutPrefix(rest, ") - USER ") // by syslog, up to 1.3.5
	}
	if !ok || !ok2 {
		return e, false
	}
	e.Address, e.Client, e.NameSaid = at, clientName(text), true
	const failed = " (Login failed): "
	if i := strings.LastIndex(said, failed); i >= 0 {
		e.Account, e.Outcome = said[:i], event.Failed
		if reason := said[i+len(failed):]; strings.HasPrefix(reason, "Incorrect password") || strings.HasPrefix(reason, "No such user") {
			e.Outcome = event.Refused
		}
		return e, true
	}
	if name, in := strings.CutSuffix(said, ": Login successful."); in {
		e.Account, e.Outcome = name, event.Accepted
		return e, true
	}
	if i := strings.LastIndex(said, ": no such user found from "); i >= 0 {
		e.Account, e.Outcome = said[:i], event.Refused
		return e, true
	}
	return e, false
}

// vsftpd.
func vsftpd() service {
	return service{mine: called("vsftpd"), own: cutVSFTPD, text: vsftpdText, from: vsftpdFrom}
}

func newVSFTPD(o Options) Parser { return newService(o, vsftpd()) }

func isVSFTPD(line []byte) bool { return vsftpd().recognises(line) }

// cutVSFTPD reads `Sun Nov 29 22:10:32 2026 [pid 2] text`.
func cutVSFTPD(line []byte) (h syslogHead, has dated, ok bool) {
	at, rest, ok := cutANSI(line)
	if !ok || !bytes.HasPrefix(rest, []byte("[pid ")) {
		return h, unzoned, false
	}
	pid, text, ok := bytes.Cut(rest[len("[pid "):], []byte("] "))
	h.at, h.program, h.pid, h.text = at, "vsftpd", string(pid), text
	return h, unzoned, ok
}

func vsftpdText(_ *service, text string) (e event.Event, known bool) {
	// What stands behind the last of these is the server's own.
	for said, outcome := range map[string]event.Outcome{`] OK LOGIN: Client "`: event.Accepted, `] FAIL LOGIN: Client "`: event.Refused} {
		name, from, ok := between(text, "[", said)
		if !ok || strings.Contains(from, " LOGIN: ") {
			continue
		}
		from, _, _ = strings.Cut(from, `"`)
		e.Account, e.Address, e.Outcome = name, address(from), outcome
		return e, true
	}
	return e, false
}

func vsftpdFrom(text string) (a netip.Addr, name string) {
	if rest, ok := strings.CutPrefix(text, `CONNECT: Client "`); ok {
		word, _, _ := strings.Cut(rest, `"`)
		a = address(word)
	}
	return a, ""
}

// FreeRADIUS. Where a client is connected from is what the one who asks says
// (Calling-Station-Id), an address or not.
func freeRADIUS() service {
	return service{mine: called("freeradius", "radiusd"), own: cutFreeRADIUS, text: freeRADIUSText}
}

func newFreeRADIUS(o Options) Parser { return newService(o, freeRADIUS()) }

func isFreeRADIUS(line []byte) bool { return freeRADIUS().recognises(line) }

// cutFreeRADIUS reads `Sun Nov 29 22:10:32 2026 : Auth: text`.
func cutFreeRADIUS(line []byte) (h syslogHead, has dated, ok bool) {
	at, rest, ok := cutANSI(line)
	rest, colon := bytes.CutPrefix(rest, []byte(": "))
	level, text, cut := bytes.Cut(rest, []byte(": "))
	if !ok || !colon || !cut || bytes.ContainsAny(level, " []") {
		return h, unzoned, false
	}
	h.at, h.program, h.text = at, "freeradius", text
	return h, unzoned, true
}

func freeRADIUSText(_ *service, text string) (e event.Event, known bool) {
	if strings.HasPrefix(text, "(") { // the number of the request
		_, text, _ = strings.Cut(text, ") ")
		text = strings.TrimLeft(text, " ") // the login within EAP's tunnel is indented
	}
	said, ok := strings.CutPrefix(text, "Login OK: ")
	e.Outcome = event.Accepted
	if !ok {
		// "Rejected in post-auth" stands behind a value that was right, and
		// "Invalid user" is of one that no module knows (src/main/auth.c).
		reason, right := "", false
		if said, right = strings.CutPrefix(text, "Rejected in post-auth"); right {
			ok = true
		} else if said, ok = strings.CutPrefix(text, "Invalid user"); !ok {
			said, ok = strings.CutPrefix(text, "Login incorrect")
		}
		if !ok {
			return e, false
		}
		if strings.HasPrefix(said, " (") {
			var why string
			why, said, ok = strings.Cut(said, "): ")
			reason += why
		} else {
			said, ok = strings.CutPrefix(said, ": ")
		}
		if e.Outcome = failure(reason); right {
			e.Outcome = event.ValueRight
		}
		if !ok {
			return e, false
		}
	}
	name, from, ok := between(said, "[", "] (from client ")
	if !ok {
		return e, false
	}
	e.Account = withoutValue(name)
	if i := strings.LastIndex(from, " cli "); i >= 0 {
		word, _, _ := strings.Cut(strings.TrimSuffix(from[i+len(" cli "):], ")"), " ")
		if e.Address = address(strings.TrimSuffix(word, ")")); e.Address.IsValid() {
			e.Doubts = []event.Doubt{event.BySaying}
		}
	}
	return e, true
}

// withoutValue cuts the password off that auth_badpass and auth_goodpass write
// behind the name. The name of a machine has a slash of its own.
func withoutValue(name string) string {
	before, name, host := strings.Cut("\x00"+name, "\x00host/")
	if !host {
		name = before[1:]
	}
	name, _, _ = strings.Cut(name, "/")
	if host {
		return "host/" + name
	}
	return name
}
