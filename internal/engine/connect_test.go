package engine

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"rollcall/internal/credential"
)

// ownerOf makes this test binary another process that connects and stays.
const ownerOf = "ROLLCALL_TEST_OWNER_OF"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerOf); dir != "" {
		e, err := Connect(context.Background(), Options{StateDir: dir, Logger: slog.New(slog.DiscardHandler), MayStart: true})
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(e.Address, e.Started)
		<-context.Background().Done()
	}
	os.Exit(m.Run())
}

// alone hides the Temporal settings of whoever runs the test, and puts the
// built engine on PATH.
func alone(t *testing.T) (dir string) {
	t.Helper()
	none := filepath.Join(t.TempDir(), "temporal.toml")
	require.NoError(t, os.WriteFile(none, nil, 0o600))
	t.Setenv("TEMPORAL_CONFIG_FILE", none)
	for _, name := range []string{"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE", "TEMPORAL_PROFILE", "TEMPORAL_API_KEY"} {
		t.Setenv(name, "")
		require.NoError(t, os.Unsetenv(name))
	}
	bin, err := filepath.Abs("../../bin")
	require.NoError(t, err)
	require.FileExists(t, filepath.Join(bin, binary), "run `make build` first")
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return t.TempDir()
}

func options(dir string, mayStart bool) Options {
	return Options{StateDir: dir, Logger: slog.New(slog.DiscardHandler), MayStart: mayStart}
}

func connect(t *testing.T, o Options) *Engine {
	t.Helper()
	e, err := Connect(t.Context(), o)
	require.NoError(t, err)
	return e
}

func serves(t *testing.T, e *Engine) {
	t.Helper()
	_, err := e.CheckHealth(t.Context(), &client.CheckHealthRequest{})
	require.NoError(t, err)
	_, err = e.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	require.NoError(t, err)
}

func listens(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

func TestConnectStartsAnEngineThatOthersFindAndThatItsOwnerStops(t *testing.T) {
	dir := alone(t)
	_, err := Connect(t.Context(), options(dir, false))
	require.ErrorIs(t, err, ErrNotRunning)

	owner := connect(t, options(dir, true))
	require.True(t, owner.Local)
	require.True(t, owner.Started)
	serves(t, owner)

	for _, mayStart := range []bool{true, false} {
		other := connect(t, options(dir, mayStart))
		require.True(t, other.Local)
		require.False(t, other.Started)
		require.Equal(t, owner.Address, other.Address)
		serves(t, other)
		require.NoError(t, other.Stop())
		serves(t, owner)
	}

	require.NoError(t, owner.Stop())
	require.False(t, listens(owner.Address))
	_, err = Connect(t.Context(), options(dir, false))
	require.ErrorIs(t, err, ErrNotRunning)
}

func TestAnEngineGoesOnWithWhatAnEarlierOneLeft(t *testing.T) {
	dir := alone(t)
	first := connect(t, options(dir, true))
	run, err := first.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "kept", TaskQueue: "nobody"}, "Anything")
	require.NoError(t, err)
	require.NoError(t, first.Stop())
	second := connect(t, options(dir, true))
	defer func() { require.NoError(t, second.Stop()) }()
	d, err := second.DescribeWorkflowExecution(t.Context(), "kept", run.GetRunID())
	require.NoError(t, err)
	require.Equal(t, "Anything", d.WorkflowExecutionInfo.Type.Name)
	require.Equal(t, first.Address, second.Address, "where workers still look for it")
}

func TestOfManyProcessesThatStartAtOnceOneOwnsTheEngine(t *testing.T) {
	dir := alone(t)
	engines := make([]*Engine, 4)
	errs := make([]error, len(engines))
	var wg sync.WaitGroup
	for i := range engines {
		wg.Go(func() { engines[i], errs[i] = Connect(t.Context(), options(dir, true)) })
	}
	wg.Wait()
	owners := 0
	for i, e := range engines {
		require.NoError(t, errs[i])
		require.Equal(t, engines[0].Address, e.Address)
		if e.Started {
			owners++
			defer func() { require.NoError(t, e.Stop()) }()
		} else {
			require.NoError(t, e.Stop())
		}
	}
	require.Equal(t, 1, owners)
}

func TestTheEngineEndsWithAnOwnerThatWasKilledAndTheNextOneTakesOver(t *testing.T) {
	dir := alone(t)
	owner := exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), ownerOf+"="+dir)
	out, err := owner.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, owner.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	var address string
	var started bool
	_, err = fmt.Sscan(lines.Text(), &address, &started)
	require.NoError(t, err, lines.Text())
	require.True(t, started)

	joined := connect(t, options(dir, true))
	require.False(t, joined.Started)
	require.NoError(t, joined.Stop())

	require.NoError(t, owner.Process.Kill())
	_ = owner.Wait()
	require.Eventually(t, func() bool { return !listens(address) }, time.Minute, 50*time.Millisecond)

	next := connect(t, options(dir, true))
	require.True(t, next.Started)
	serves(t, next)
	require.NoError(t, next.Stop())
}

