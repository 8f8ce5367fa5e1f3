package shell

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/protocol"
)

// Not parallel: it fixes the random numbers of the process.
func TestAConnectionThatBreaksOffAtAnyByteRefusesNothing(t *testing.T) {
	s := newOffice(t)
	for _, port := range []string{"password", "prompt"} {
		subject := doortest.Subject{At: s.settings(port), Login: "svc-0001", Value: s.right("svc-0001"), Open: func(d door.Settings) door.Door { return Open(d) }}
		subject.CutEncrypted(t, subject.Value, protocol.Accepted)
		subject.CutEncrypted(t, wrong, protocol.Refused)
	}
	known, line := newKey(t)
	unknown, _ := newKey(t)
	require.NoError(t, s.sshd.Authorize("svc-0001", line))
	byKey := doortest.Subject{At: s.keyed("key"), Login: "svc-0001", Value: known, Open: func(d door.Settings) door.Door { return Open(d) }}
	byKey.CutEncrypted(t, known, protocol.Accepted)
	byKey.CutEncrypted(t, unknown, protocol.Refused)
}
