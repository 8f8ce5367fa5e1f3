package shell

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// machine is one whose users SSSD lets in by a directory.
type machine struct {
	doortest.Office
	sssd *lab.SSSD
}

func newMachine(t *testing.T, keeps bool, o lab.SlapdOptions) *machine {
	t.Helper()
	s := &machine{Office: doortest.NewOffice(t, o)}
	var users []string
	for n := range 4 {
		uid := fmt.Sprintf("svc-%04d", n+1)
		users = append(users, uid)
		s.Change(uid, "employeeNumber", fmt.Sprint(40000+n))
	}
	s.sssd = doortest.Start(t, lab.StartSSSD, lab.SSSDOptions{Dir: t.TempDir(), CA: s.CA, Directory: s.Directory, Users: users, NoCache: !keeps})
	s.takes("svc-0001", s.Right("svc-0001"))
	return s
}

func (s *machine) ask(uid string, value credential.Secret) protocol.Reply {
	s.T.Helper()
	return doortest.Ask(s.T, Open(s.settings(time.Minute)), uid, value)
}

func (s *machine) settings(timeout time.Duration) door.Settings {
	return door.Settings{Type: "ssh", Address: s.sssd.Address(), TLS: door.Itself, HostKey: s.sssd.HostKey, Timeout: timeout}
}

// takes waits until it does: SSSD is up, or its directory is back.
func (s *machine) takes(uid string, value credential.Secret) {
	s.T.Helper()
	require.Eventually(s.T, func() bool { return s.ask(uid, value) == protocol.Accepted }, 2*time.Minute, 100*time.Millisecond)
}

func TestWhatTheAnswersOfAMachineWithSSSDMean(t *testing.T) {
	t.Parallel()
	s := newMachine(t, false, lab.SlapdOptions{})
	right := s.Right("svc-0001")
	require.Equal(t, protocol.Refused, s.ask("svc-0001", wrong))
	require.Equal(t, protocol.Accepted, s.ask("svc-0001", right))
	require.Equal(t, protocol.Refused, s.ask("nobody-of-that-name", wrong), "the same as wrong")
	s.Expire("svc-0004")
	for uid, row := range map[string]struct {
		right protocol.Reply
		why   string
	}{
		"svc-0002": {protocol.Refused, "locked is the same as wrong"},
		"svc-0003": {protocol.Accepted, "must change, which no login without a command shows"},
		"svc-0004": {protocol.Accepted, "expired, likewise"},
	} {
		require.Equal(t, row.right, s.ask(uid, s.Right(uid)), row.why)
		require.Equal(t, protocol.Refused, s.ask(uid, wrong), row.why)
	}
	s.sssd.Away(true)
	for _, value := range []credential.Secret{right, wrong} {
		require.Equal(t, protocol.Refused, s.ask("svc-0001", value), "a directory that is away is the same as wrong, so the new value is refused too")
	}
	s.sssd.Away(false)
	s.takes("svc-0001", right)
	s.Directory.Process().Pause()
	defer s.Directory.Process().Resume()
	for _, value := range []credential.Secret{right, wrong} {
		require.Equal(t, protocol.Unreachable, doortest.Ask(t, Open(s.settings(3*time.Second)), "svc-0001", value), "it hangs")
	}
}

// While its directory is away a machine goes by the value of the last good
// login there: the old one, although it has refused that while the directory
// was there, and the new one is refused.
func TestAMachineTakesTheOldValueWhileItsDirectoryIsAway(t *testing.T) {
	t.Parallel()
	s := newMachine(t, true, lab.SlapdOptions{Accounts: lab.SeedAccounts("svc-", 4)})
	old, changed := s.Right("svc-0001"), credential.NewSecret("of-after")
	s.Change("svc-0001", "userPassword", changed.Reveal())
	require.Equal(t, protocol.Refused, s.ask("svc-0001", old), "the directory is there")
	goes := func(by, not credential.Secret) {
		t.Helper()
		require.Equal(t, protocol.Accepted, s.ask("svc-0001", by))
		require.Equal(t, protocol.Refused, s.ask("svc-0001", not))
		require.Equal(t, protocol.Refused, s.ask("svc-0001", wrong))
		require.Equal(t, protocol.Accepted, s.ask("svc-0001", by), "and a wrong one ends nothing")
	}
	s.sssd.Away(true)
	goes(old, changed)
	s.sssd.Away(false)
	s.takes("svc-0001", changed) // a good login while the directory is there
	require.Equal(t, protocol.Refused, s.ask("svc-0001", old))
	s.sssd.Away(true)
	goes(changed, old)
}

// A good login with a value that must be changed ends nothing that is kept.
func TestAMachineKeepsNoValueThatMustBeChanged(t *testing.T) {
	t.Parallel()
	s := newMachine(t, true, lab.SlapdOptions{}) // whose policy has each reset changed
	old, changed := s.Right("svc-0001"), credential.NewSecret("of-after")
	s.Change("svc-0001", "userPassword", changed.Reveal())
	s.takes("svc-0001", changed)
	require.Equal(t, protocol.Refused, s.ask("svc-0001", old))
	s.sssd.Away(true)
	require.Equal(t, protocol.Accepted, s.ask("svc-0001", old))
	require.Equal(t, protocol.Refused, s.ask("svc-0001", changed))
}
