package web

import (
	"testing"

	"rollcall/internal/door/doortest"
	"rollcall/internal/protocol"
)

// Not parallel: it fixes the random numbers of the process.
func TestAConnectionThatBreaksOffAtAnyByteRefusesNothing(t *testing.T) {
	s := newOffice(t, false)
	page := doortest.Subject{At: s.settings("https", "/private"), Login: "svc-0001", Value: s.Right("svc-0001"), Open: Open}
	form := doortest.Subject{At: s.formed("https"), Login: "svc-0001", Value: s.Right("svc-0001"), Open: Open}
	for _, subject := range []doortest.Subject{page, form} {
		subject.CutEncrypted(t, subject.Value, protocol.Accepted)
		subject.CutEncrypted(t, wrong, protocol.Refused)
	}
}
