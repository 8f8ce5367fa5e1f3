package doortest

import (
	"io"
	"net"
	"sync"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/protocol"
)

// Cut logs in once with value over clear text (at), which is answered truth,
// and then once for each byte that the server sent, to one that says the same
// and breaks off after that byte. No piece of an answer is another verdict.
func (s Subject) Cut(t *testing.T, at door.Settings, value credential.Secret, truth protocol.Reply) {
	t.Helper()
	s.cut(t, at, value, truth, func() {})
}

// CutEncrypted is Cut for doors whose connections are encrypted, or have a
// challenge in them: the client draws the same random numbers each time, so
// that what the real server once answered to them is the answer again. Its test
// must not be parallel.
func (s Subject) CutEncrypted(t *testing.T, value credential.Secret, truth protocol.Reply) {
	t.Helper()
	s.cut(t, s.At, value, truth, func() { cryptotest.SetGlobalRandom(t, 1) })
}

func (s Subject) cut(t *testing.T, at door.Settings, value credential.Secret, truth protocol.Reply, again func()) {
	t.Helper()
	r := record(t, at.Address)
	at.Address = r.l.Addr().String()
	again()
	require.Equal(t, truth, s.Ask(t, at, value))
	said := r.done()
	total, strides := 0, map[int]int{}
	for _, connection := range said {
		for _, turn := range connection {
			turn.strides(total, strides)
			total += len(turn.server)
		}
	}
	require.NotZero(t, total)
	server := replay(t, said)
	at.Address = server.l.Addr().String()
	server.until(total)
	again()
	require.Equal(t, truth, s.Ask(t, at, value), "the recording is good")
	for n := 0; n < total; n++ {
		server.until(n)
		again()
		got := s.Open(at).Ask(t.Context(), s.Login, value)
		whole := got.Reply == truth
		require.True(t, whole || got.Reply == protocol.Unreachable, "after %d of %d bytes: %s (%s)", n, total, got.Reply, got.Code)
		if whole && truth != protocol.Unreachable {
			n += 49 // what is behind the answer tells nothing
		}
		n += strides[n]
	}
}

// turn is what a client sent (how much) and what the server then said.
type turn struct {
	client int
	server []byte
}

// handshake is how a record of TLS begins that has a part of its handshake, and
// certificates is how many bytes of one have none in them. No value is shown
// before a handshake is whole, so that its longest part is cut at each 16th
// byte, and at each near its end.
const (
	handshake    = 22
	certificates = 500
	nearTheEnd   = 64
)

// strides adds how many bytes are left out behind which, of all that were sent.
func (t turn) strides(begins int, out map[int]int) {
	if len(t.server) < certificates || t.server[0] != handshake {
		return
	}
	for n := 16; n < len(t.server)-nearTheEnd; n += 16 {
		out[begins+n] = 15
	}
}

// recorder stands between a client and a server, and keeps what they say, for
// each connection. It is for protocols whose sides wait for each other, and for
// one connection at a time.
type recorder struct {
	l    net.Listener
	said [][]turn
	wait sync.WaitGroup
}

func record(t *testing.T, address string) *recorder {
	t.Helper()
	r := &recorder{}
	var err error
	r.l, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r.wait.Go(func() {
		for {
			client, err := r.l.Accept()
			if err != nil {
				return
			}
			r.said = append(r.said, between(client, address))
		}
	})
	return r
}

func between(client net.Conn, address string) []turn {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return nil
	}
	defer server.Close()
	var mu sync.Mutex
	turns := []turn{{}}
	var wait sync.WaitGroup
	wait.Go(func() {
		defer server.Close()
		copyTo(server, client, func(b []byte) {
			mu.Lock()
			defer mu.Unlock()
			if len(turns[len(turns)-1].server) > 0 {
				turns = append(turns, turn{})
			}
			turns[len(turns)-1].client += len(b)
		})
	})
	copyTo(client, server, func(b []byte) {
		mu.Lock()
		defer mu.Unlock()
		last := &turns[len(turns)-1]
		last.server = append(last.server, b...)
	})
	_ = client.Close()
	wait.Wait()
	return turns
}

func copyTo(to io.Writer, from io.Reader, saw func([]byte)) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			saw(buffer[:n])
		}
		if _, werr := to.Write(buffer[:n]); werr != nil || err != nil {
			return
		}
	}
}

func (r *recorder) done() [][]turn {
	_ = r.l.Close()
	r.wait.Wait()
	return r.said
}

// replayed answers as it was recorded, and breaks off after so many bytes of
// its own. It is one server for all tries: the ports of as many would be taken
// from everybody else's tests for a minute.
type replayed struct {
	l    net.Listener
	mu   sync.Mutex
	said [][]turn // of the connections still to come
	all  [][]turn
	left int
}

func replay(t *testing.T, said [][]turn) *replayed {
	t.Helper()
	r := &replayed{all: said}
	var err error
	r.l, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.l.Close() })
	go func() {
		for {
			c, err := r.l.Accept()
			if err != nil {
				return
			}
			r.replay(c)
		}
	}()
	return r
}

// until begins anew.
func (r *replayed) until(left int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said, r.left = r.all, left
}

func (r *replayed) take() (turns []turn, left int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.said) == 0 {
		return nil, 0
	}
	turns, r.said = r.said[0], r.said[1:]
	left = r.left
	for _, turn := range turns {
		r.left = max(0, r.left-len(turn.server))
	}
	return turns, left
}

func (r *replayed) replay(c net.Conn) {
	defer c.Close()
	turns, left := r.take()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	for _, turn := range turns {
		if _, err := io.CopyN(io.Discard, c, int64(turn.client)); err != nil {
			return
		}
		n := min(left, len(turn.server))
		if _, err := c.Write(turn.server[:n]); err != nil || n < len(turn.server) {
			return
		}
		left -= n
	}
	// What the client says last has no answer.
	_, _ = io.Copy(io.Discard, c)
}
