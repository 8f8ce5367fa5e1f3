// Package e2e tests the built binary on real servers, the way a user runs it.
package e2e

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
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	_ "rollcall/internal/cli" // what the binary is made of, so that a cached result is known to be stale
	"rollcall/internal/estate"
	"rollcall/internal/ledger"
)

// binary is rollcall as built from this checkout, with its engine beside it.
var binary string

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(passAsChild())
	}
	if filepath.Base(os.Args[0]) == "vault" {
		if err := vaultClient(os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "rollcall-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	root, err := filepath.Abs("../..")
	if err != nil {
		return 1, err
	}
	engine := filepath.Join(root, "bin", "rollcall-engine")
	if _, err := os.Stat(engine); err != nil {
		return 1, fmt.Errorf("%w: run `make build` first", err)
	}
	if err := os.Symlink(engine, filepath.Join(dir, "rollcall-engine")); err != nil {
		return 1, err
	}
	binary = filepath.Join(dir, "rollcall")
	build := exec.Command("go", "build", "-o", binary, "rollcall/cmd/rollcall")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building rollcall: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// user runs rollcall on an estate, as a person at a shell.
type user struct {
	t     *testing.T
	e     *estate.Estate
	file  string
	state string
	env   []string
	under []string // what the program is run under, such as another name server
}

func newUser(t *testing.T, e *estate.Estate, file string) *user {
	return &user{t: t, e: e, file: file, state: filepath.Join(e.Dir, "state"), env: e.Environ()}
}

func startEstate(t *testing.T, o estate.Options) *estate.Estate {
	t.Helper()
	o.Dir = t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	e, err := estate.Start(ctx, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		e.Stop(ctx)
	})
	return e
}

// ran is what a finished command left.
type ran struct {
	code     int
	out, err string
}

// environ is this process's environment without the tester's own Vault and
// Temporal.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "VAULT_") || strings.HasPrefix(v, "TEMPORAL_") || strings.HasPrefix(v, "ROLLCALL_")
	})
}

func (u *user) command(args ...string) *exec.Cmd {
	words := append(append(slices.Clone(u.under), binary), append(args, "-f", u.file, "--state-dir", u.state)...)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir = u.e.Dir
	cmd.Env = append(environ(), u.env...)
	return cmd
}

// run runs a command to its end.
func (u *user) run(args ...string) ran {
	u.t.Helper()
	cmd := u.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if err != nil {
		var exited *exec.ExitError
		require.ErrorAs(u.t, err, &exited)
	}
	return ran{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

func (u *user) must(args ...string) string {
	u.t.Helper()
	r := u.run(args...)
	require.Zero(u.t, r.code, "rollcall %v:\n%s%s", args, r.out, r.err)
	return r.out
}

// ledger is the state of the latest campaign from its ledger. One that was just
// begun is waited for.
func (u *user) ledger() *ledger.State {
	u.t.Helper()
	look := time.NewTicker(tick)
	defer look.Stop()
	for end := time.Now().Add(patience); ; <-look.C {
		if state := u.ledgerSoFar(); state != nil {
			return state
		}
		require.True(u.t, time.Now().Before(end), "no ledger was written")
	}
}

// ledgerSoFar is nil where the latest campaign has no ledger yet: its folder is
// there before its first checkpoint.
func (u *user) ledgerSoFar() *ledger.State {
	u.t.Helper()
	folders, err := filepath.Glob(filepath.Join(u.e.Dir, "ledger", "*", "ledger.json"))
	require.NoError(u.t, err)
	if len(folders) == 0 {
		return nil
	}
	r, err := ledger.OpenReader(filepath.Dir(folders[len(folders)-1]))
	require.NoError(u.t, err)
	state, err := r.State(context.Background())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	require.NoError(u.t, err)
	return state
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	return v
}

// quick is for a campaign in which something stays open: it ends soon after its
// first pass. A replica that is slow, or a call that failed, is not waited for
// much longer.
const quick = "limits: {retry_min: 200ms, retry_max: 1s, deadline: 2s, batch: 20}\n"

// unhurried is for a campaign in which each credential dies or can never be
// rotated: it ends by itself, on a slow machine too.
const unhurried = "limits: {retry_min: 200ms, retry_max: 1s, deadline: 5m, batch: 20}\n"
