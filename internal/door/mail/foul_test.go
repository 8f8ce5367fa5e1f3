package mail

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// Servers that keep to nothing, and answers that break off, in the protocols
// that a mail server speaks.
func TestNothingFoulIsAVerdict(t *testing.T) {
	t.Parallel()
	s := newOffice(t, lab.DovecotOptions{})
	for kind, open := range map[string]func(door.Settings) door.Door{
		"imap":  func(d door.Settings) door.Door { return OpenIMAP(d) },
		"imaps": func(d door.Settings) door.Door { return OpenIMAP(d) },
		"pop3":  func(d door.Settings) door.Door { return OpenPOP3(d) },
		"pop3s": func(d door.Settings) door.Door { return OpenPOP3(d) },
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			subject := doortest.Subject{At: s.settings(kind), Open: open, Login: "svc-0001", Value: credential.NewSecret(s.Directory.SeededPassword("svc-0001"))}
			subject.Certificates(t)
			subject.NotTLS(t)
			subject.Foul(t, "* OK ready\r\n", "+OK ready\r\n", "-ERR\r\n", "* OK [CAPABILITY IMAP4rev1", "* 1 EXISTS\r\n", "* OK x {100000000}\r\n")
		})
	}
}

// An answer that breaks off is no other answer. What says "the directory is
// down" begins as what says "wrong" does.
func TestAnAnswerThatBreaksOffIsNone(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		open  func(door.Settings) door.Door
		texts []string
		means protocol.Reply
	}{
		"pop3, down":                     {func(d door.Settings) door.Door { return OpenPOP3(d) }, []string{"+OK a\r\n", "+OK b\r\n", "-ERR [SYS/TEMP] c\r\n"}, protocol.Unreachable},
		"pop3, wrong":                    {func(d door.Settings) door.Door { return OpenPOP3(d) }, []string{"+OK a\r\n", "+OK b\r\n", "-ERR [AUTH] c\r\n"}, protocol.Refused},
		"pop3, in use":                   {func(d door.Settings) door.Door { return OpenPOP3(d) }, []string{"+OK a\r\n", "+OK b\r\n", "-ERR [IN-USE] c\r\n"}, protocol.Restricted},
		"pop3, in":                       {func(d door.Settings) door.Door { return OpenPOP3(d) }, []string{"+OK a\r\n", "+OK b\r\n", "+OK c\r\n"}, protocol.Accepted},
		"imap, down":                     {func(d door.Settings) door.Door { return OpenIMAP(d) }, []string{"* OK [CAPABILITY IMAP4rev1] a\r\n", "T1 NO [UNAVAILABLE] c\r\n"}, protocol.Unreachable},
		"imap, wrong":                    {func(d door.Settings) door.Door { return OpenIMAP(d) }, []string{"* OK [CAPABILITY IMAP4rev1] a\r\n", "T1 NO [AUTHENTICATIONFAILED] c\r\n"}, protocol.Refused},
		"imap, no code":                  {func(d door.Settings) door.Door { return OpenIMAP(d) }, []string{"* OK [CAPABILITY IMAP4rev1] a\r\n", "T1 NO c\r\n"}, protocol.Refused},
		"imap, a code that says nothing": {func(d door.Settings) door.Door { return OpenIMAP(d) }, []string{"* OK [CAPABILITY IMAP4rev1] a\r\n", "T1 NO [ALERT] c\r\n"}, protocol.NotThisWay},
		"imap, no to the mechanism":      {func(d door.Settings) door.Door { return OpenIMAP(d) }, []string{"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN LOGINDISABLED] a\r\n", "T1 NO c\r\n"}, protocol.NotThisWay},
		"pop3, a code that says nothing": {func(d door.Settings) door.Door { return OpenPOP3(d) }, []string{"+OK a\r\n", "+OK b\r\n", "-ERR [ALERT] c\r\n"}, protocol.NotThisWay},
		"smtp, later":                    {func(d door.Settings) door.Door { return OpenSMTP(d) }, []string{"220 a\r\n", "250-b\r\n250 AUTH PLAIN\r\n", "454 4.7.0 c\r\n", "502 to *\r\n", "221 to QUIT\r\n"}, protocol.Unreachable},
		"smtp, wrong":                    {func(d door.Settings) door.Door { return OpenSMTP(d) }, []string{"220 a\r\n", "250-b\r\n250 AUTH PLAIN\r\n", "535 5.7.8 c\r\n", "502 to *\r\n", "221 to QUIT\r\n"}, protocol.Refused},
		"smtp, in":                       {func(d door.Settings) door.Door { return OpenSMTP(d) }, []string{"220 a\r\n", "250-b\r\n250 AUTH PLAIN\r\n", "235 2.7.0 c\r\n", "502 to *\r\n", "221 to QUIT\r\n"}, protocol.Accepted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text := strings.Join(row.texts, "")
			for n := range len(text) + 1 {
				at := door.Settings{TLS: door.ClearText, Address: doortest.Answers(t, n, row.texts...), Timeout: time.Minute}
				got := row.open(at).Ask(t.Context(), "svc-0001", credential.NewSecret("some value"))
				switch {
				case n == len(text) && got.Reply != row.means:
					t.Errorf("whole: %s (%s)", got.Reply, got.Code)
				case got.Reply == protocol.NotThisWay && (row.means == protocol.NotThisWay || n < strings.LastIndex(text, " c\r\n")-4):
					// Before the value was said.
				case got.Reply != row.means && got.Reply != protocol.Unreachable:
					t.Errorf("after %q: %s (%s)", text[:n], got.Reply, got.Code)
				}
			}
		})
	}
}

