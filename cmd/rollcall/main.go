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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	stop()
	os.Exit(code)
}
