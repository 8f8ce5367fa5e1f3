package main

import (
	"os"
	"runtime/debug"
)

// What Temporal keeps is small, and what it throws away are requests and rows:
// at Go's default a tenth of its processor time goes into collecting them. Up
// to maxHeap it trades memory for that time.
const (
	garbagePercent = 400
	maxHeap        = 1 << 30
)

// tuneMemory leaves alone what the environment sets.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(maxHeap)
	}
}
