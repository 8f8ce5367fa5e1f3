package shell

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/protocol"
)

// keyed is a door by key at one of the ports.
func (s *office) keyed(port string) door.Settings {
	at := s.settings(port)
	at.Auth = door.ByKey
	return at
}

func newKey(t *testing.T) (value credential.Secret, line string) {
	t.Helper()
	value, err := Open(door.Settings{Auth: door.ByKey}).Nonsense()
	require.NoError(t, err)
	return value, publicOf(t, value)
}

func publicOf(t *testing.T, value credential.Secret) string {
	t.Helper()
	key, err := ssh.ParsePrivateKey([]byte(value.Reveal()))
	require.NoError(t, err)
	return string(ssh.MarshalAuthorizedKey(key.PublicKey()))
}

func TestWhatAnSSHServersAnswersToKeysMean(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	old, oldLine := newKey(t)
	renewed, line := newKey(t)
	for _, uid := range []string{"svc-0001", "svc-0002", "svc-0003", "svc-0004", "svc-0005", "svc-0006"} {
		require.NoError(t, s.sshd.Authorize(uid, line))
	}
	ask := func(port, uid string, value credential.Secret) protocol.Reply {
		t.Helper()
		return doortest.Ask(t, Open(s.keyed(port)), uid, value)
	}
	require.NoError(t, s.sshd.Authorize("svc-0001", oldLine+line))
	require.Equal(t, protocol.Accepted, ask("key", "svc-0001", renewed))
	require.Equal(t, protocol.Accepted, ask("key", "svc-0001", old), "nobody took it away")
	require.NoError(t, s.sshd.Authorize("svc-0001", line))
	require.Equal(t, protocol.Accepted, ask("key", "svc-0001", renewed))
	require.Equal(t, protocol.Refused, ask("key", "svc-0001", old))
	require.Equal(t, protocol.Accepted, ask("key", "svc-0001", renewed))
	require.Equal(t, protocol.Refused, ask("key", "nobody-of-that-name", old), "the same as wrong")
	require.Equal(t, protocol.Accepted, ask("key", "svc-0002", renewed), "a locked password locks no key")
	require.Equal(t, protocol.Restricted, ask("key", "svc-0003", renewed), "expired: a banner and the end, so the key was right")
	require.Equal(t, protocol.Refused, ask("key", "svc-0003", old))
	require.Equal(t, protocol.Accepted, ask("key", "svc-0004", renewed), "must change, which no login without a command shows")
	require.Equal(t, protocol.Refused, ask("key", "svc-0005", renewed), "denied is the same as wrong")
	require.Equal(t, protocol.Restricted, ask("key", "svc-0006", renewed), "inactive: a banner and the end")
	require.Equal(t, protocol.Restricted, ask("keyfirst", "svc-0001", renewed), "the key was right, and a password is asked for besides")
	require.Equal(t, protocol.Refused, ask("keyfirst", "svc-0001", old))
	require.Equal(t, protocol.NotThisWay, ask("both", "svc-0001", renewed), "the password comes first there: the key was not sent")
	require.Equal(t, protocol.Refused, ask("lost", "svc-0001", renewed), "what knows the keys is down: the same as wrong, so the new one is refused too")
	require.Equal(t, protocol.Accepted, ask("once", "svc-0001", renewed))
	require.Equal(t, protocol.Refused, ask("once", "svc-0001", old))

	// Which forms a value may have, and that none is sent as what it is not.
	require.Equal(t, protocol.Accepted, ask("key", "svc-0001", credential.NewSecret(strings.ReplaceAll(strings.TrimSpace(renewed.Reveal()), "\n", "\r\n"))))
	require.Equal(t, protocol.NotThisWay, ask("key", "svc-0001", s.right("svc-0001")))
	require.Equal(t, protocol.NotThisWay, s.ask("password", "svc-0001", renewed), "no private key is sent as a password")
	require.Equal(t, protocol.NotThisWay, ask("key", "svc-0001", credential.NewSecret(renewed.Reveal()[:200])))
	number, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	classic := credential.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(number)})))
	require.Equal(t, protocol.Refused, ask("key", "svc-0001", classic))
	require.NoError(t, s.sshd.Authorize("svc-0001", publicOf(t, classic)))
	require.Equal(t, protocol.Accepted, ask("key", "svc-0001", classic))
	sealed, err := ssh.MarshalPrivateKeyWithPassphrase(number, "", []byte("a passphrase"))
	require.NoError(t, err)
	said := Open(s.keyed("key")).Ask(t.Context(), "svc-0001", credential.NewSecret(string(pem.EncodeToMemory(sealed))))
	require.Equal(t, door.Said{Reply: protocol.NotThisWay, Code: "the private key has a passphrase"}, said)

	at := s.keyed("key")
	at.HostKey = strings.TrimSpace(line)
	requireOther(t, Open(at).Ask(t.Context(), "svc-0002", renewed), s.sshd.HostKey, "127.0.0.1 "+strings.TrimSpace(line))

	require.NoError(t, s.sshd.BreakPAM())
	require.Equal(t, protocol.Accepted, ask("key", "svc-0002", renewed), "PAM is not asked about keys")
	s.sshd.Process().Pause()
	at = s.keyed("key")
	at.Timeout = 300 * time.Millisecond
	require.Equal(t, protocol.Unreachable, doortest.Ask(t, Open(at), "svc-0002", renewed))
	s.sshd.Process().Resume()
}

