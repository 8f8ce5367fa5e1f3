package cli

import (
	"os"
	"runtime/debug"
)

// What a worker keeps is small, and what it throws away are answers of servers:
// at Go's default a tenth of its processor time goes into collecting them. Up
// to heapLimit it trades memory for that time; a listing of very many accounts
// that needs more is collected as thoroughly as Go can.
const (
	garbagePercent = 400
	heapLimit      = 1 << 30
)

// tuneMemory leaves alone what the environment sets.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(heapLimit)
	}
}
