package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"rollcall/internal/intruder"
)

// restless is the intruder's pause between two passes over a server. Short, so that
// the moment of its last success is exact.
const restless = 100 * time.Millisecond

// raid is the intruder at work in a process of its own.
type raid struct {
	*child
	in    io.WriteCloser
	heard transcript
}

// breakIn starts the intruder, hands it everything that was stolen, and
// returns once every server has let it in with each credential.
func (d *demo) breakIn(ctx context.Context) (string, error) {
	r := &raid{}
	cmd := d.command(nil, "intruder")
	cmd.Stdout, cmd.Stderr = &r.heard, d.Err
	var err error
	if r.in, err = cmd.StdinPipe(); err != nil {
		return "", err
	}
	if r.child, err = start(cmd); err != nil {
		return "", err
	}
	d.raid = r
	e := json.NewEncoder(r.in)
	if err := e.Encode(intruder.Command{Command: intruder.Pause, PauseMS: int(restless.Milliseconds())}); err != nil {
		return "", fmt.Errorf("talking to the intruder: %w", err)
	}
	doors := 0
	stolen := d.stolen()
	for _, s := range stolen {
		doors += len(s.Servers)
		if err := e.Encode(s); err != nil {
			return "", fmt.Errorf("talking to the intruder: %w", err)
		}
	}
	return fmt.Sprintf("got in with %d of %d, each on every server that knows it", len(stolen), len(stolen)), r.awaitInside(ctx, doors)
}

// awaitInside waits until every login has succeeded.
func (r *raid) awaitInside(ctx context.Context, doors int) error {
	within, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		n := r.heard.inside()
		if n == doors {
			return nil
		}
		select {
		case <-r.exited:
			return fmt.Errorf("the intruder ended at once: %s", r.cmd.ProcessState)
		case <-within.Done():
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("the intruder got in at %d of %d doors, so it could prove nothing later: is the machine very busy?", n, doors)
		case <-tick.C:
		}
	}
}

// end lets the intruder try everything once more and returns what it came to.
func (r *raid) end(ctx context.Context) ([]intruder.Result, intruder.Summary, error) {
	if err := r.in.Close(); err != nil {
		return nil, intruder.Summary{}, fmt.Errorf("talking to the intruder: %w", err)
	}
	code, err := r.wait(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("the intruder ended with exit code %d", code)
	}
	if err != nil {
		return nil, intruder.Summary{}, err
	}
	return intruder.ReadResults(bytes.NewReader(r.heard.bytes()))
}

// transcript keeps what the intruder says.
type transcript struct {
	mu  sync.Mutex
	all []byte
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, p...)
	return len(p), nil
}

func (t *transcript) bytes() []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	return bytes.Clone(t.all)
}

// inside counts the logins that succeeded at some time, by credential and server.
func (t *transcript) inside() int {
	in := map[[2]string]bool{}
	lines := bufio.NewScanner(bytes.NewReader(t.bytes()))
	for lines.Scan() {
		var c intruder.Change
		// The last line may be half written: the next look has it.
		if json.Unmarshal(lines.Bytes(), &c) == nil && c.Via == intruder.Login && c.To == "accepted" {
			in[[2]string{c.ID, c.Server}] = true
		}
	}
	return len(in)
}
