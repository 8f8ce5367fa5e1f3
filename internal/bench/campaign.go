package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// campaign runs the rollcall binary as a person would.
type campaign struct {
	g       *ground
	program string
	group   string // of accounts
	dir     string // campaign file, ledger, state
}

// build makes rollcall from a checkout, under a name below dir, with this one's
// engine beside it.
func build(ctx context.Context, dir, name, checkout string) (program string, err error) {
	engine, err := filepath.Abs(filepath.Join("bin", "rollcall-engine"))
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(engine); err != nil {
		return "", fmt.Errorf("%w: run `make bench`, which builds it, in the top folder", err)
	}
	if err := os.Symlink(engine, filepath.Join(dir, "rollcall-engine")); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	program = filepath.Join(dir, name)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, "rollcall/cmd/rollcall")
	cmd.Dir, cmd.Env = checkout, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building rollcall in %s: %w\n%s", checkout, err, out)
	}
	return program, nil
}

// newCampaign writes the campaign file of a group, with the default limits, and
// prepares Vault's side.
func newCampaign(ctx context.Context, g *ground, d *dirServer, program, group string) (*campaign, error) {
	c := &campaign{g: g, program: program, group: group, dir: filepath.Join(g.dir, group)}
	if err := os.Mkdir(c.dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(c.dir, "ca.pem"), []byte(d.ca), 0o644); err != nil {
		return nil, err
	}
	text := fmt.Sprintf(`device: %s
%sdirectories:
  %s:
    driver: %s
    servers: [%s]
    base: %s
    ca_file: ca.pem
    bind: {dn: "%s", password: "kv/%s#password"}
sources:
  - {name: vault, type: vault-kv, prefix: kv/apps/%s}
`, group, contained, d.name, d.driver, strings.Join(append([]string{d.url}, d.replicas...), ", "), d.base, d.binderDN, d.bindPath(), group)
	err := c.init(ctx, text)
	if err != nil && strings.Contains(err.Error(), "containment") {
		// Versions of before 2026-11-28 do not know of it.
		err = c.init(ctx, strings.Replace(text, contained, "", 1))
	}
	return c, err
}

const contained = "containment: {how: isolated, at: 2026-11-01T08:00:00Z, by: bench}\n"

func (c *campaign) init(ctx context.Context, text string) error {
	if err := os.WriteFile(c.file(), []byte(text), 0o600); err != nil {
		return err
	}
	cmd, out := c.command(ctx, "init")
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("rollcall init: %w\n%s", err, out)
	}
	return nil
}

func (c *campaign) file() string { return filepath.Join(c.dir, "campaign.yaml") }

func (c *campaign) command(ctx context.Context, name string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.CommandContext(ctx, c.program, name, "-f", c.file(), "--state-dir", c.dir)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "VAULT_ADDR="+c.g.vault.Address(), "VAULT_TOKEN="+c.g.vault.RootToken().Reveal())
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out
}

// run runs the campaign to its end. Credentials that did not die are an error.
func (c *campaign) run(ctx context.Context) (*Campaign, error) {
	before, err := c.g.usage()
	if err != nil {
		return nil, err
	}
	cmd, out := c.command(ctx, "run")
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	watched := c.watch(cmd.Process.Pid)
	err = cmd.Wait()
	took := time.Since(began)
	seen := watched()
	if err != nil {
		return nil, fmt.Errorf("rollcall run: %w\n%s", err, out)
	}
	after, err := c.g.usage()
	if err != nil {
		return nil, err
	}
	accounts := len(c.g.accounts[c.group])
	used := after.since(before)
	// What a process has waited for counts as its own, and rollcall waits for
	// its engine.
	used.us = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime() - seen.engineTime
	r := &Campaign{
		Timing:       timing(accounts, 0, took, used),
		WorkerMemory: seen.workerMemory, EngineMemory: seen.engineMemory,
	}
	r.CPU.Engine = each(seen.engineTime, accounts)
	return r, r.readLedger(ctx, filepath.Join(c.dir, "ledger"), began)
}

// seen is what was last seen of two processes that are gone by now.
type seen struct {
	workerMemory, engineMemory int64
	engineTime                 time.Duration
}

// watch looks at rollcall and its engine until the returned function is called.
func (c *campaign) watch(pid int) func() seen {
	done, result := make(chan struct{}), make(chan seen)
	go func() {
		var s seen
		// Looking costs the campaign processor time, too.
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				result <- s
				return
			case <-tick.C:
			}
			s.workerMemory = max(s.workerMemory, peakMemory(pid))
			if engine := c.enginePID(); engine != 0 {
				s.engineMemory = max(s.engineMemory, peakMemory(engine))
				if t, err := processorTime(engine); err == nil {
					s.engineTime = max(s.engineTime, t)
				}
			}
		}
	}()
	return func() seen {
		close(done)
		return <-result
	}
}

// enginePID reads where the engine announces itself; 0 before and after.
func (c *campaign) enginePID() int {
	data, err := os.ReadFile(filepath.Join(c.dir, "engine", "engine.json"))
	if err != nil {
		return 0
	}
	var at struct {
		PID int `json:"pid"`
	}
	if json.Unmarshal(data, &at) != nil {
		return 0
	}
	return at.PID
}
