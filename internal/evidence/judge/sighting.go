package judge

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"rollcall/internal/evidence/event"
	"rollcall/internal/plural"
)

// mostSightings of a finding name their lines; the rest is counted.
const mostSightings = 3

// Sighting is one line of a log, by its fields. The line itself is never shown:
// it may hold a secret.
type Sighting struct {
	event.Place
	At      time.Time `json:"at"`
	Server  string    `json:"server,omitempty"`
	Account string    `json:"account,omitempty"`
	Address string    `json:"address,omitempty"`
	// Others are addresses of which each may be the true one instead.
	Others  []string      `json:"other_addresses,omitempty"`
	Client  string        `json:"client,omitempty"` // what it calls itself, where the log has no address
	Port    uint16        `json:"port,omitempty"`
	Method  string        `json:"method,omitempty"`
	Outcome event.Outcome `json:"outcome"`
	Code    string        `json:"code,omitempty"`
}

// sightingOf takes the fields of an event. named says that the account may be
// shown.
func sightingOf(e event.Event, named bool) Sighting {
	s := Sighting{Place: e.Place, At: e.At.UTC(), Server: short(e.Server), Port: e.Port, Method: word(e.Method), Outcome: e.Outcome, Code: short(e.Code)}
	if e.Address.IsValid() {
		s.Address = e.Address.String()
	} else {
		s.Client = short(e.Client)
	}
	for _, a := range e.Others {
		s.Others = append(s.Others, a.String())
	}
	s.Account = Shown(e.Form, e.Account, named)
	return s
}

// Shown is an account as it may be shown. People type a password where the name
// goes: a name that was refused, that is not on the roll and is not written as
// accounts are is masked.
func Shown(form event.Form, account string, named bool) string {
	if account == "" || named {
		return short(account)
	}
	before := ""
	if i := strings.LastIndex(account, "/"); form == event.VaultLogin && i >= 0 {
		before, account = account[:i+1], account[i+1:]
	}
	return fmt.Sprintf("%s(masked, %s)", short(before), plural.Count(utf8.RuneCountInString(account), "character", "characters"))
}

// withoutItsName is a DN with its first part masked. Servers make DNs of what
// people type (uid=%u,ou=people), so a refused one may have a password in it.
func withoutItsName(dn string) string {
	before, rest, ok := strings.Cut(dn, "=")
	if !ok {
		return dn
	}
	end := 0
	for end < len(rest) && rest[end] != ',' {
		if end++; rest[end-1] == '\\' {
			end = min(end+1, len(rest))
		}
	}
	return before + "=" + Shown(event.DN, rest[:end], false) + rest[end:]
}

const longest = 512

func short(s string) string {
	if len(s) > longest {
		return strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return s
}

// word is what stands where a name of a method goes, if it is one.
func word(s string) string {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_') {
			return "other"
		}
	}
	if len(s) > 32 {
		return "other"
	}
	return s
}
