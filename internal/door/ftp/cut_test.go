package ftp

import (
	"testing"

	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/protocol"
)

// Not parallel: it fixes the random numbers of the process.
func TestAConnectionThatBreaksOffAtAnyByteRefusesNothing(t *testing.T) {
	s := newOffice(t)
	for _, kind := range []string{"ftp", "ftps"} {
		subject := doortest.Subject{At: s.settings(kind), Login: "svc-0001", Value: s.Right("svc-0001"), Open: func(d door.Settings) door.Door { return Open(d) }}
		subject.CutEncrypted(t, subject.Value, protocol.Accepted)
		subject.CutEncrypted(t, wrong, protocol.Refused)
	}
}