// prompting is a server of keyboard-interactive with as many questions in as
// many requests, whatever the answers are. PAM does so where a module behind
// pam_unix asks for a code and the first one is `required`.
func prompting(t *testing.T, requests ...[]string) (at door.Settings, answers func() []string) {
	t.Helper()
	value, line := newKey(t)
	host, err := ssh.ParsePrivateKey([]byte(value.Reveal()))
	require.NoError(t, err)
	said := make(chan []string, 1)
	config := &ssh.ServerConfig{KeyboardInteractiveCallback: func(_ ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
		var all []string
		defer func() { said <- all }()
		for _, questions := range requests {
			got, err := ask("", "", questions, make([]bool, len(questions)))
			if err != nil {
				return nil, err
			}
			all = append(all, got...)
		}
		return nil, errors.New("no")
	}}
	config.AddHostKey(host)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _, _, _ = ssh.NewServerConn(c, config)
		_ = c.Close()
	}()
	return door.Settings{Type: "ssh", Address: l.Addr().String(), TLS: door.Itself, HostKey: strings.TrimSpace(line), Timeout: 30 * time.Second}, func() []string { return <-said }
}

func TestSeveralPromptsSayNothing(t *testing.T) {
	t.Parallel()
	value := credential.NewSecret("the right one")
	for name, row := range map[string]struct {
		requests [][]string
		means    door.Said
		sent     int
	}{
		"a code behind the password": {[][]string{{"Password: "}, {"Verification code: "}}, door.Said{Reply: protocol.NotThisWay, Code: "a second prompt"}, 1},
		"the password once more":     {[][]string{{"Password: "}, {"Password: "}}, door.Said{Reply: protocol.NotThisWay, Code: "a second prompt"}, 1},
		"both in one request":        {[][]string{{"Password: ", "Verification code: "}}, door.Said{Reply: protocol.NotThisWay, Code: "no prompt for a password"}, 0},
		"a code first":               {[][]string{{"Verification code: "}, {"Password: "}}, door.Said{Reply: protocol.NotThisWay, Code: "no prompt for a password"}, 0},
		"one prompt":                 {[][]string{{"Password: "}}, door.Said{Reply: protocol.Refused, Code: "keyboard-interactive"}, 1},
		"a word without a question":  {[][]string{{}, {"Password: "}}, door.Said{Reply: protocol.Refused, Code: "keyboard-interactive"}, 1},
		"a new one behind the old":   {[][]string{{"Password: "}, {"New password: "}}, door.Said{Reply: protocol.MustChange, Code: "a prompt for a new password"}, 1},
		"old, new and new in one":    {[][]string{{"Current password: ", "New password: ", "Retype: "}}, door.Said{Reply: protocol.NotThisWay, Code: "no prompt for a password"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at, answers := prompting(t, row.requests...)
			require.Equal(t, row.means, Open(at).Ask(t.Context(), "svc-0001", value))
			require.Len(t, answers(), row.sent)
		})
	}
}
