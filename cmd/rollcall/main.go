// Rollcall lists every credential that a compromised appliance held or saw,
// rotates each until the stolen value is proved dead, and leaves a record that
// an outsider can verify.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"rollcall/internal/cli"
)

func main() {
	// A limit on file size is a full disk to us: the write that meets it fails,
	// and says so, instead of ending the process (setrlimit(2), RLIMIT_FSIZE).
	signal.Ignore(syscall.SIGXFSZ)
	ends := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		ends = append(ends, syscall.SIGHUP) // a terminal that went away
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	// The first signal asks; after it a second one ends the process at once,
	// which loses nothing.
	context.AfterFunc(ctx, stop)
	code := cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
