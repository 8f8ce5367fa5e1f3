// Package process measures what another process takes.
package process

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Cost is what a process took.
type Cost struct {
	Seconds   float64 `json:"seconds"`
	Processor float64 `json:"processor_seconds"` // user and system
	Peak      int64   `json:"peak_bytes"`
}

// Run runs a command to its end, with its standard output to out, which may be
// nil. Any exit code but 0 is an error.
func Run(ctx context.Context, out io.Writer, name string, args ...string) (Cost, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), "XDG_CACHE_HOME=", "TZ=UTC", "LC_ALL=C")
	c.Stdout, c.Stderr = out, os.Stderr
	began := time.Now()
	if err := c.Run(); err != nil {
		return Cost{}, fmt.Errorf("%s %v: %w", name, args, err)
	}
	took := time.Since(began).Seconds()
	used := c.ProcessState.SysUsage().(*syscall.Rusage)
	return Cost{took, (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds(), used.Maxrss << 10}, nil // getrusage(2): KiB
}
