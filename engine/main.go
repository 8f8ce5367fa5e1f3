// Command rollcall-engine is a Temporal server for one host: all of Temporal's
// services in one process, on a SQLite file and on loopback. `rollcall run`
// starts it when no Temporal address is configured; a bigger installation
// points TEMPORAL_ADDRESS at its own cluster instead and never needs it.
//
// It has no authentication, so it refuses to listen anywhere but on loopback,
// and what passes through it is references only: no secret, no account name.
//
// Below -dir it keeps:
//
//	temporal.db, -wal, -shm   all workflow state
//	engine.json               address, ui and pid, while it serves
//	engine.address            the address that port 0 chose, kept for every later start
//	engine.lock               held while it runs: one engine per directory
//	engine.log                Temporal's own log, JSON lines, warnings and worse
//
// Every commit is synced to disk (SQLite's synchronous=FULL), so neither a kill
// -9 nor a power cut loses what Temporal had answered: start it again on the
// same directory and workflows go on, at the address where its workers still
// look for it.
//
// Temporal does not migrate SQLite files between schema versions, so an engine
// refuses a file that another version made. The file holds running campaigns
// only; the record of what was done is the ledger.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"go.temporal.io/sdk/worker"
)

func main() {
	flags := flag.NewFlagSet("rollcall-engine", flag.ExitOnError)
	dir := flags.String("dir", "", "directory for the database, the lock and the log (required)")
	listen := flags.String("listen", "127.0.0.1:0", "loopback address to serve gRPC on; port 0 picks a free one")
	ui := flags.String("ui", "", "loopback address to serve Temporal's web UI on, read-only; empty for none")
	withStdin := flags.Bool("exit-with-stdin", false, "stop when stdin ends, and so with the parent however it dies")
	_ = flags.Parse(os.Args[1:])

	tuneMemory()
	// SQLite and the log make their files as the umask says, and -dir may be a
	// folder that others can enter.
	syscall.Umask(0o077)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *withStdin {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}
	if err := run(ctx, *dir, *listen, *ui); err != nil {
		fmt.Fprintln(os.Stderr, "rollcall-engine:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. It returns nil after a clean stop.
func run(ctx context.Context, dir, listen, ui string) error {
	if dir == "" {
		return fmt.Errorf("-dir is required: a directory for the database, the lock and the log")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()

	// Left by a kill, it would say "ready" before this engine is.
	withdraw(dir)
	at, err := chooseEndpoints(listen, ui, keptAddress(dir))
	if err != nil {
		return err
	}
	if err := keepAddress(dir, at.frontend().String()); err != nil {
		return err
	}
	// Otherwise Temporal's own workers hash this whole program at every start.
	worker.SetBinaryChecksum("rollcall-engine")
	logger := newLogger(filepath.Join(dir, "engine.log"))
	store := sqliteStore(filepath.Join(dir, "temporal.db"))
	if err := prepareDatabase(store, dir, logger); err != nil {
		return err
	}
	server, err := newServer(store, at.services, logger)
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return fmt.Errorf("starting Temporal on %s: %w", at.frontend(), err)
	}
	// It is not stopped in order: Temporal would wait a second for its clients
	// to find another host. What it answered is synced, and the process ends.
	if err := awaitReady(ctx, at.frontend().String()); err != nil {
		if ctx.Err() != nil {
			return nil // told to stop before it was ready: not a failure
		}
		return err
	}
	a := announcement{Address: at.frontend().String(), PID: os.Getpid()}
	if at.ui != nil {
		defer startUI(*at.ui, at.frontend())()
		a.UI = "http://" + at.ui.String()
	}
	if err := announce(dir, a); err != nil {
		return err
	}
	defer withdraw(dir)
	fmt.Println("rollcall-engine ready:", a.Address, a.UI)
	<-ctx.Done()
	return nil
}
