package database

import (
	"testing"

	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/protocol"
)

// Not parallel: it fixes the random numbers of the process.
func TestAConnectionThatBreaksOffAtAnyByteRefusesNothing(t *testing.T) {
	s := newOffice(t)
	for _, login := range []string{"svc0011", "svc0009"} { // by SCRAM, and by a password in clear text
		subject := doortest.Subject{At: s.settings(""), Login: login, Value: s.right(login), Open: func(d door.Settings) door.Door { return OpenPostgres(d) }}
		subject.CutEncrypted(t, subject.Value, protocol.Accepted)
		subject.CutEncrypted(t, wrong, protocol.Refused)
	}
}
