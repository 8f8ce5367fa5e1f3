package radius

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"layeh.com/radius"
	"layeh.com/radius/rfc2869"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

type office struct {
	doortest.Office
	radius *lab.FreeRADIUS
}

func newOffice(t *testing.T) *office {
	t.Helper()
	s := &office{Office: doortest.NewOffice(t, lab.SlapdOptions{})}
	s.radius = doortest.Start(t, lab.StartFreeRADIUS, lab.FreeRADIUSOptions{Dir: t.TempDir(), Directory: s.Directory})
	return s
}

func settings(address string) door.Settings {
	return door.Settings{Type: "radius", Address: address, TLS: door.Types["radius"].TLS[0], Timeout: time.Minute}
}

func shared(secret string) func(context.Context) (credential.Secret, error) {
	return func(context.Context) (credential.Secret, error) { return credential.NewSecret(secret), nil }
}

func (s *office) ask(uid string, value credential.Secret) protocol.Reply {
	s.T.Helper()
	return doortest.Ask(s.T, Open(settings(s.radius.Address()), shared(s.radius.Secret)), uid, value)
}

var wrong = doortest.Wrong

func TestWhatARADIUSServersAnswersMean(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	require.Equal(t, protocol.Accepted, s.ask("svc-0001", s.Right("svc-0001")))
	require.Equal(t, protocol.Refused, s.ask("svc-0001", wrong))
	require.Equal(t, protocol.Accepted, s.ask("svc-0001", s.Right("svc-0001")))
	require.Equal(t, protocol.Refused, s.ask("nobody-of-that-name", wrong), "the same as wrong")
	require.Equal(t, protocol.Refused, s.ask("svc-0002", s.Right("svc-0002")), "locked is the same as wrong")
	require.Equal(t, protocol.Accepted, s.ask("svc-0003", s.Right("svc-0003")), "must change, which a bind alone does not show")
	require.Equal(t, protocol.NotThisWay, s.ask("", wrong))
	require.Equal(t, protocol.NotCarried, s.ask("svc-0001", credential.Secret{}))
	require.Equal(t, protocol.NotCarried, s.ask("svc-0001", credential.NewSecret("ends in zero\x00")), "PAP drops it")
	require.Equal(t, protocol.Refused, s.ask("svc-0001", credential.NewSecret(string(make128()))))
	require.Equal(t, protocol.NotCarried, s.ask("svc-0001", credential.NewSecret(string(make128())+"x")))
	_, err := Open(settings(s.radius.Address()), shared(s.radius.Secret)).Software(t.Context())
	require.NoError(t, err)

	at := settings(s.radius.Address())
	at.Timeout = 300 * time.Millisecond
	stranger := Open(at, shared("another-secret"))
	require.Equal(t, protocol.Unreachable, doortest.Ask(t, stranger, "svc-0001", s.Right("svc-0001")), "another shared secret is met with silence")
	_, err = stranger.Software(t.Context())
	require.ErrorContains(t, err, "no answer to Status-Server")
	for _, secret := range []func(context.Context) (credential.Secret, error){
		shared(""), func(context.Context) (credential.Secret, error) { return credential.Secret{}, errors.New("sealed") },
	} {
		require.Equal(t, protocol.Unreachable, doortest.Ask(t, Open(at, secret), "svc-0001", wrong))
	}

	s.Expire("svc-0004")
	for _, value := range []credential.Secret{s.Right("svc-0004"), wrong} {
		require.Equal(t, protocol.Refused, s.ask("svc-0004", value), "expired is the same as wrong")
	}
	s.Directory.Process().Pause()
	for _, value := range []credential.Secret{s.Right("svc-0001"), wrong} {
		require.Equal(t, protocol.Unreachable, doortest.Ask(t, Open(at, shared(s.radius.Secret)), "svc-0001", value), "its directory hangs")
		require.Equal(t, protocol.Refused, s.ask("svc-0001", value), "whoever waits is told the same as of a wrong value, so the new one is refused too")
	}
	s.Directory.Process().Resume()
	require.Eventually(t, func() bool { return s.ask("svc-0001", s.Right("svc-0001")) == protocol.Accepted }, time.Minute, 200*time.Millisecond)
	s.radius.Process().Pause()
	require.Equal(t, protocol.Unreachable, doortest.Ask(t, Open(at, shared(s.radius.Secret)), "svc-0001", s.Right("svc-0001")))
	s.radius.Process().Resume()
	require.NoError(t, s.Directory.Stop(t.Context()))
	require.Equal(t, protocol.Refused, s.ask("svc-0001", s.Right("svc-0001")), "a directory that is down is the same as wrong, so the new value is refused too")
	require.NoError(t, s.radius.Stop(t.Context()))
	require.Equal(t, protocol.Unreachable, s.ask("svc-0001", s.Right("svc-0001")), "nobody is there")
}

