package cli

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// What a worker keeps is small, and what it throws away are answers of servers:
// at Go's default a tenth of its processor time goes into collecting them. So
// garbage may grow to four times what is kept, as long as both together stay
// below roomy; a listing of very many accounts keeps more, and then garbage is
// held to half of that. Beyond heapLimit Go collects as thoroughly as it can.
const (
	garbageMuch   = 400
	garbageLittle = 50
	roomy         = 128 << 20
	heapLimit     = 1 << 30
)

// garbageFor is how much garbage may grow before it is collected, in percent of
// what is kept.
func garbageFor(kept uint64) int {
	if kept == 0 {
		return garbageMuch
	}
	room := int64(roomy) - int64(kept)
	return int(min(max(100*room/int64(kept), garbageLittle), garbageMuch))
}

// tuneMemory leaves alone what the environment sets.
func tuneMemory() {
	if os.Getenv("GOGC") == "" && tuned.CompareAndSwap(false, true) {
		debug.SetGCPercent(garbageMuch)
		afterEachCollection(func() { debug.SetGCPercent(garbageFor(keptNow())) })
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapLimit)
	}
}

var tuned atomic.Bool

// keptNow is what the last collection found in use.
func keptNow() uint64 {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	return live[0].Value.Uint64()
}

// afterEachCollection calls do after each one: a collection frees what nobody
// has, and that tells (runtime.AddCleanup).
func afterEachCollection(do func()) {
	var again func(struct{})
	again = func(struct{}) {
		do()
		runtime.AddCleanup(new(*byte), again, struct{}{})
	}
	again(struct{}{})
}
