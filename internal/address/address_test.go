package address

import (
	"context"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

// The first name server of a machine is down, and the resolver asks the next
// one when it has waited for that.
func TestANameServerThatIsDownLeavesNoNameWithoutAnAddress(t *testing.T) {
	t.Parallel()
	dns, err := lab.StartDNS("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(dns.Close)
	dns.Host("mail.example.org", [4]byte{192, 0, 2, 7})
	down, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = down.Close() })
	var asked atomic.Int64
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		at := dns.Addr()
		if asked.Add(1) <= 2 { // IPv4 and IPv6
			at = down.LocalAddr().String()
		}
		return (&net.Dialer{}).DialContext(ctx, "udp", at)
	}}
	found, err := Finder{Resolver: resolver, Timeout: Patience}.Of(t.Context(), "mail.example.org.")
	require.NoError(t, err)
	require.Equal(t, []netip.Addr{netip.MustParseAddr("192.0.2.7")}, found)
}

func TestABusyMachineIsNotTakenForOneWhoseTwinDropsWhatIsSentThere(t *testing.T) {
	t.Parallel()
	answers := func(errs ...error) (asked int, err error) {
		err = insist(func() error { asked++; return errs[asked-1] })
		return asked, err
	}
	late := &os.SyscallError{Syscall: "connect", Err: syscall.ETIMEDOUT}

	asked, err := answers(late, nil)
	require.NoError(t, err, "it listens, and the first try did not come to its turn")
	require.Equal(t, 2, asked)
	_, err = answers(late, syscall.ECONNREFUSED)
	require.True(t, nobody(err), "nothing listens there")
	asked, err = answers(syscall.ECONNREFUSED)
	require.True(t, nobody(err))
	require.Equal(t, 1, asked, "a refusal is an answer")
	_, err = answers(late, late, late)
	require.False(t, nobody(err), "what is dropped may be a server that is down")
}
