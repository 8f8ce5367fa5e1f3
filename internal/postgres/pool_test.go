package postgres

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pgx leaves a read behind where a write took longer than some milliseconds, as
// on a machine that is busy. A session with one is used again; to look at it
// once waited for that read without end.
func TestASessionThatIsReadInTheBackgroundIsUsedAgain(t *testing.T) {
	t.Parallel()
	client := asAdmin(t)
	p := client.servers[0].identities[0].pool
	require.NoError(t, p.use(t.Context(), false, func(*session) error { return nil }))
	c := p.idle[0]
	reading := make(chan struct{})
	go func() {
		close(reading)
		_, _ = c.PgConn().Conn().Read(make([]byte, 1))
	}()
	<-reading
	looked := make(chan bool)
	go func() {
		quiet := true
		for range 2000 { // until the read has begun, too
			quiet = c.quiet() && quiet
		}
		looked <- quiet
	}()
	select {
	case quiet := <-looked:
		require.True(t, quiet)
	case <-time.After(5 * time.Minute):
		require.Fail(t, "it waits for the read")
	}
	require.NoError(t, primary.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rollcall' AND pid = "+strconv.Itoa(int(c.PgConn().PID()))))
	require.Eventually(t, func() bool { return !c.quiet() }, time.Minute, time.Millisecond, "one that the server has ended is not")
}
