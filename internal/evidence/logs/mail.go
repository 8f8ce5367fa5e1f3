package logs

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"time"

	"rollcall/internal/evidence/event"
)

// Dovecot writes a login when it is let in (2.3: Login, 2.4: Logged in; a
// proxy, which hands it on: started proxying), and a refused one when its
// connection ends: with how many tries, and the last name alone
// (src/login-common/client-common.c and client-common-auth.c).
func dovecot() service {
	return service{mine: called("dovecot"), own: cutDovecot, text: dovecotText, from: dovecotFrom}
}

func newDovecot(o Options) Parser { return newService(o, dovecot()) }

func isDovecot(line []byte) bool { return dovecot().recognises(line) }

var dovecotLevels = []string{"Debug", "Info", "Warning", "Error", "Fatal", "Panic"}

// cutDovecot reads `Nov 29 22:10:24 imap-login: Info: text`.
func cutDovecot(line []byte) (h syslogHead, has dated, ok bool) {
	if len(line) < 17 || line[15] != ' ' {
		return h, undated, false
	}
	at, err := time.Parse("Jan _2 15:04:05", string(line[:15]))
	if err != nil {
		return h, undated, false
	}
	part, rest, found := bytes.Cut(line[16:], []byte(": "))
	if !found {
		return h, undated, false
	}
	level, text, found := bytes.Cut(rest, []byte(": "))
	if !found || !slices.Contains(dovecotLevels, string(level)) {
		return h, undated, false
	}
	h.at, h.program = at, "dovecot"
	h.text = append(append(slices.Clone(part), ": "...), text...)
	return h, undated, true
}

func dovecotText(s *service, text string) (e event.Event, known bool) {
	part, said, _ := strings.Cut(text, ": ")
	if !strings.HasSuffix(part, "-login") {
		return e, false
	}
	said = strings.TrimPrefix(said, "Info: ")
	what, fields, ok := strings.Cut(said, ": user=<")
	if !ok {
		return e, false
	}
	// A name may hold anything; what stands behind the last rip is the server's
	// own.
	i := strings.LastIndex(fields, ", rip=")
	if i < 0 {
		return e, false
	}
	rip, _, _ := strings.Cut(fields[i+len(", rip="):], ",")
	e.Address = address(rip)
	name, method := fields[:i], ""
	if j := strings.LastIndex(name, ">, method="); j >= 0 {
		name, method = name[:j], name[j+len(">, method="):]
	}
	e.Account, e.Method = strings.TrimSuffix(name, ">"), method
	switch {
	case what == "Login", what == "Logged in", strings.Contains(what, "tarted proxying to "):
		e.Outcome = event.Accepted
	case strings.Contains(what, "(auth failed, "):
		e.Outcome = event.Refused
		if _, tries, _ := strings.Cut(what, "(auth failed, "); !strings.HasPrefix(tries, "1 ") && e.Account != "" {
			s.o.Note(event.NamesNobody, s.place, s.server)
		}
	case e.Account == "", strings.Contains(what, "(no auth attempts"), strings.Contains(what, "): disconnecting "):
		return e, false // nobody logged in, or a proxy's session ends
	default: // too many connections, an error of the server, or none that is known
		e.Outcome = event.Unknown
	}
	return e, true
}

// dovecotFrom: what stands behind the last rip is the server's own.
func dovecotFrom(text string) (a netip.Addr, name string) {
	if i := strings.LastIndex(text, ", rip="); i >= 0 {
		rip, _, _ := strings.Cut(text[i+len(", rip="):], ",")
		a = address(rip)
	}
	return a, ""
}

// Postfix names who was refused, and who was let in when a mail of his comes: a
// login without a mail stands in the line of its end alone, without a name.
func postfix() service { return service{mine: isPostfixProgram, text: postfixText, from: bracketed} }

func newPostfix(o Options) Parser { return newService(o, postfix()) }

func isPostfix(line []byte) bool { return postfix().recognises(line) }

// isPostfixProgram: postfix/smtpd, postfix/submission/smtpd, postfix-2/smtpd.
func isPostfixProgram(name string) bool {
	return strings.HasPrefix(name, "postfix") && strings.HasSuffix(name, "/smtpd")
}

// notTheValue are reasons of a failed login that are not about its value.
var notTheValue = []string{"Connection lost", "emporary", "generic failure", "no mechanism available", "Can't contact", "timed out", "unavailable to", "Failed to"}

func failure(reason string) event.Outcome {
	if slices.ContainsFunc(notTheValue, func(s string) bool { return strings.Contains(reason, s) }) {
		return event.Failed
	}
	return event.Refused
}

func postfixText(s *service, text string) (e event.Event, known bool) {
	switch {
	case strings.HasPrefix(text, "connect from "):
		s.named.Remove(s.pid)
		return e, false
	case strings.HasPrefix(text, "disconnect from "):
		at, commands, ok := inBrackets(text)
		_, auth, asked := strings.Cut(commands, " auth=")
		named := s.named.Remove(s.pid)
		if !ok || !asked || strings.HasPrefix(auth, "0/") || named {
			return e, false
		}
		e.Address, e.Client, e.Outcome = at, clientName(text), event.Accepted
		return e, true
	case strings.HasPrefix(text, "warning: "):
		at, rest, ok := inBrackets(text)
		rest, sasl := strings.CutPrefix(rest, ": SASL ")
		method, said, failed := strings.Cut(rest, " authentication failed")
		if !ok || !sasl || !failed {
			return e, false
		}
		reason, name, _ := strings.Cut(said, ", sasl_username=")
		e.Address, e.Client, e.Method, e.Account, e.Outcome = at, clientName(text), method, name, failure(reason)
		return e, true
	}
	queue, rest, ok := strings.Cut(text, ": client=")
	if !ok || strings.Contains(queue, " ") {
		return e, false
	}
	e.Client = clientName(rest)
	at, rest, ok := inBrackets(rest)
	_, rest, sasl := strings.Cut(rest, ", sasl_method=")
	if !ok || !sasl {
		return e, false
	}
	method, rest, _ := strings.Cut(rest, ", ")
	name, named := strings.CutPrefix(rest, "sasl_username=")
	if !named {
		return e, false
	}
	name, _, _ = strings.Cut(name, ", sasl_sender=")
	s.named.Add(s.pid, true)
	e.Address, e.Method, e.Account, e.Outcome = at, method, name, event.Accepted
	return e, true
}
