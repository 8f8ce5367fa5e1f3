package cli

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGarbageGrowsFreelyWhereLittleIsKeptAndNotWhereMuchIs(t *testing.T) {
	require.Equal(t, 400, garbageFor(0))
	require.Equal(t, 400, garbageFor(12<<20))
	require.Equal(t, 100, garbageFor(64<<20))
	require.Equal(t, 50, garbageFor(120<<20))
	require.Equal(t, 50, garbageFor(700<<20))
	for kept := uint64(1 << 20); kept < 400<<20; kept += 1 << 20 {
		peak := kept * uint64(100+garbageFor(kept)) / 100
		require.LessOrEqual(t, peak, max(uint64(roomy), kept*3/2))
	}
}

// A worker that has listed many accounts and keeps little of them lets garbage
// grow again.
func TestHowMuchGarbageIsLetGrowFollowsWhatIsKept(t *testing.T) {
	t.Setenv("GOGC", "")
	defer debug.SetGCPercent(100)
	tuneMemory()
	percent := func() int {
		now := debug.SetGCPercent(100)
		debug.SetGCPercent(now)
		return now
	}
	follows := func(as func(percent int) bool) {
		t.Helper()
		require.Eventually(t, func() bool { runtime.GC(); return as(percent()) }, time.Minute, 10*time.Millisecond)
	}
	much := make([]byte, 256<<20)
	follows(func(percent int) bool { return percent == garbageLittle })
	runtime.KeepAlive(much)
	much = nil
	// How much more depends on what other tests keep.
	follows(func(percent int) bool { return percent > garbageLittle })
}
