package snmp

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/door/doortest"
	"rollcall/internal/protocol"
)

// played answers each datagram by what answer makes of it.
func played(t *testing.T, answer func(request []byte) [][]byte) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	go func() {
		b := make([]byte, 1<<16)
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

// through asks the real agent, and gives what it said.
func (s *office) through(request []byte) []byte {
	c, err := net.Dial("udp", s.Address())
	if err != nil {
		return nil
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.Write(request); err != nil {
		return nil
	}
	b := make([]byte, 1<<16)
	n, err := c.Read(b)
	if err != nil {
		return nil
	}
	return b[:n]
}

func TestNothingFoulIsAVerdict(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	ask := func(kind string, timeout time.Duration, answer func([]byte) [][]byte) protocol.Reply {
		at := s.settings(kind)
		at.Address, at.Timeout = played(t, answer), timeout
		return s.ask(at, "signs", right)
	}
	var flood [][]byte
	for range 300 {
		flood = append(flood, bytes.Repeat([]byte{0x30}, 1400))
	}
	for _, kind := range []string{"snmp", "snmpv2c"} {
		for _, said := range [][][]byte{nil, {{}}, {{0x30}}, {{0x30, 0x84, 0xff, 0xff, 0xff, 0xff}}, {{0x30, 0x80}}, {bytes.Repeat([]byte{0x30, 0x82}, 700)}, {bytes.Repeat([]byte{0xff}, 60000)}, flood} {
			require.Equal(t, protocol.Unreachable, ask(kind, 800*time.Millisecond, func([]byte) [][]byte { return said }))
		}
		require.Equal(t, protocol.Unreachable, ask(kind, 800*time.Millisecond, func(q []byte) [][]byte { return [][]byte{q} }), "an echo")
	}
	// Nor is a report that is made for another message, which a stranger would
	// have to guess.
	strange, times := s.report(5), 0
	foreign := func(most int) func([]byte) [][]byte {
		return func(q []byte) [][]byte {
			if m, ok := parse(q); ok && len(m.engine) > 0 && times < most {
				times++
				return [][]byte{strange}
			}
			return [][]byte{s.through(q)}
		}
	}
	require.Equal(t, protocol.Unreachable, ask("snmp", 800*time.Millisecond, foreign(tries)))
	times = 0
	require.Equal(t, protocol.Accepted, ask("snmp", time.Minute, foreign(1)), "the next try gets its answer")
}

// report is the agent's own of that counter, to a message of ours.
func (s *office) report(counter int) (said []byte) {
	at := s.settings("snmp")
	at.Address = played(s.t, func(q []byte) [][]byte {
		a := s.through(q)
		if m, ok := parse(a); ok && m.report == counter {
			said = a
		}
		return [][]byte{a}
	})
	require.Equal(s.t, protocol.Refused, s.ask(at, "signs", wrong))
	return said
}

// A report that is cut at whatever byte is none.
func TestAReportIsReadWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	whole := s.report(5)
	m, ok := parse(whole)
	require.True(t, ok)
	require.Equal(t, 5, m.report)
	for n := range whole {
		m, _ := parse(whole[:n])
		require.Zero(t, m.report, "%d bytes", n)
		for _, to := range []byte{0, 1, 0x7f, 0x80, 0x84, 0xff} {
			spoilt := append([]byte(nil), whole...)
			spoilt[n] = to
			_, _ = parse(spoilt) // comes back
		}
	}
	_, ok = parse(append(whole, 0))
	require.False(t, ok, "nor one with more behind it")

	// And asked through one that cuts: each try is silence.
	var wait sync.WaitGroup
	for n := 0; n < len(whole); n += 9 {
		wait.Go(func() {
			at := s.settings("snmp")
			at.Timeout = 800 * time.Millisecond
			at.Address = played(t, func(q []byte) [][]byte {
				a := s.through(q)
				if m, ok := parse(a); ok && m.report == 5 {
					a = a[:n]
				}
				return [][]byte{a}
			})
			if said := Open(at, nil).Ask(t.Context(), "signs", wrong); said.Reply != protocol.Unreachable {
				t.Errorf("%d bytes: %s (%s)", n, said.Reply, said.Code)
			}
		})
	}
	wait.Wait()
}

// An answer that is not signed is no answer to a message that is.
func TestWhatIsNotSignedIsNoLogin(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	at := s.settings("snmp")
	at.Timeout = 800 * time.Millisecond
	at.Address = played(t, func(q []byte) [][]byte {
		a := s.through(q)
		// The flags are the first string of one byte: signed, not encrypted.
		if i := bytes.Index(a, []byte{0x04, 0x01, 0x01}); i >= 0 {
			a[i+2] = 0
		}
		return [][]byte{a}
	})
	require.Equal(t, protocol.Unreachable, doortest.Ask(t, Open(at, nil), "signs", right))
	require.Equal(t, protocol.Accepted, s.ask(s.settings("snmp"), "signs", right))
}