// The secret that server and client share is known by who signs the answers.
func TestWhatAnAnswerSaysOfTheSharedSecret(t *testing.T) {
	t.Parallel()
	s := &office{Office: doortest.NewOffice(t, lab.SlapdOptions{})}
	for _, unsigned := range []bool{true, false} {
		s.radius = doortest.Start(t, lab.StartFreeRADIUS, lab.FreeRADIUSOptions{Dir: t.TempDir(), Directory: s.Directory, Unsigned: unsigned})
		at := settings(s.radius.Address())
		at.Auth = door.BySecret
		silent := at
		silent.Timeout = 3 * time.Second // of which each answer has a fifth
		askAt := func(at door.Settings, value string) protocol.Reply {
			return doortest.Ask(t, Open(at, nil), "", credential.NewSecret(value))
		}
		ask := func(value string) protocol.Reply { return askAt(at, value) }
		require.Equal(t, protocol.Accepted, ask(s.radius.Secret))
		if unsigned {
			require.Equal(t, protocol.Refused, ask("another-secret"))
		} else {
			require.Equal(t, protocol.Unreachable, askAt(silent, "another-secret"), "as one that is down")
		}
		require.Equal(t, protocol.Accepted, ask(s.radius.Secret))
		require.Equal(t, protocol.NotThisWay, ask(""))
		_, err := Open(at, nil).Software(t.Context())
		if unsigned {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "wants every request signed")
		}
		s.radius.Process().Pause()
		require.Equal(t, protocol.Unreachable, askAt(silent, s.radius.Secret), "it hangs")
		require.Equal(t, protocol.Unreachable, askAt(silent, "another-secret"))
		s.radius.Process().Resume()

		require.NoError(t, s.radius.Stop(t.Context()))
		require.Equal(t, protocol.Unreachable, ask(s.radius.Secret), "nobody is there")
	}
}

// What is no whole answer to the request is none, and a right one behind a
// forged one counts.
func TestNothingFoulSaysAnythingOfTheSharedSecret(t *testing.T) {
	t.Parallel()
	askFor := func(timeout time.Duration, answer func([]byte) [][]byte) protocol.Reply {
		at := settings(played(t, answer))
		at.Auth, at.Timeout = door.BySecret, timeout
		return Open(at, nil).Ask(t.Context(), "", credential.NewSecret(secret)).Reply
	}
	ask := func(answer func([]byte) [][]byte) protocol.Reply { return askFor(500*time.Millisecond, answer) }
	right := func(q []byte) []byte { return says(t, q, radius.CodeAccessReject, "") }
	forged := func(q []byte) []byte { b := right(q); b[4]++; return b }
	require.Equal(t, protocol.Accepted, askFor(time.Minute, func(q []byte) [][]byte { return [][]byte{right(q)} }))
	require.Equal(t, protocol.Refused, askFor(20*time.Second, func(q []byte) [][]byte { return [][]byte{forged(q)} }))
	require.Equal(t, protocol.Accepted, askFor(time.Minute, func(q []byte) [][]byte { return [][]byte{forged(q), {}, make([]byte, 4000), right(q)} }))
	for name, foul := range map[string]func(q []byte) []byte{
		"nothing":       func([]byte) []byte { return nil },
		"an echo":       func(q []byte) []byte { return q },
		"cut":           func(q []byte) []byte { return right(q)[:19] },
		"longer":        func(q []byte) []byte { return append(right(q), 0) },
		"to another":    func(q []byte) []byte { b := right(q); b[1]++; return b },
		"of no meaning": func(q []byte) []byte { return says(t, q, radius.CodeCoAACK, "") },
	} {
		require.Equal(t, protocol.Unreachable, ask(func(q []byte) [][]byte { return [][]byte{foul(q)} }), name)
	}
	require.Equal(t, protocol.Unreachable, ask(func([]byte) [][]byte {
		var many [][]byte
		for range 300 {
			many = append(many, make([]byte, 1000))
		}
		return many
	}))
}

