package mail

import (
	"testing"

	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// Not parallel: it fixes the random numbers of the process.
func TestAConnectionThatBreaksOffAtAnyByteRefusesNothing(t *testing.T) {
	s := newOffice(t, lab.DovecotOptions{AtOnce: true})
	r := newRelay(t, 0)
	for kind, open := range map[string]func(door.Settings) door.Door{
		"imaps":      func(d door.Settings) door.Door { return OpenIMAP(d) },
		"pop3s":      func(d door.Settings) door.Door { return OpenPOP3(d) },
		"submission": func(d door.Settings) door.Door { return OpenSMTP(d) },
	} {
		subject := doortest.Subject{Open: open, Login: "svc-0001"}
		if kind == "submission" || kind == "smtps" {
			subject.At, subject.Value = r.at(kind), r.Right("svc-0001")
		} else {
			subject.At, subject.Value = s.settings(kind), s.Right("svc-0001")
		}
		subject.CutEncrypted(t, subject.Value, protocol.Accepted)
		subject.CutEncrypted(t, doortest.Wrong, protocol.Refused)
	}
}
