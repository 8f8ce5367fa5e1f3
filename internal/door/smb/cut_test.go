package smb

import (
	"testing"

	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/protocol"
)

// Not parallel: it fixes the random numbers of the process.
func TestAConnectionThatBreaksOffAtAnyByteRefusesNothing(t *testing.T) {
	s := newOffice(t)
	subject := doortest.Subject{At: s.settings(), Login: "plain", Value: right, Open: func(d door.Settings) door.Door { return Open(d) }}
	subject.CutEncrypted(t, right, protocol.Accepted)
	subject.CutEncrypted(t, wrong, protocol.Refused)
}
