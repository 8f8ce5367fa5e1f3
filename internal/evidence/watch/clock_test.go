package watch

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A server that is eight hours behind, or a wrong --zone: for eight hours each
// try would look like one of before the death.
func TestAClockThatIsBehindIsToldAndSoIsItsEnd(t *testing.T) {
	path := logAt(t, "")
	b := byHand(t, options(t, path))
	writes := func(behind time.Duration) {
		put(t, path, refusedAt(b.now.Add(-behind), "198.51.100.7"))
		b.looks()
	}
	writes(0)
	for range 3 {
		told, _ := b.over(ClockBehind)
		require.False(t, told, "lines that come late once are none")
		writes(8 * time.Hour)
		b.passes(lateFor / 2)
	}
	told, over := b.over(ClockBehind)
	require.True(t, told)
	require.False(t, over)
	writes(0)
	_, over = b.over(ClockBehind)
	require.True(t, over)
	told, _ = b.over(ClockAhead)
	require.False(t, told)
}

// What a syslog held up and wrote at once is no clock that is behind.
func TestLinesThatWereHeldUpAreNoClockThatIsBehind(t *testing.T) {
	path := logAt(t, "")
	o := options(t, path)
	o.FromStart = true
	b := byHand(t, o)
	put(t, path, refusedAt(b.now, "198.51.100.7"))
	b.looks()
	for range 3 {
		put(t, path, refusedAt(died.Add(-time.Hour), "198.51.100.7")+refusedAt(b.now, "198.51.100.7"))
		b.looks()
		b.passes(2 * lateFor)
	}
	told, _ := b.over(ClockBehind)
	require.False(t, told)
}