// Ports are chosen before they are taken, and a machine may stand still while
// the parts of an engine wait for each other.
func TestAnEngineThatEndsForWhatPassesIsStartedAgainAndNotForEver(t *testing.T) {
	const taken = "Failed to start gRPC listener, error: listen tcp 127.0.0.1:15001: bind: address already in use"
	for name, row := range map[string]struct {
		times, starts int
		says          string
	}{
		"twice": {2, 3, taken}, "each time": {1000, maxAgain, taken},
		"it stood still": {1, 2, "error starting scanner, error: failed reaching server: context deadline exceeded"},
		"another reason": {1000, 1, "unable to open database file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := alone(t)
			path, err := exec.LookPath(binary)
			require.NoError(t, err)
			first, count := t.TempDir(), filepath.Join(t.TempDir(), "count")
			script := fmt.Sprintf(`#!/bin/sh
echo x >>%[1]q
if [ $(wc -l <%[1]q) -le %[2]d ]; then
	echo "rollcall-engine: Temporal stopped: %[4]s" >&2
	exit 1
fi
exec %[3]q "$@"
`, count, row.times, path, row.says)
			require.NoError(t, os.WriteFile(filepath.Join(first, binary), []byte(script), 0o755))
			t.Setenv("PATH", first+string(filepath.ListSeparator)+os.Getenv("PATH"))
			e, err := Connect(t.Context(), options(dir, true))
			said, readErr := os.ReadFile(count)
			require.NoError(t, readErr)
			starts := strings.Count(string(said), "x\n")
			if row.times >= row.starts {
				require.ErrorContains(t, err, row.says)
				require.ErrorContains(t, err, "engine.log")
				require.Equal(t, row.starts, starts)
				return
			}
			require.NoError(t, err)
			require.True(t, e.Started)
			require.NoError(t, e.Stop())
			require.GreaterOrEqual(t, starts, row.starts, "the real one may meet a machine that stands still")
		})
	}
}

func TestWhereAnEngineOnceListenedIsNotTakenForARunningOne(t *testing.T) {
	dir := alone(t)
	// Somebody else has the port by now, and the process is gone.
	other, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer other.Close()
	gone := exec.Command("true")
	require.NoError(t, gone.Run())
	stale := map[string]any{"address": other.Addr().String(), "pid": gone.Process.Pid}
	require.ErrorIs(t, syscall.Kill(gone.Process.Pid, 0), syscall.ESRCH)
	for name, content := range map[string][]byte{
		"an address that somebody else has": encoded(t, stale),
		"an address where nobody listens":   encoded(t, map[string]any{"address": "127.0.0.1:1", "pid": os.Getpid()}),
		"a file that was cut short":         []byte(`{"addr`),
		"an empty file":                     nil,
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, "engine"), 0o700))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "engine", "engine.json"), content, 0o600))
			_, err := Connect(t.Context(), options(dir, false))
			require.ErrorIs(t, err, ErrNotRunning)
			e := connect(t, options(dir, true))
			require.True(t, e.Started)
			require.NotEqual(t, other.Addr().String(), e.Address)
			require.NoError(t, e.Stop())
		})
	}
}

func encoded(t *testing.T, v any) []byte {
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return b
}

func TestAConfiguredTemporalIsUsedAndNothingIsStarted(t *testing.T) {
	dir := alone(t)
	owner := connect(t, options(dir, true))
	defer func() { require.NoError(t, owner.Stop()) }()
	t.Setenv("TEMPORAL_ADDRESS", owner.Address)
	elsewhere := t.TempDir()
	e := connect(t, options(elsewhere, true))
	require.False(t, e.Local)
	require.False(t, e.Started)
	serves(t, e)
	require.NoError(t, e.Stop())
	require.NoDirExists(t, filepath.Join(elsewhere, "engine"))
}

func TestConnectSaysWhatToDo(t *testing.T) {
	for _, row := range []struct {
		name string
		set  func(t *testing.T, o *Options)
		says []string
	}{
		{"a Temporal that does not answer", func(t *testing.T, _ *Options) {
			t.Setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
		}, []string{"127.0.0.1:1", "TEMPORAL_ADDRESS"}},
		{"a key that is none", func(_ *testing.T, o *Options) {
			o.PayloadKey = credential.NewSecret("short")
		}, []string{"32 random bytes"}},
		{"the file of another cluster", func(t *testing.T, _ *Options) {
			require.NoError(t, os.WriteFile(os.Getenv("TEMPORAL_CONFIG_FILE"), []byte("[profile.default]\naddress = \"127.0.0.1:1\"\n"), 0o600))
		}, []string{"127.0.0.1:1", "temporal.toml (profile default)", "TEMPORAL_CONFIG_FILE to an empty file", "starts an engine on this machine"}},
		{"no engine to start", func(t *testing.T, _ *Options) { t.Setenv("PATH", t.TempDir()) }, []string{"make build", "TEMPORAL_ADDRESS"}},
		{"settings that cannot be read", func(t *testing.T, _ *Options) {
			bad := filepath.Join(t.TempDir(), "temporal.toml")
			require.NoError(t, os.WriteFile(bad, []byte("[profile.default]\nadress = 'x'\n"), 0o600))
			t.Setenv("TEMPORAL_CONFIG_FILE", bad)
		}, []string{"temporal.toml"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := options(alone(t), true)
			row.set(t, &o)
			_, err := Connect(t.Context(), o)
			require.Error(t, err)
			for _, text := range row.says {
				require.ErrorContains(t, err, text)
			}
			require.False(t, errors.Is(err, ErrNotRunning))
			require.NoFileExists(t, filepath.Join(o.StateDir, "engine", "engine.json"), "nothing is left running")
		})
	}
}
