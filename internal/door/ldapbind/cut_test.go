package ldapbind

import (
	"testing"

	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/protocol"
)

// Not parallel: it fixes the random numbers of the process.
func TestAConnectionThatBreaksOffAtAnyByteRefusesNothing(t *testing.T) {
	s := newOffice(t, false)
	for _, at := range []door.Settings{s.settings("ldaps", s.Directory.LDAPS()), s.settings("ldap", s.Directory.LDAP())} {
		subject := doortest.Subject{At: at, Open: opened, Login: s.Directory.AccountDN("svc-0001"), Value: s.Right("svc-0001")}
		subject.CutEncrypted(t, subject.Value, protocol.Accepted)
		subject.CutEncrypted(t, wrong, protocol.Refused)
	}
}
