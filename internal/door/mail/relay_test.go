package mail

import (
	"os"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// relay is Postfix in front of saslauthd in front of a directory.
type relay struct {
	doortest.Office
	checker *lab.Saslauthd
	mail    *lab.Postfix
}

func newRelay(t *testing.T, cache time.Duration) *relay {
	t.Helper()
	s := &relay{Office: doortest.NewOffice(t, lab.SlapdOptions{})}
	s.checker = doortest.Start(t, lab.StartSaslauthd, lab.SaslauthdOptions{Dir: t.TempDir(), Directory: s.Directory, Cache: cache})
	s.mail = doortest.Start(t, lab.StartPostfix, lab.PostfixOptions{Dir: t.TempDir(), CA: s.CA, Saslauthd: s.checker})
	return s
}

// at is a door at one of the relay's services.
func (s *relay) at(service string) door.Settings {
	kind := service
	if service == "other" {
		kind = "submission"
	}
	return door.Settings{Type: kind, Address: s.mail.Address(service), TLS: door.Types[kind].TLS[0], CA: string(s.CA.PEM), Timeout: 30 * time.Second}
}

func (s *relay) ask(service, uid string, value credential.Secret) protocol.Reply {
	s.T.Helper()
	return doortest.Ask(s.T, OpenSMTP(s.at(service)), uid, value)
}

var wrong = doortest.Wrong

// proof asks as a pass of a campaign does, and gives why the old value is not
// proved dead; "" if it is.
func (s *relay) proof(service, uid string, old, renewed credential.Secret) protocol.Reason {
	s.T.Helper()
	e := protocol.DoorEvidence{Door: service, First: s.ask(service, uid, renewed)}
	if e.First == protocol.Accepted {
		e.Old = s.ask(service, uid, old)
	}
	if e.Old == protocol.Refused {
		e.New = s.ask(service, uid, renewed)
	}
	if stop := protocol.Shut([]string{service}, []protocol.DoorEvidence{e}, true); stop != nil {
		return stop.Reason
	}
	return ""
}

// set changes an account's value in the directory alone.
func (s *relay) set(uid string, value credential.Secret) {
	s.T.Helper()
	admin, err := s.Directory.AdminConn(s.T.Context())
	require.NoError(s.T, err)
	defer admin.Close()
	_, err = admin.PasswordModify(ldap.NewPasswordModifyRequest(s.Directory.AccountDN(uid), "", value.Reveal()))
	require.NoError(s.T, err)
}

// Each cell of the table of SMTP, in both ways of securing it.
func TestWhatARelaysAnswersMean(t *testing.T) {
	t.Parallel()
	s := newRelay(t, 0)
	for _, kind := range []string{"submission", "smtps"} {
		require.Equal(t, protocol.Accepted, s.ask(kind, "svc-0001", s.Right("svc-0001")), kind)
		require.Equal(t, protocol.Refused, s.ask(kind, "svc-0001", wrong), kind)
		require.Equal(t, protocol.Accepted, s.ask(kind, "svc-0001", s.Right("svc-0001")), kind)
		require.Equal(t, protocol.Refused, s.ask(kind, "nobody-of-that-name", wrong), "the same as wrong")
		require.Equal(t, protocol.Refused, s.ask(kind, "svc-0002", s.Right("svc-0002")), "locked is the same as wrong")
		require.Equal(t, protocol.Accepted, s.ask(kind, "svc-0003", s.Right("svc-0003")), "must change, which a bind alone does not show")
		software, err := OpenSMTP(s.at(kind)).Software(t.Context())
		require.NoError(t, err)
		require.Contains(t, software, "ESMTP Postfix")
	}
	clear := s.at("submission")
	clear.TLS = door.ClearText
	require.Equal(t, protocol.NotThisWay, doortest.Ask(t, OpenSMTP(clear), "svc-0001", s.Right("svc-0001")), "no login without TLS")
	for _, kind := range []string{"submission", "smtps"} {
		subject := doortest.Subject{At: s.at(kind), Login: "svc-0001", Value: s.Right("svc-0001"), Open: func(d door.Settings) door.Door { return OpenSMTP(d) }}
		subject.Certificates(t)
		subject.NotTLS(t)
		if kind == "submission" {
			subject.Foul(t, "220 ready\r\n", "220-ready\r\n", "235 welcome\r\n", "535 no\r\n")
		}
	}
	// A login that fails in between does not turn the relay away (no penalty
	// of its own).
	for range 4 {
		require.Equal(t, protocol.Refused, s.ask("submission", "svc-0004", wrong))
	}
	require.Equal(t, protocol.Accepted, s.ask("submission", "svc-0004", s.Right("svc-0004")))

	// Its password has expired: the directory refuses the bind, which is the
	// same as wrong.
	s.Expire("svc-0004")
	for _, value := range []credential.Secret{s.Right("svc-0004"), wrong} {
		require.Equal(t, protocol.Refused, s.ask("submission", "svc-0004", value))
	}
	require.Equal(t, protocol.ReasonDoorRefusesNew, s.proof("submission", "svc-0004", wrong, s.Right("svc-0004")))

	// The directory hangs, or is down: 535 to each value, as if it were wrong.
	// What tells that apart is the new value, which is refused as well.
	s.Directory.Process().Pause()
	require.Equal(t, protocol.Refused, s.ask("submission", "svc-0001", s.Right("svc-0001")))
	s.Directory.Process().Resume()
	require.NoError(t, s.Directory.Stop(t.Context()))
	require.Equal(t, protocol.Refused, s.ask("submission", "svc-0001", s.Right("svc-0001")))
	require.Equal(t, protocol.Refused, s.ask("submission", "svc-0001", wrong))
	require.Equal(t, protocol.ReasonDoorRefusesNew, s.proof("submission", "svc-0001", wrong, s.Right("svc-0001")))
	require.Equal(t, protocol.ReasonDoorRefusesNew, protocol.Shut([]string{"mail"},
		[]protocol.DoorEvidence{{Door: "mail", First: protocol.Accepted, Old: protocol.Refused, New: s.ask("submission", "svc-0001", s.Right("svc-0001"))}}, true).Reason, "it went down in the middle")

	s.checker.Process().Pause()
	hangs := s.at("submission")
	hangs.Timeout = 300 * time.Millisecond
	require.Equal(t, protocol.Unreachable, doortest.Ask(t, OpenSMTP(hangs), "svc-0001", s.Right("svc-0001")))
	s.checker.Process().Resume()
	require.NoError(t, s.checker.Stop(t.Context()))
	require.Equal(t, protocol.Unreachable, s.ask("submission", "svc-0001", s.Right("svc-0001")), "454")
	require.Equal(t, protocol.Unreachable, s.ask("submission", "svc-0001", wrong), "454")
}

// saslauthd as Debian starts it (-c) keeps what it accepted once, for each name
// of a service apart. The good login that a proof begins with ends it there,
// and nowhere else.
func TestAnOldValueIsTakenFromACheckersCacheUntilTheNewOneLogsInAtEachService(t *testing.T) {
	t.Parallel()
	s := newRelay(t, 8*time.Hour)
	old := s.Right("svc-0001")
	renewed := credential.NewSecret("renewed-" + old.Reveal())
	require.Equal(t, protocol.Accepted, s.ask("submission", "svc-0001", old))
	require.Equal(t, protocol.Accepted, s.ask("other", "svc-0001", old))
	s.set("svc-0001", renewed)
	require.Equal(t, protocol.Accepted, s.ask("submission", "svc-0001", old))
	require.Equal(t, protocol.Refused, s.ask("submission", "svc-0001", wrong))
	require.Equal(t, protocol.Accepted, s.ask("smtps", "svc-0001", old), "a wrong one ends nothing, and one name stands for both ports")
	require.Empty(t, s.proof("submission", "svc-0001", old, renewed))
	require.Equal(t, protocol.Refused, s.ask("smtps", "svc-0001", old))
	require.Equal(t, protocol.Accepted, s.ask("other", "svc-0001", old), "another name: a door of its own")
	require.Empty(t, s.proof("other", "svc-0001", old, renewed))
	require.Equal(t, protocol.Refused, s.ask("other", "svc-0001", old))

	// What is kept outlives the directory: then only what was accepted last is.
	require.NoError(t, s.Directory.Stop(t.Context()))
	require.Equal(t, protocol.Accepted, s.ask("submission", "svc-0001", renewed))
	require.Equal(t, protocol.Refused, s.ask("submission", "svc-0001", old))
	require.Equal(t, protocol.Refused, s.ask("submission", "svc-0004", s.Right("svc-0004")), "not kept: as wrong")
	require.NoError(t, s.checker.Restart(t.Context(), 8*time.Hour))
	require.Equal(t, protocol.Refused, s.ask("submission", "svc-0001", renewed), "a restart ends it")
}

// Nobody logs in with the new value: the old one is taken for as long as -t
// says, whether it is used or not, and nothing calls it dead until then.
func TestAnOldValueIsTakenFromACheckersCacheForItsLifetime(t *testing.T) {
	t.Parallel()
	const lifetime = 3 * time.Second
	s := newRelay(t, lifetime)
	old := s.Right("svc-0001")
	began := time.Now()
	require.Equal(t, protocol.Accepted, s.ask("submission", "svc-0001", old))
	s.set("svc-0001", credential.NewSecret("renewed-"+old.Reveal()))
	taken := 0
	require.Eventually(t, func() bool {
		said := s.ask("submission", "svc-0001", old)
		stop := protocol.Shut([]string{"mail"}, []protocol.DoorEvidence{{Door: "mail", First: protocol.Accepted, Old: said, New: protocol.Accepted}}, true)
		if said == protocol.Accepted {
			taken++
			require.Equal(t, protocol.ReasonDoorTakesOld, stop.Reason)
		}
		return said == protocol.Refused
	}, time.Minute, 200*time.Millisecond)
	require.Greater(t, time.Since(began), lifetime-time.Second, "it counts whole seconds")
	t.Logf("taken %d times, and refused after %s", taken, time.Since(began))
}

// Postfix in front of Dovecot says 535 while the directory is down, where
// Dovecot's own IMAP tells that apart.
func TestARelayBeforeDovecotHidesThatTheDirectoryIsDown(t *testing.T) {
	t.Parallel()
	sockets, err := os.MkdirTemp("", "sasl") // a path that unix(7) has room for
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(sockets) })
	require.NoError(t, os.Chmod(sockets, 0o755))
	office := newOffice(t, lab.DovecotOptions{AtOnce: true, Auth: sockets + "/auth"})
	s := &relay{Office: office.Office}
	s.mail = doortest.Start(t, lab.StartPostfix, lab.PostfixOptions{Dir: t.TempDir(), CA: s.CA, Dovecot: sockets + "/auth"})
	require.Equal(t, protocol.Accepted, s.ask("submission", "svc-0001", s.Right("svc-0001")))
	require.Equal(t, protocol.Refused, s.ask("submission", "svc-0001", wrong))
	require.Equal(t, protocol.Accepted, s.ask("submission", "svc-0001", s.Right("svc-0001")))
	require.NoError(t, s.Directory.Stop(t.Context()))
	require.Equal(t, protocol.Refused, s.ask("submission", "svc-0001", s.Right("svc-0001")))
	require.Equal(t, protocol.ReasonDoorRefusesNew, s.proof("submission", "svc-0001", wrong, s.Right("svc-0001")))
}

// saslauthd's cache has an entry for each spelling of a name, and the directory
// takes them all for one account. A good login with the new value ends that of
// its own spelling alone.
func TestACheckersCacheHasAnEntryForEachSpellingOfAName(t *testing.T) {
	t.Parallel()
	s := newRelay(t, 8*time.Hour)
	old := s.Right("svc-0001")
	renewed := credential.NewSecret("renewed-" + old.Reveal())
	spellings := []string{"svc-0001", "SVC-0001", "Svc-0001", "svc-0001@example.org", "SVC-0001@EXAMPLE.ORG"}
	for _, as := range spellings {
		require.Equal(t, protocol.Accepted, s.ask("submission", as, old), as)
	}
	s.set("svc-0001", renewed)
	require.Empty(t, s.proof("submission", "svc-0001", old, renewed))
	for _, as := range spellings[1:] {
		require.Equal(t, protocol.Accepted, s.ask("submission", as, old), as)
		require.Empty(t, s.proof("submission", as, old, renewed), as)
	}
}
