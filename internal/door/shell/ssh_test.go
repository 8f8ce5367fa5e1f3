package shell

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

type office struct {
	t        *testing.T
	accounts []lab.Account
	sshd     *lab.SSHD
}

func newOffice(t *testing.T) *office {
	t.Helper()
	s := &office{t: t, accounts: lab.SeedAccounts("svc-", 6)}
	s.sshd = doortest.Start(t, lab.StartSSHD, lab.SSHDOptions{Dir: t.TempDir(), Accounts: s.accounts, Locked: []string{"svc-0002"}, Denied: []string{"svc-0005"},
		State: map[string]string{"svc-0003": "19000:0:99999:7::1:", "svc-0004": "0:0:99999:7:::", "svc-0006": "19000:0:1:7:1::"}})
	return s
}

func (s *office) settings(port string) door.Settings {
	return door.Settings{Type: "ssh", Address: s.sshd.Address(port), TLS: door.Types["ssh"].TLS[0], HostKey: s.sshd.HostKey, Timeout: 30 * time.Second}
}

func (s *office) right(uid string) credential.Secret {
	for _, a := range s.accounts {
		if a.UID == uid {
			return credential.NewSecret(a.Password)
		}
	}
	s.t.Fatal(uid)
	return credential.Secret{}
}

func (s *office) ask(port, uid string, value credential.Secret) protocol.Reply {
	s.t.Helper()
	return doortest.Ask(s.t, Open(s.settings(port)), uid, value)
}

var wrong = doortest.Wrong

func TestWhatAnSSHServersAnswersMean(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	for _, port := range []string{"password", "prompt"} {
		require.Equal(t, protocol.Accepted, s.ask(port, "svc-0001", s.right("svc-0001")), port)
		require.Equal(t, protocol.Refused, s.ask(port, "svc-0001", wrong), port)
		require.Equal(t, protocol.Accepted, s.ask(port, "svc-0001", s.right("svc-0001")), port)
		require.Equal(t, protocol.Refused, s.ask(port, "nobody-of-that-name", wrong), "the same as wrong")
		require.Equal(t, protocol.Refused, s.ask(port, "svc-0002", s.right("svc-0002")), "locked is the same as wrong")
		require.Equal(t, protocol.Refused, s.ask(port, "svc-0005", s.right("svc-0005")), "denied is the same as wrong")
		require.Equal(t, protocol.Refused, s.ask(port, "svc-0003", wrong), port)
		require.Equal(t, protocol.Refused, s.ask(port, "svc-0004", wrong), port)
	}
	require.Equal(t, protocol.Restricted, s.ask("password", "svc-0003", s.right("svc-0003")), "expired: a banner and the end, so the value was right")
	require.Equal(t, protocol.Restricted, s.ask("password", "svc-0006", s.right("svc-0006")), "inactive, likewise")
	require.Equal(t, protocol.Accepted, s.ask("password", "svc-0004", s.right("svc-0004")), "must change, which no login without a command shows")
	require.Equal(t, protocol.MustChange, s.ask("prompt", "svc-0004", s.right("svc-0004")))
	require.Equal(t, protocol.MustChange, s.ask("prompt", "svc-0004", s.right("svc-0004")), "and no part was taken in a change")
	for _, value := range []credential.Secret{s.right("svc-0001"), wrong} {
		require.Equal(t, protocol.NotThisWay, s.ask("key", "svc-0001", value), "the value was not sent")
	}
	require.Equal(t, protocol.Restricted, s.ask("both", "svc-0001", s.right("svc-0001")), "the value was right, and a key is asked for besides")
	require.Equal(t, protocol.Refused, s.ask("both", "svc-0001", wrong))
	require.Equal(t, protocol.Accepted, s.ask("once", "svc-0001", s.right("svc-0001")))
	require.Equal(t, protocol.Refused, s.ask("once", "svc-0001", wrong))
	require.Equal(t, protocol.NotThisWay, s.ask("password", "", wrong))
	require.Equal(t, protocol.NotThisWay, s.ask("password", "svc-0001", credential.Secret{}))
	software, err := Open(s.settings("password")).Software(t.Context())
	require.NoError(t, err)
	require.Contains(t, software, "OpenSSH_9.2p1")

	// Three failures lock the account: the last one above, and two.
	for range 2 {
		require.Equal(t, protocol.Refused, s.ask("prompt", "svc-0001", wrong))
	}
	require.Equal(t, protocol.Locked, s.ask("prompt", "svc-0001", s.right("svc-0001")), "the prompt says it")
	require.Equal(t, protocol.Locked, s.ask("prompt", "svc-0001", wrong), "the prompt says it")
	require.Equal(t, protocol.Refused, s.ask("password", "svc-0001", s.right("svc-0001")), "which is the same as wrong")

	require.NoError(t, s.sshd.BreakPAM())
	require.Equal(t, protocol.Refused, s.ask("password", "svc-0001", s.right("svc-0001")), "a PAM that fails is the same as wrong, so the new value is refused too")

	s.sshd.Process().Pause()
	hangs := s.settings("password")
	hangs.Timeout = 300 * time.Millisecond
	require.Equal(t, protocol.Unreachable, doortest.Ask(t, Open(hangs), "svc-0001", s.right("svc-0001")))
	s.sshd.Process().Resume()
}

// requireOther: both keys are shown as ssh-keygen -lf shows them.
func requireOther(t *testing.T, r door.Said, shown, known string) {
	t.Helper()
	fingerprint := func(line string) string {
		_, _, key, _, _, err := ssh.ParseKnownHosts([]byte(line))
		require.NoError(t, err)
		return ssh.FingerprintSHA256(key) + " (" + key.Type() + ")"
	}
	require.Equal(t, door.Trouble{Fault: door.OtherHostKey, Why: "its host key is " + fingerprint(shown) + ", and not the one of host_key, " + fingerprint(known)}.Said(), r)
}

func TestNothingFoulIsAVerdict(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	subject := doortest.Subject{At: s.settings("password"), Login: "svc-0001", Value: s.right("svc-0001"),
		Open: func(d door.Settings) door.Door { return Open(d) }}
	subject.Foul(t, "SSH-2.0-x\r\n", "hello\r\n", "SSH-2.0-x\r\n\x7f\xff\xff\xff\x00")

	other := newOffice(t)
	at := s.settings("password")
	at.HostKey = other.sshd.HostKey
	r := Open(at).Ask(t.Context(), "svc-0001", s.right("svc-0001"))
	requireOther(t, r, s.sshd.HostKey, other.sshd.HostKey)
	at.HostKey += "\n" + s.sshd.HostKey
	require.Equal(t, protocol.Accepted, Open(at).Ask(t.Context(), "svc-0001", s.right("svc-0001")).Reply)
	at.HostKey = "127.0.0.1 ssh-rsa AAAA"
	require.Equal(t, protocol.Unreachable, Open(at).Ask(t.Context(), "svc-0001", s.right("svc-0001")).Reply)
}
