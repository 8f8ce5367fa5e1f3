package mysql

import (
	"testing"

	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/protocol"
)

// Not parallel: it fixes the random numbers of the process.
func TestAConnectionThatBreaksOffAtAnyByteRefusesNothing(t *testing.T) {
	s := newOffice(t)
	for _, login := range []string{"plain", "signs", "other", "pam"} {
		subject := doortest.Subject{At: s.settings(), Login: login, Value: right, Open: func(d door.Settings) door.Door { return Open(d, nil) }}
		subject.CutEncrypted(t, right, protocol.Accepted)
		subject.CutEncrypted(t, wrong, protocol.Refused)
	}
}
