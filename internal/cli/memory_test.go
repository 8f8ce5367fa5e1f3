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
		require.LessOrEqual(t, peak, uint64(limitFor(kept)), "the limit leaves room for what the percent allows")
	}
}

// What was kept before tells of a heap that grows too late: the limit that goes
// with it holds all the same.
func TestAHeapThatGrowsIsHeldByWhatWasKeptBefore(t *testing.T) {
	for before := uint64(1 << 20); before < 400<<20; before += 1 << 20 {
		now := before * 2
		require.LessOrEqual(t, limitFor(before), limitFor(now))
		require.LessOrEqual(t, uint64(limitFor(before)), max(uint64(roomy), before*3/2)+besideHeap)
	}
	require.Equal(t, int64(roomy+besideHeap), limitFor(0))
}

// A worker that has listed many accounts and keeps little of them lets garbage
// grow again.
func TestHowMuchGarbageIsLetGrowFollowsWhatIsKept(t *testing.T) {
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	defer debug.SetGCPercent(100)
	tuneMemory()
	limit := func() int64 { return debug.SetMemoryLimit(-1) }
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
	require.GreaterOrEqual(t, limit(), int64(256<<20*3/2), "more than is kept")
	runtime.KeepAlive(much)
	much = nil
	// How much more depends on what other tests keep.
	follows(func(percent int) bool { return percent > garbageLittle })
}
