package mail

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/protocol"
)

// What Debian's servers do not say at a login, or not at will. Each answer to
// the stolen value has the reason that docs/doors.md says.
func TestWhatEachAnswerOfIMAPMeansToALogin(t *testing.T) {
	t.Parallel()
	const hello, shut = "* OK [CAPABILITY IMAP4rev1] ready\r\n", protocol.Reason("")
	for _, row := range []struct {
		greeting, answer string
		means            protocol.Reply
		reason           protocol.Reason // to the stolen value, between two good logins
	}{
		{hello, "T1 OK in\r\n", protocol.Accepted, protocol.ReasonDoorTakesOld},
		{hello, "T1 NO [AUTHENTICATIONFAILED] no\r\n", protocol.Refused, shut},
		{hello, "T1 NO [AUTHORIZATIONFAILED] not as that one\r\n", protocol.Restricted, protocol.ReasonDoorTakesOld},
		{hello, "T1 NO [CONTACTADMIN] no login\r\n", protocol.Restricted, protocol.ReasonDoorTakesOld},
		{hello, "T1 NO [EXPIRED] too old\r\n", protocol.Expired, protocol.ReasonDoorSilent},
		{hello, "T1 NO [PRIVACYREQUIRED] not in clear text\r\n", protocol.NotThisWay, protocol.ReasonDoorSilent},
		{hello, "T1 NO [UNAVAILABLE] its directory is down\r\n", protocol.Unreachable, protocol.ReasonDoorSilent},
		{hello, "T1 NO [INUSE] somebody has it open\r\n", protocol.Unreachable, protocol.ReasonDoorSilent},
		{hello, "T1 NO [LIMIT] too many connections\r\n", protocol.TooMany, protocol.ReasonDoorSilent},
		{hello, "T1 NO [SERVERBUG] that should not be\r\n", protocol.Unreachable, protocol.ReasonDoorSilent},
		{hello, "T1 BAD what\r\n", protocol.NotThisWay, protocol.ReasonDoorSilent},
		{"* PREAUTH [CAPABILITY IMAP4rev1] come in\r\n", "T1 OK in\r\n", protocol.Guest, protocol.ReasonDoorGuest},
	} {
		t.Run(row.greeting[2:9]+row.answer, func(t *testing.T) {
			t.Parallel()
			at := door.Settings{Type: "imap", TLS: door.ClearText, Timeout: time.Minute,
				Address: doortest.Answers(t, len(row.greeting)+len(row.answer), row.greeting, row.answer)}
			said := OpenIMAP(at).Ask(t.Context(), "svc-0001", credential.NewSecret("some value"))
			require.Equal(t, row.means, said.Reply, said.Code)
			got := shut
			if stop := (protocol.DoorEvidence{Door: "mail", First: protocol.Accepted, Old: said.Reply, New: protocol.Accepted}).Open(true); stop != nil {
				got = stop.Reason
			}
			require.Equal(t, row.reason, got)
		})
	}
}
