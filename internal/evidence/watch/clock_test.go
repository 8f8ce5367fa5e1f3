package watch

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A server that is eight hours behind, or a wrong --zone: for eight hours each
// try would look like one of before the death.
func TestAClockThatIsBehindIsToldAndSoIsItsEnd(t *testing.T) {
	path := logAt(t, "")
	o := options(t, path)
	began := time.Now()
	o.Quiet, o.Now = 1000*time.Hour, func() time.Time { return began.Add(300 * time.Since(began)) }
	r := start(t, o).begun()
	require.Eventually(t, func() bool {
		put(t, path, refusedAt(o.Now().Add(-8*time.Hour), "198.51.100.7"))
		return slices.Contains(r.says(), "log-clock-behind")
	}, 20*time.Second, 10*time.Millisecond)
	require.NotContains(t, r.says(), "log-clock-ahead")
	require.Eventually(t, func() bool {
		put(t, path, refusedAt(o.Now(), "198.51.100.7"))
		return slices.Contains(r.says(), "log-clock-behind over")
	}, 20*time.Second, 10*time.Millisecond)
}

// What a syslog held up and wrote at once is no clock that is behind.
func TestLinesThatWereHeldUpAreNoClockThatIsBehind(t *testing.T) {
	path := logAt(t, "")
	o := options(t, path)
	o.FromStart, o.Quiet = true, 1000*time.Hour
	began := time.Now()
	o.Now = func() time.Time { return began.Add(300 * time.Since(began)) }
	r := start(t, o).begun()
	for range 3 {
		put(t, path, refusedAt(died.Add(-time.Hour), "198.51.100.7"))
		put(t, path, refusedAt(o.Now(), "198.51.100.7"))
		from := o.Now()
		require.Eventually(t, func() bool { return o.Now().Sub(from) > 2*lateFor }, 20*time.Second, time.Millisecond)
	}
	require.NotContains(t, r.says(), "log-clock-behind")
}
