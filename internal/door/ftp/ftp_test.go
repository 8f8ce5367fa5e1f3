package ftp

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

type office struct {
	doortest.Office
	ftp *lab.ProFTPD
}

func newOffice(t *testing.T) *office {
	t.Helper()
	s := &office{Office: doortest.NewOffice(t, lab.SlapdOptions{})}
	s.ftp = doortest.Start(t, lab.StartProFTPD, lab.ProFTPDOptions{Dir: t.TempDir(), CA: s.CA, Directory: s.Directory})
	return s
}

func (s *office) settings(kind string) door.Settings {
	return door.Settings{Type: kind, Address: s.ftp.Address(kind), TLS: door.Types[kind].TLS[0], CA: string(s.CA.PEM), Timeout: 30 * time.Second}
}

func (s *office) ask(at door.Settings, uid string, value credential.Secret) protocol.Reply {
	s.T.Helper()
	return doortest.Ask(s.T, Open(at), uid, value)
}

var wrong = doortest.Wrong

func TestWhatAnFTPServersAnswersMean(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	clear := s.settings("ftp")
	clear.TLS = door.ClearText
	for name, at := range map[string]door.Settings{"ftp": s.settings("ftp"), "ftps": s.settings("ftps"), "clear text": clear} {
		require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", s.Right("svc-0001")), name)
		require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", wrong), name)
		require.Equal(t, protocol.Accepted, s.ask(at, "svc-0001", s.Right("svc-0001")), name)
		require.Equal(t, protocol.Refused, s.ask(at, "nobody-of-that-name", wrong), "the same as wrong")
		require.Equal(t, protocol.Refused, s.ask(at, "svc-0002", s.Right("svc-0002")), "locked is the same as wrong")
		require.Equal(t, protocol.Accepted, s.ask(at, "svc-0003", s.Right("svc-0003")), "must change, which a bind alone does not show")
		_, err := Open(at).Software(t.Context())
		require.NoError(t, err)
	}
	s.Expire("svc-0004")
	for _, value := range []credential.Secret{s.Right("svc-0004"), wrong} {
		require.Equal(t, protocol.Refused, s.ask(s.settings("ftp"), "svc-0004", value), "expired is the same as wrong")
	}
	strict := s.settings("ftp")
	strict.Address = s.ftp.Address("strict")
	require.Equal(t, protocol.Accepted, s.ask(strict, "svc-0001", s.Right("svc-0001")))
	strict.TLS = door.ClearText
	require.Equal(t, protocol.NotThisWay, s.ask(strict, "svc-0001", s.Right("svc-0001")), "TLS is required")
	require.Equal(t, protocol.NotThisWay, s.ask(strict, "svc-0001", wrong), "TLS is required")

	at := s.settings("ftp")
	require.Equal(t, protocol.Guest, s.ask(at, "Anonymous", wrong))
	require.Equal(t, protocol.NotThisWay, s.ask(at, "", wrong))
	require.Equal(t, protocol.NotCarried, s.ask(at, "svc-0001", credential.Secret{}))
	require.Equal(t, protocol.NotCarried, s.ask(at, "svc-0001", credential.NewSecret("x\r\nPASS y")))

	s.Directory.Process().Pause()
	at.Timeout = 500 * time.Millisecond
	require.Equal(t, protocol.Unreachable, s.ask(at, "svc-0001", s.Right("svc-0001")))
	s.Directory.Process().Resume()
	at.Timeout = 30 * time.Second
	require.NoError(t, s.Directory.Stop(t.Context()))
	require.Equal(t, protocol.Refused, s.ask(at, "svc-0001", s.Right("svc-0001")), "a directory that is down is the same as wrong, so the new value is refused too")
}

func TestNothingFoulIsAVerdict(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	subject := doortest.Subject{At: s.settings("ftps"), Login: "svc-0001", Value: s.Right("svc-0001"),
		Open: func(d door.Settings) door.Door { return Open(d) }}
	subject.Certificates(t)
	subject.NotTLS(t)
	subject.At = s.settings("ftp")
	subject.Certificates(t)
	subject.Foul(t, "220-\r\n", "220 ready\r\n", "230 in\r\n", "530 no\r\n", "230", "530")
	subject.At.TLS = door.ClearText
	subject.Foul(t, "220-\r\n", "220 ready\r\n", "530", "220 x\r\n331 y\r\n230-")
	subject.Cut(t, subject.At, subject.Value, protocol.Accepted)
	subject.Cut(t, subject.At, wrong, protocol.Refused)
}

// Answers of servers that no test here starts.
func TestWhatCodesMean(t *testing.T) {
	t.Parallel()
	for lines, want := range map[string]protocol.Reply{
		"220 a\r\n331 b\r\n230 c\r\n":                             protocol.Accepted,
		"220-a\r\n 220 b\r\n220 c\r\n331 b\r\n230-c\r\n230 d\r\n": protocol.Accepted,
		"220 a\r\n331 b\r\n530 c\r\n":                             protocol.Refused,
		"220 a\r\n331 b\r\n332 c\r\n":                             protocol.Restricted,
		"220 a\r\n331 b\r\n202 c\r\n":                             protocol.Guest,
		"220 a\r\n230 b\r\n":                                      protocol.Guest,
		"220 a\r\n530 b\r\n":                                      protocol.NotThisWay,
		"220 a\r\n331 b\r\n421 c\r\n":                             protocol.TooMany,
		"220 a\r\n331 b\r\n451 c\r\n":                             protocol.Unreachable,
		"220 a\r\n331 b\r\n501 c\r\n":                             protocol.NotThisWay,
		"421 too many\r\n":                                        protocol.TooMany,
		"120 soon\r\n":                                            protocol.Unreachable,
		"220 a\r\n331 b\r\n530-c\r\n":                             protocol.Unreachable,
		"220 a\r\n331 b\r\n5300 c\r\n":                            protocol.Unreachable,
	} {
		at := door.Settings{TLS: door.ClearText, Address: doortest.Says(t, lines), Timeout: time.Minute}
		require.Equal(t, want, doortest.Ask(t, Open(at), "svc-0001", wrong), lines)
	}
}

func TestAnFTPServerThatBeginsNoTLSIsNotTheDoorOfTheFile(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	at := s.settings("ftp")
	at.Address = s.ftp.Address("clear")
	doortest.Subject{At: at, Login: "svc-0001", Value: s.Right("svc-0001"), Open: func(d door.Settings) door.Door { return Open(d) }}.BeginsNoTLS(t, "500 to AUTH TLS")

	for answer, fault := range map[string]door.Fault{
		"530 Please login with USER and PASS.\r\n": door.NoTLS, // vsftpd 3.0.3 without ssl_enable
		"504 Unknown mechanism\r\n":                door.NoTLS, // RFC 4217, 4
		"431 not now\r\n":                          "",
		"421 too many\r\n":                         "",
	} {
		at := door.Settings{TLS: door.StartTLS, Address: doortest.Answers(t, 1000, "220 a\r\n", answer), Timeout: time.Minute}
		said := Open(at).Ask(t.Context(), "svc-0001", wrong)
		require.Equal(t, fault, said.Fault, answer)
		require.NotEqual(t, protocol.Refused, said.Reply, answer)
	}
}
