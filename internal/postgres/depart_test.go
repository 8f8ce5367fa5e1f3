package postgres

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A server has room for the next one when it has ended the last one, not when
// that one has been told so.
func TestAConnectionThatDepartsIsClosedWhenTheServerHasEndedIt(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	var ended atomic.Bool
	asked := make(chan struct{})
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = c.Read(make([]byte, 1))
		_, _ = c.Write([]byte("too many connections"))
		<-asked
		ended.Store(true)
		_ = c.Close()
	}()
	tcp, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	require.Equal(t, tcp, departing(t.Context(), tcp), "others do not wait")
	ctx, cancel := context.WithCancel(departingOnes(t.Context()))
	c := departing(ctx, tcp)
	_, err = c.Write([]byte("x"))
	require.NoError(t, err)
	_, err = io.ReadFull(c, make([]byte, len("too many")))
	require.NoError(t, err)
	cancel() // as of a login that is over
	close(asked)
	require.NoError(t, c.Close())
	require.True(t, ended.Load())
}

func TestWhoIsSilentIsNotWaitedForAtTheEndEither(t *testing.T) {
	t.Parallel()
	all, gone := context.WithCancel(t.Context())
	login, cancel := context.WithCancel(departingOnes(all))
	over, end := context.WithTimeout(departingOnes(all), time.Nanosecond)
	defer end()
	<-over.Done()
	conn := func(ctx context.Context) *departingConn { return departing(ctx, &net.TCPConn{}).(*departingConn) }
	require.True(t, conn(login).speaks())
	cancel()
	require.True(t, conn(login).speaks(), "the login is over, and the session has been")
	require.False(t, conn(over).speaks(), "no answer in its time")
	gone()
	require.False(t, conn(login).speaks(), "the caller has gone")
}
