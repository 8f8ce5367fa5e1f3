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
// held to half of that.
//
// How much is kept is known once a collection is over and what it freed was
// swept, and on a busy machine much is made until then. So the limit holds what
// the percent lets grow: it goes by what was kept before, which a listing that
// grows makes too little, and never too much. Go collects earlier then, for
// half of the processor time at most (runtime/debug, SetMemoryLimit).
const (
	garbageMuch   = 400
	garbageLittle = 50
	roomy         = 128 << 20
	besideHeap    = 16 << 20 // stacks, what Go itself keeps, pages half used
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

// limitFor is what all may take together.
func limitFor(kept uint64) int64 {
	return max(roomy, int64(kept)+int64(kept)*garbageLittle/100) + besideHeap
}

// tuneMemory leaves alone what the environment sets.
func tuneMemory() {
	if !tuned.CompareAndSwap(false, true) {
		return
	}
	percent, limit := os.Getenv("GOGC") == "", os.Getenv("GOMEMLIMIT") == ""
	set := func(kept uint64) {
		if percent {
			debug.SetGCPercent(garbageFor(kept))
		}
		if limit {
			debug.SetMemoryLimit(limitFor(kept))
		}
	}
	set(0)
	afterEachCollection(func() { set(keptNow()) })
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
