package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// EngineOptions say what engine to start.
type EngineOptions struct {
	// Dir takes the database and the logs. Required; made if missing. An engine
	// goes on with the workflows that an earlier one left there.
	Dir string
}

// Engine is a running rollcall-engine: a Temporal server with the namespace
// "default" and the search attributes RollcallDevice and RollcallCampaign.
type Engine struct {
	dir     string
	listen  []string // the arguments that name its address, for a new one
	address string
	process *Process
}

// StartEngine starts an engine on a port of its own and returns when it
// answers. On an error nothing is left running. End it with Stop or Kill.
func StartEngine(ctx context.Context, o EngineOptions) (*Engine, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	e := &Engine{dir: dir}
	// An earlier one has left where its workers look for it. A new one gets a
	// port that nobody takes while it is down.
	if _, err := os.Stat(filepath.Join(dir, "engine.address")); err != nil {
		port, err := FreePort()
		if err != nil {
			return nil, err
		}
		e.listen = []string{"-listen", fmt.Sprintf("127.0.0.1:%d", port)}
	}
	if err := e.Restart(ctx); err != nil {
		return nil, err
	}
	return e, nil
}

// Restart starts the engine again after Stop or Kill. It comes back at the same
// address, where workers and clients reconnect by themselves, with every
// workflow as it was.
func (e *Engine) Restart(ctx context.Context) error {
	program, err := binary("rollcall-engine")
	if err != nil {
		return err
	}
	// Another engine may take one of the ports that it has chosen before it
	// does, and its parts wait for each other ten seconds and not longer.
	for range 5 {
		if err = e.start(ctx, program); err == nil || ctx.Err() != nil ||
			!strings.Contains(err.Error(), "address already in use") && !strings.Contains(err.Error(), "failed reaching server: context deadline exceeded") {
			break
		}
	}
	return err
}

func (e *Engine) start(ctx context.Context, program string) error {
	// An announcement of an engine that was killed is still there: ready is one
	// of another process.
	before, _ := e.announced()
	ready := func(context.Context) error {
		now, err := e.announced()
		if err == nil && now.PID == before.PID {
			err = fmt.Errorf("engine.json is still that of process %d", before.PID)
		}
		e.address = now.Address
		return err
	}
	p, err := startProcess(ctx, e.dir, filepath.Join(e.dir, "engine.out"), ready, program, append([]string{"-dir", e.dir}, e.listen...)...)
	if err == nil {
		e.process = p
	}
	return err
}

// announcement is what engine.json says of the engine that serves.
type announcement struct {
	Address string
	PID     int
}

func (e *Engine) announced() (a announcement, err error) {
	b, err := os.ReadFile(filepath.Join(e.dir, "engine.json"))
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(b, &a)
}

// Address is host:port of the gRPC frontend: what TEMPORAL_ADDRESS takes.
func (e *Engine) Address() string { return e.address }

// Database is the SQLite file; temporal.db-wal beside it holds the latest
// commits.
func (e *Engine) Database() string { return filepath.Join(e.dir, "temporal.db") }

// Stop ends the engine in order; see Process.Stop. It takes about 3 s.
func (e *Engine) Stop(ctx context.Context) error { return e.process.Stop(ctx) }

// Kill ends the engine as a crash would.
func (e *Engine) Kill() { e.process.Kill() }