// Whoever is on the way may answer STARTTLS, in clear text: nothing was shown
// by then, so nothing was refused.
func TestANoToSTARTTLSRefusesNoValue(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"T1 NO TLS is not to be had c\r\n", "T1 NO [AUTHENTICATIONFAILED] c\r\n", "T1 BAD c\r\n", "T1 NO [UNAVAILABLE] c\r\n"} {
		at := door.Settings{TLS: door.StartTLS, Address: doortest.Answers(t, 1000, "* OK [CAPABILITY IMAP4rev1 STARTTLS] a\r\n", text), Timeout: time.Minute}
		got := OpenIMAP(at).Ask(t.Context(), "svc-0001", credential.NewSecret("some value"))
		require.Contains(t, []protocol.Reply{protocol.NotThisWay, protocol.Unreachable}, got.Reply, "%s: %s", text, got.Code)
	}
}

// Of a server that has none.
func TestAMailServerThatBeginsNoTLSIsNotTheDoorOfTheFile(t *testing.T) {
	t.Parallel()
	s := newOffice(t, lab.DovecotOptions{NoTLS: true, AtOnce: true})
	for kind, row := range map[string]struct {
		open func(door.Settings) door.Door
		said string
	}{
		"imap": {func(d door.Settings) door.Door { return OpenIMAP(d) }, "BAD to STARTTLS"},
		"pop3": {func(d door.Settings) door.Door { return OpenPOP3(d) }, "-ERR to STLS"},
	} {
		doortest.Subject{At: s.settings(kind), Open: row.open, Login: "svc-0001", Value: s.Right("svc-0001")}.BeginsNoTLS(t, row.said)
	}
	r := newRelay(t, 0)
	at := r.at("submission")
	at.Address = r.mail.Address("clear")
	doortest.Subject{At: at, Login: "svc-0001", Value: r.Right("svc-0001"), Open: func(d door.Settings) door.Door { return OpenSMTP(d) }}.BeginsNoTLS(t, "it offers no STARTTLS")
}

// What passes is no fault: the server has TLS, and not at the moment.
func TestAServerThatBeginsNoTLSForNowIsAsOneThatIsSilent(t *testing.T) {
	t.Parallel()
	for answer, open := range map[string]func(door.Settings) door.Door{
		"T1 NO [UNAVAILABLE] not now\r\n":          func(d door.Settings) door.Door { return OpenIMAP(d) },
		"T1 NO [LIMIT] too many\r\n":               func(d door.Settings) door.Door { return OpenIMAP(d) },
		"* BYE going down\r\n":                     func(d door.Settings) door.Door { return OpenIMAP(d) },
		"-ERR [SYS/TEMP] not now\r\n":              func(d door.Settings) door.Door { return OpenPOP3(d) },
		"502 no\r\n250 a\r\n502 no\r\n":            func(d door.Settings) door.Door { return OpenSMTP(d) },
		"garble\r\n250 a\r\n421 too many\r\n":      func(d door.Settings) door.Door { return OpenSMTP(d) },
		"421 not now\r\n250 a\r\n250 STARTTLS\r\n": func(d door.Settings) door.Door { return OpenSMTP(d) },
		"250-a\r\n250 STARTTLS\r\n454 not now\r\n": func(d door.Settings) door.Door { return OpenSMTP(d) },
		"421 too many\r\n":                         func(d door.Settings) door.Door { return OpenSMTP(d) },
	} {
		greeting := "* OK [CAPABILITY IMAP4rev1 STARTTLS] a\r\n"
		switch answer[0] {
		case '-':
			greeting = "+OK a\r\n"
		case '2', '4', '5', 'g':
			greeting = "220 a\r\n"
		}
		texts := []string{greeting, answer}
		if _, helo, both := strings.Cut(answer, "\r\n250 a\r\n"); both {
			texts = []string{greeting, strings.TrimSuffix(answer, "250 a\r\n"+helo), "250 a\r\n", helo}
		} else if ehlo, last, both := strings.Cut(answer, "STARTTLS\r\n"); both {
			texts = []string{greeting, ehlo + "STARTTLS\r\n", last}
		}
		at := door.Settings{TLS: door.StartTLS, Address: doortest.Answers(t, 1000, texts...), Timeout: 3 * time.Second}
		said := open(at).Ask(t.Context(), "svc-0001", credential.NewSecret("some value"))
		require.Contains(t, []protocol.Reply{protocol.NotThisWay, protocol.Unreachable, protocol.TooMany}, said.Reply, "%s: %s", answer, said.Code)
		require.Empty(t, said.Fault, "%s: %s", answer, said.Code)
	}
}
