package doortest

import (
	"io"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"
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
	r := record(t, at.Address)
	at.Address = r.l.Addr().String()
	require.Equal(t, truth, s.Ask(t, at, value))
	said := r.done()
	total := 0
	for _, connection := range said {
		for _, turn := range connection {
			total += len(turn.server)
		}
	}
	require.NotZero(t, total)
	again := replay(t, said)
	at.Address = again.l.Addr().String()
	again.until(total)
	require.Equal(t, truth, s.Ask(t, at, value), "the recording is good")
	for n := 0; n < total; n++ {
		again.until(n)
		got := s.Open(at).Ask(t.Context(), s.Login, value)
		whole := got.Reply == truth
		require.True(t, whole || got.Reply == protocol.Unreachable, "after %d of %d bytes: %s (%s)", n, total, got.Reply, got.Code)
		if whole && truth != protocol.Unreachable {
			n += 49 // what is behind the answer tells nothing
		}
	}
}

// turn is what a client sent (how much) and what the server then said.
type turn struct {
	client int
	server []byte
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

// Broken is Cut for doors whose connections nobody can replay, because they are
// encrypted: the real server's answers are broken off. No byte before the last
// of a message tells a client anything, so it is done at each end of what the
// server sent at once, one byte to either side of it, and at some bytes in
// between.
func (s Subject) Broken(t *testing.T, value credential.Secret, truth protocol.Reply) {
	t.Helper()
	through := breaking(t, s.At.Address)
	at := s.At
	at.Address = through.l.Addr().String()
	through.left = 1 << 30
	require.Equal(t, truth, s.Ask(t, at, value))
	through.mu.Lock()
	total := 1<<30 - through.left
	places := map[int]bool{}
	for n := 0; n < total; n += max(1, total/16) {
		places[n] = true
	}
	for _, end := range through.ends {
		for n := max(0, end-1); n <= end+1; n++ {
			places[n] = true
		}
	}
	through.mu.Unlock()
	for _, n := range slices.Sorted(maps.Keys(places)) {
		through.mu.Lock()
		through.left = n
		through.mu.Unlock()
		got := s.Open(at).Ask(t.Context(), s.Login, value)
		require.Contains(t, []protocol.Reply{truth, protocol.Unreachable}, got.Reply, "after %d of %d bytes: %s", n, total, got.Code)
		if truth == protocol.Refused {
			s.Open(s.At).Ask(t.Context(), s.Login, s.Value) // so many wrong ones in a row would lock
		}
	}
}

// breaker passes on so many bytes of a server, and then hangs up.
type breaker struct {
	l    net.Listener
	mu   sync.Mutex
	left int
	ends []int // of what the server sent at once, in the first try
}

func breaking(t *testing.T, address string) *breaker {
	t.Helper()
	b := &breaker{}
	var err error
	b.l, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = b.l.Close() })
	go func() {
		for {
			client, err := b.l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", address)
			if err != nil {
				_ = client.Close()
				return
			}
			go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
			go func() {
				defer client.Close()
				defer server.Close()
				_, _ = io.Copy(&budget{client, b}, server)
			}()
		}
	}()
	return b
}

type budget struct {
	io.Writer
	b *breaker
}

func (w *budget) Write(p []byte) (int, error) {
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	n := min(len(p), w.b.left)
	w.b.left -= n
	if w.b.left > 1<<29 {
		w.b.ends = append(w.b.ends, 1<<30-w.b.left)
	}
	if _, err := w.Writer.Write(p[:n]); err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, io.ErrShortWrite
	}
	return n, nil
}
