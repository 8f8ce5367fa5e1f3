package smb

import (
	"encoding/binary"
	"io"
	"net"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/protocol"
)

// Whoever changes packets on their way can make a refusal of the right value,
// which nobody can tell from the server's, and not an acceptance of a wrong
// one. The first is what doctor says of each such door.
func TestARefusalIsNotSignedAndDoctorSaysSo(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	between, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = between.Close() })
	var verdict atomic.Uint32
	go func() {
		for {
			c, err := between.Accept()
			if err != nil {
				return
			}
			go passOn(c, s.settings().Address, verdict.Load())
		}
	}()
	at := s.settings()
	at.Address = between.Addr().String()
	verdict.Store(0xC000006D) // LOGON_FAILURE
	require.Equal(t, protocol.Refused, doortest.Ask(t, Open(at), "plain", right), "a forged refusal is believed")
	verdict.Store(0)
	require.NotEqual(t, protocol.Accepted, doortest.Ask(t, Open(at), "plain", wrong), "a forged acceptance is not")
	require.NotEqual(t, protocol.Refused, doortest.Ask(t, Open(at), "plain", wrong))
	require.Contains(t, door.Types["smb"].Doubt, "its refusals are not signed")
}

// passOn is between a client and a server, and makes the verdict on a value.
func passOn(client net.Conn, address string, verdict uint32) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
	for answers := 0; ; {
		head := make([]byte, 4)
		if _, err := io.ReadFull(server, head); err != nil {
			return
		}
		m := make([]byte, binary.BigEndian.Uint32(head)&0xffffff)
		if _, err := io.ReadFull(server, m); err != nil {
			return
		}
		const setup = 1
		if len(m) > 64 && binary.LittleEndian.Uint16(m[12:]) == setup {
			if answers++; answers == 2 {
				m = forged(m, verdict)
				binary.BigEndian.PutUint32(head, uint32(len(m)))
			}
		}
		if _, err := client.Write(append(head, m...)); err != nil {
			return
		}
	}
}

// forged is an answer with another verdict and no signature.
func forged(m []byte, verdict uint32) []byte {
	out := append([]byte(nil), m[:64]...)
	binary.LittleEndian.PutUint32(out[8:], verdict)
	binary.LittleEndian.PutUint32(out[16:], binary.LittleEndian.Uint32(out[16:])&^8) // SMB2_FLAGS_SIGNED
	copy(out[48:64], make([]byte, 16))
	return append(out, 9, 0, 0, 0, 0, 0, 0, 0, 0)
}