func make128() []byte {
	out := make([]byte, 128)
	for i := range out {
		out[i] = 'a'
	}
	return out
}

// played answers each request by what answer makes of it.
func played(t *testing.T, answer func(request []byte) [][]byte) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		b := make([]byte, 4096)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			for _, said := range answer(append([]byte(nil), b[:n]...)) {
				_, _ = c.WriteTo(said, from)
			}
		}
	}()
	return c.LocalAddr().String()
}

const secret = "a shared secret"

// says is an answer to a request; MessageAuthenticator is signed with by.
func says(t *testing.T, request []byte, code radius.Code, by string) []byte {
	p, err := radius.Parse(request, []byte(secret))
	require.NoError(t, err)
	r := p.Response(code)
	if by != "" {
		require.NoError(t, rfc2869.MessageAuthenticator_Set(r, make([]byte, 16)))
		wire, err := r.MarshalBinary()
		require.NoError(t, err)
		require.NoError(t, rfc2869.MessageAuthenticator_Set(r, sum(wire, []byte(by))))
	}
	wire, err := r.Encode()
	require.NoError(t, err)
	return wire
}

func TestWhatIsNotSignedIsNoVerdict(t *testing.T) {
	t.Parallel()
	ask := func(answer func([]byte) [][]byte, timeout time.Duration) protocol.Reply {
		at := settings(played(t, answer))
		at.Timeout = timeout
		return Open(at, shared(secret)).Ask(t.Context(), "svc-0001", wrong).Reply
	}
	one := func(code radius.Code, by string) func([]byte) [][]byte {
		return func(q []byte) [][]byte { return [][]byte{says(t, q, code, by)} }
	}
	require.Equal(t, protocol.Refused, ask(one(radius.CodeAccessReject, ""), time.Minute), "FreeRADIUS 3.2.1 sends none")
	require.Equal(t, protocol.Refused, ask(one(radius.CodeAccessReject, secret), time.Minute))
	require.Equal(t, protocol.Accepted, ask(one(radius.CodeAccessAccept, secret), time.Minute))
	require.Equal(t, protocol.Unreachable, ask(one(radius.CodeAccessReject, "another"), time.Minute))
	require.Equal(t, protocol.NotThisWay, ask(one(radius.CodeAccessChallenge, secret), time.Minute))
	require.Equal(t, protocol.Unreachable, ask(one(radius.CodeCoAACK, secret), time.Minute))
	require.Equal(t, protocol.Accepted, ask(func(q []byte) [][]byte {
		forged := says(t, q, radius.CodeAccessReject, secret)
		forged[4]++
		return [][]byte{forged, {}, make([]byte, 4000), says(t, q, radius.CodeAccessAccept, secret)}
	}, time.Minute), "somebody else's answers are waited past")
	require.Equal(t, protocol.Unreachable, ask(func(q []byte) [][]byte {
		var many [][]byte
		for range 200 {
			many = append(many, make([]byte, 1000))
		}
		return many
	}, time.Second), "and not for ever")

	// The request's own Message-Authenticator holds, and is the first
	// attribute.
	require.Equal(t, protocol.Accepted, ask(func(q []byte) [][]byte {
		blank := append([]byte(nil), q...)
		clear(blank[22:38])
		if q[20] != 80 || string(sum(blank, []byte(secret))) != string(q[22:38]) {
			return nil
		}
		return [][]byte{says(t, q, radius.CodeAccessAccept, secret)}
	}, time.Minute))

	// Answers cut at each byte, and with each byte another one.
	var wait sync.WaitGroup
	for n := range 38 {
		for _, spoil := range []func([]byte) []byte{
			func(b []byte) []byte { return b[:n] },
			func(b []byte) []byte { b[n] ^= 1; return b },
		} {
			wait.Go(func() {
				got := ask(func(q []byte) [][]byte { return [][]byte{spoil(says(t, q, radius.CodeAccessReject, secret))} }, 500*time.Millisecond)
				if got != protocol.Unreachable {
					t.Errorf("byte %d: %s", n, got)
				}
			})
		}
	}
	wait.Wait()
}
