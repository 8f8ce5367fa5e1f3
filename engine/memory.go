package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// What Temporal keeps is small, 20 to 40 MiB, and what it throws away are
// requests and rows: at Go's default a tenth of its processor time goes into
// collecting them. So garbage may grow to four times what is kept, as long as
// all of it stays below roomy, whatever the number of credentials; a server
// that keeps more gets half of that on top, so that it is never collected all
// the time (runtime/debug, SetMemoryLimit).
const (
	garbagePercent = 400
	roomy          = 96 << 20
	besideHeap     = 32 << 20 // stacks, and what Go itself keeps
)

// limitFor is what all may take together, by what is kept.
func limitFor(kept uint64) int64 {
	return max(roomy, int64(kept)+int64(kept)/2+besideHeap)
}

// tuneMemory leaves alone what the environment sets.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetMemoryLimit(roomy)
	afterEachCollection(func() {
		live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(live)
		debug.SetMemoryLimit(limitFor(live[0].Value.Uint64()))
	})
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
