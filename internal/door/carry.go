package door

import (
	"strings"
	"unicode/utf8"

	"rollcall/internal/credential"
)

// CannotCarry is why a login at the door, as Rollcall makes it, cannot carry a
// value; empty if it can. What is said names no part of the value. It is no
// proof that nobody else can show it there: another program may write what its
// protocol forbids, or log in by another method of the same service, so that a
// stolen value that cannot be offered is not known to be dead.
func (s Settings) CannotCarry(value credential.Secret) string {
	text, cannot := value.Reveal(), Types[s.Type].Cannot
	switch {
	case text == "":
		return "it is empty"
	case cannot == nil || s.Auth == ByKey:
		return ""
	}
	return cannot(s.Auth, text)
}

// bySASL: RFC 4616, 2.
func bySASL(_ Auth, text string) string {
	return unless(strings.ContainsRune(text, 0), "it has a zero byte, which ends a value in SASL PLAIN")
}

// byPOP: RFC 1939, 3.
func byPOP(_ Auth, text string) string {
	return unless(strings.ContainsAny(text, "\r\n\x00"), "it has the end of a line or a zero byte, which end a command of POP3")
}

// byFTP: \xff is a command of Telnet (RFC 959, 5.3.1).
func byFTP(_ Auth, text string) string {
	return unless(strings.ContainsAny(text, "\r\n\x00") || strings.IndexByte(text, 0xff) >= 0, "it has the end of a line, a zero byte or a byte 255, which end or change a command of FTP")
}

func byHTTP(auth Auth, text string) string {
	switch auth {
	case ByForm:
		return ""
	case ByBearer, ByHeader:
		return unless(strings.ContainsFunc(text, notInAField), "it has a blank, a control character or one beyond ASCII, which no field of a request can hold")
	}
	return unless(strings.ContainsFunc(text, control), "it has a control character, which HTTP basic forbids (RFC 7617, 2)")
}

func byVault(auth Auth, text string) string {
	if auth == ByToken {
		return unless(strings.ContainsFunc(text, notInAField), "it has a character that no field of a request can hold")
	}
	return unless(!utf8.ValidString(text), "it is no text in UTF-8, which JSON has to be")
}

func byDatabase(_ Auth, text string) string {
	return unless(strings.ContainsRune(text, 0), "it has a zero byte, which ends a value there")
}

// maxPAP is how much a User-Password may hold, which zeros fill up (RFC 2865,
// 5.2).
const maxPAP = 128

func byPAP(auth Auth, text string) string {
	return unless(auth != BySecret && (len(text) > maxPAP || strings.ContainsRune(text, 0)), "it has more than 128 bytes or a zero byte, and PAP holds no more (RFC 2865, 5.2)")
}

func byNTLM(_ Auth, text string) string {
	return unless(strings.ContainsRune(text, 0) || !utf8.ValidString(text), "it has a zero byte, or is no text in UTF-8 that UTF-16 could hold")
}

func unless(cannot bool, why string) string {
	if cannot {
		return why
	}
	return ""
}

// notInAField are the characters that the value of a field may not have, or
// that its ends lose on the way (RFC 9110, 5.5).
func notInAField(r rune) bool { return r <= ' ' || r > '~' }

func control(r rune) bool { return r < ' ' || r == 0x7f }
