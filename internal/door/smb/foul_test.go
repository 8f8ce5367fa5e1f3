package smb

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/protocol"
)

func TestNothingFoulIsAVerdict(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	subject := doortest.Subject{At: s.settings(), Login: "plain", Value: right,
		Open: func(d door.Settings) door.Door { return Open(d) }}
	subject.NotTLS(t)
	subject.Foul(t, "\x00\x00\x00\x00", "\x00\xff\xff\xff\xfeSMB", "\x00\x00\x00\x40"+refusal(0xC000006D), "\x00\x00\x00\x49"+refusal(0xC000006D)+"\x09\x00\x00\x00\x00\x00\x00\x00\x00")
}

// refusal is the header of an answer to a login.
func refusal(status uint32) string {
	m := make([]byte, 64)
	copy(m, "\xfeSMB\x40\x00\x00\x00")
	binary.LittleEndian.PutUint32(m[8:], status)
	binary.LittleEndian.PutUint16(m[12:], 1)
	m[16] = 1
	return string(m)
}

// A server's messages that somebody in between has changed.
func TestWhatIsChangedOnTheWayIsNoLogin(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	const negotiate, setup, tree = 0, 1, 3
	status := func(command, nth int, to uint32) func(int, int, []byte) {
		return func(c, n int, m []byte) {
			if c == command && n == nth {
				binary.LittleEndian.PutUint32(m[8:], to)
			}
		}
	}
	for name, row := range map[string]struct {
		change func(command, nth int, m []byte)
		want   protocol.Reply
	}{
		"nothing":                                  {func(int, int, []byte) {}, protocol.Accepted},
		"refused before the login":                 {status(negotiate, 0, 0xC000006D), protocol.Unreachable},
		"refused before the value":                 {status(setup, 0, 0xC000006D), protocol.NotThisWay},
		"too many before the value":                {status(setup, 0, 0xC00000D0), protocol.TooMany},
		"a session before the value":               {status(setup, 0, 0), protocol.Guest},
		"the answer to the value is still to come": {status(setup, 1, pending), protocol.Unreachable},
		"more is asked for after the value":        {status(setup, 1, moreProcessing), protocol.NotThisWay},
		"an answer to another message":             {func(c, n int, m []byte) { m[12] = 7 }, protocol.Unreachable},
		"IPC$ without a signature": {func(c, n int, m []byte) {
			if c == tree {
				m[16] &^= 8
				clear(m[48:64])
			}
		}, protocol.Unreachable},
		"IPC$ with another answer": {status(tree, 0, 0xC0000022), protocol.Unreachable},
	} {
		at := s.settings()
		if row.want == protocol.Unreachable {
			at.Timeout = time.Second // an answer that is none is waited past
		}
		at.Address = changing(t, s.Address(), row.change)
		require.Equal(t, row.want, doortest.Ask(t, Open(at), "plain", right), name)
	}
}

// changing passes a server's messages on by way of change, which is told what
// it answers and how many of the kind came before.
func changing(t *testing.T, address string, change func(command, nth int, m []byte)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		client, err := l.Accept()
		if err != nil {
			return
		}
		defer client.Close()
		server, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		defer server.Close()
		go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
		seen := map[int]int{}
		for {
			head := make([]byte, 4)
			if _, err := io.ReadFull(server, head); err != nil {
				return
			}
			m := make([]byte, binary.BigEndian.Uint32(head))
			if _, err := io.ReadFull(server, m); err != nil || len(m) < 64 {
				return
			}
			command := int(m[12])
			change(command, seen[command], m)
			seen[command]++
			if _, err := client.Write(append(head, m...)); err != nil {
				return
			}
		}
	}()
	return l.Addr().String()
}
