package intruder

import "strings"

// The logins of each protocol, in plain lines. What says that the server, or
// what it asks about passwords, is out of order is no answer; everything else
// that is no success is a refusal, as a thief sees it.

// imapLogin is LOGIN (RFC 9051, 6.2.3), with both as quoted strings.
func imapLogin(w *wire, t *target) (answer, string) {
	w.line() // the greeting
	if w.starts {
		if a := w.tagged("a STARTTLS", "a"); !strings.HasPrefix(a, "OK") {
			return noAnswer, "no STARTTLS"
		}
		w.secure()
	}
	said := w.tagged("b LOGIN "+quoted(t.User)+" "+quoted(t.Password), "b")
	switch {
	case strings.HasPrefix(said, "OK"):
		w.tagged("c LOGOUT", "c")
		w.err = nil // it is in, however that ends
		return accepted, ""
	case !strings.HasPrefix(said, "NO"), has(said, "[UNAVAILABLE]", "[LIMIT]", "[INUSE]", "[SERVERBUG]"): // RFC 5530
		return noAnswer, "no word on the login"
	}
	return refused, "NO"
}

// tagged sends a command and gives what its answer says behind the tag.
func (w *wire) tagged(line, tag string) string {
	w.send(line)
	for range maxLines {
		said := w.line()
		if rest, ours := strings.CutPrefix(said, tag+" "); ours || w.err != nil {
			return rest
		}
	}
	return ""
}

func quoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// pop3Login is USER and PASS (RFC 1939, 7).
func pop3Login(w *wire, t *target) (answer, string) {
	w.line()
	say := func(line string) string {
		w.send(line)
		return w.line()
	}
	if w.starts {
		if !strings.HasPrefix(say("STLS"), "+OK") {
			return noAnswer, "no STLS"
		}
		w.secure()
	}
	if !strings.HasPrefix(say("USER "+t.User), "+OK") {
		return noAnswer, "no USER"
	}
	said := say("PASS " + t.Password)
	switch {
	case strings.HasPrefix(said, "+OK"):
		w.send("QUIT")
		w.err = nil
		return accepted, ""
	case !strings.HasPrefix(said, "-ERR"), has(said, "[SYS/", "[IN-USE]", "[LOGIN-DELAY]"): // RFC 2449, 3206
		return noAnswer, "no word on the login"
	}
	return refused, "-ERR"
}

// smtpLogin is AUTH PLAIN (RFC 4954, RFC 4616).
func smtpLogin(w *wire, t *target) (answer, string) {
	w.answer()
	if w.starts {
		if w.ask("EHLO localhost") != "250" || w.ask("STARTTLS") != "220" {
			return noAnswer, "no STARTTLS"
		}
		w.secure()
	}
	if w.ask("EHLO localhost") != "250" {
		return noAnswer, "no EHLO"
	}
	switch got := w.ask("AUTH PLAIN " + base64of("\x00"+t.User+"\x00"+t.Password)); got {
	case "235":
		w.send("QUIT")
		w.err = nil
		return accepted, ""
	case "535":
		return refused, got
	default:
		return noAnswer, got
	}
}

// ftpLogin is USER and PASS (RFC 959, 4.1.1), after AUTH TLS (RFC 4217).
func ftpLogin(w *wire, t *target) (answer, string) {
	w.answer()
	if w.starts {
		if w.ask("AUTH TLS") != "234" {
			return noAnswer, "no AUTH TLS"
		}
		w.secure()
	}
	if got := w.ask("USER " + t.User); got != "331" {
		return noAnswer, got
	}
	switch got := w.ask("PASS " + t.Password); got {
	case "230", "232":
		w.send("QUIT")
		w.err = nil
		return accepted, ""
	case "530":
		return refused, got
	default:
		return noAnswer, got
	}
}

func has(said string, any ...string) bool {
	for _, s := range any {
		if strings.Contains(strings.ToUpper(said), s) {
			return true
		}
	}
	return false
}
