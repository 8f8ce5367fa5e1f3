package demo

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"rollcall/internal/intruder"
)

// restless is the intruder's pause between two passes over a server. Short, so
// that the moment of its last success is exact; shorter ones cost the servers
// as much as the campaign does.
const restless = 250 * time.Millisecond

// all are more connections than there are accounts on a server.
const all = 100

// raid is the intruder at work in a process of its own.
type raid struct {
	*child
	in    io.WriteCloser
	heard transcript
}

// breakIn starts the intruder, hands it everything that was stolen, and
// returns once every server has let it in with each credential.
func (d *demo) breakIn(ctx context.Context) (string, error) {
	doors := 0
	stolen := d.stolen()
	lines := []any{
		intruder.Command{Command: intruder.Pause, PauseMS: int(restless.Milliseconds())},
		intruder.Command{Command: intruder.Eavesdrop, Connections: all, SelfWrite: true},
	}
	for _, s := range slices.Concat(stolen, d.estate.AtDoors, d.estate.Known) {
		if !s.Known {
			doors += len(s.Servers)
		}
		if s.Kind != intruder.Postgres { // whose servers take nobody from elsewhere
			s.From = thiefAddress
		}
		lines = append(lines, s)
	}
	var err error
	if d.raid, err = d.startRaid(lines...); err != nil {
		return "", err
	}
	listening, err := d.raid.awaitInside(ctx, doors, true)
	also := ""
	if n := len(d.estate.AtDoors); n > 0 {
		also = fmt.Sprintf(", %d of them at %d doors too", n, len(d.estate.DoorPlaces()))
	}
	return fmt.Sprintf("got in with %d of %d, each on every server that knows it%s; in Vault it reads %d secrets with %d tokens",
		len(stolen), len(stolen), also, listening.Places, listening.Tokens), err
}

// startRaid starts an intruder and hands it lines of input.
func (d *demo) startRaid(lines ...any) (*raid, error) {
	r := &raid{}
	cmd := d.command(nil, "intruder")
	cmd.Stdout, cmd.Stderr = &r.heard, d.Err
	var err error
	if r.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if r.child, err = start(cmd); err != nil {
		return nil, err
	}
	e := json.NewEncoder(r.in)
	for _, line := range lines {
		if err := e.Encode(line); err != nil {
			r.kill()
			return nil, fmt.Errorf("talking to the intruder: %w", err)
		}
	}
	return r, nil
}

// awaitInside waits until every login has succeeded and, of one that
// eavesdrops, everything in Vault that they let it read was read once.
func (r *raid) awaitInside(ctx context.Context, doors int, eavesdrops bool) (intruder.Listening, error) {
	within, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		n, listening := r.heard.inside()
		if n == doors && (listening.Places > 0 || !eavesdrops) {
			return listening, nil
		}
		select {
		case <-r.exited:
			return listening, fmt.Errorf("the intruder ended at once: %s", r.cmd.ProcessState)
		case <-within.Done():
			if ctx.Err() != nil {
				return listening, ctx.Err()
			}
			return listening, fmt.Errorf("the intruder got in at %d of %d doors and reads %d secrets in Vault, so it could prove nothing later: is the machine very busy?", n, doors, listening.Places)
		case <-tick.C:
		}
	}
}

// end lets the intruder try everything once more. What it came to is in the
// transcript.
func (r *raid) end(ctx context.Context) error {
	if err := r.in.Close(); err != nil {
		return fmt.Errorf("talking to the intruder: %w", err)
	}
	code, err := r.wait(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("the intruder ended with exit code %d", code)
	}
	return err
}

// said is everything that the intruder came to.
func (r *raid) said() ([]intruder.Result, intruder.Overheard, error) {
	results, _, err := intruder.ReadResults(bytes.NewReader(r.heard.bytes()))
	if err != nil {
		return nil, intruder.Overheard{}, err
	}
	overheard, err := intruder.ReadOverheard(bytes.NewReader(r.heard.bytes()))
	return results, overheard, err
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

// inside counts the logins that succeeded at some time, by credential and
// server, and gives what was read in Vault by then.
func (t *transcript) inside() (int, intruder.Listening) {
	in := map[[2]string]bool{}
	var listening intruder.Listening
	lines := bufio.NewScanner(bytes.NewReader(t.bytes()))
	for lines.Scan() {
		var c intruder.Change
		// The last line may be half written: the next look has it.
		if json.Unmarshal(lines.Bytes(), &c) != nil {
			continue
		}
		switch {
		case c.Via == intruder.Login && c.To == "accepted":
			in[[2]string{c.ID, c.Server}] = true
		case c.Type == intruder.TypeListening:
			_ = json.Unmarshal(lines.Bytes(), &listening)
		}
	}
	return len(in), listening
}
