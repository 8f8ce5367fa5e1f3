package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/ledger"
)

// soak is set by `make soak`: kill for that long instead of kills times.
var soak = flag.Duration("soak", 0, "how long to go on with random kills; 0 means one campaign")

const killsWanted = 25

func TestRandomKillsLoseNothingAndEveryCredentialDies(t *testing.T) {
	until := time.Now().Add(*soak)
	for round := 0; round == 0 || time.Now().Before(until); round++ {
		killCampaign(t)
	}
}

// killCampaign runs one campaign of 200 accounts under at least killsWanted
// kills.
func killCampaign(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 200, Bystanders: 3, Policy: strict})
	e.Directory = "    rate_per_second: 60\n" // so that the campaign outlives the kills
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 10m, batch: 10, parallel: 4, concurrency: 4}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	r := startRaid(t, e)

	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	kills, missed := map[string]int{}, 0
	for n := 0; n < killsWanted; n++ {
		before := u.entries()
		cmd, said := u.begin("run")
		u.untilItWorks(said, before, rnd)
		victim := []string{"worker", "engine", "both"}[rnd.IntN(3)]
		hit := u.kill(cmd, victim)
		require.NotContains(t, said.String(), "panic")
		if !hit { // it met what the kill before left, on its way out
			n, missed = n-1, missed+1
			require.LessOrEqual(t, missed, 5, "runs end by themselves: %s", said)
			continue
		}
		kills[victim]++
		require.False(t, u.closed(), "the campaign ended after %d kills", n+1)
		if n%5 == 4 {
			requireNothingLost(t, e)
			requireBystandersUntouched(t, e)
		}
	}
	t.Logf("killed: %v; %d entries in the ledger by then", kills, u.entries())

	last := u.run("run")
	require.Zero(t, last.code, last.out+last.err)
	state := u.ledger()
	require.Len(t, state.Credentials, 200)
	requireAllDead(t, state, r.end())
	requireConsumersServed(t, e)
	requireBystandersUntouched(t, e)
	requireClean(t, e)
	for id, p := range e.Live {
		require.Equal(t, 2, versions(t, e.Vault.Client(), p), "consumers of %s see one change", id)
	}
	u.must("ledger", "verify")
}

// begin starts a command and leaves it running.
func (u *user) begin(args ...string) (*exec.Cmd, *transcript) {
	u.t.Helper()
	cmd := u.command(args...)
	said := &transcript{}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = said, said, patience
	require.NoError(u.t, cmd.Start())
	u.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		u.endEngine()
	})
	return cmd, said
}

// endEngine ends the engine that a killed command left, also one that comes up
// or goes down: it writes in its folder, which is about to be removed.
func (u *user) endEngine() {
	require.Eventually(u.t, func() bool {
		all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
		gone := true
		for _, name := range all {
			line, _ := os.ReadFile(name)
			if !bytes.Contains(line, []byte("rollcall-engine\x00-dir\x00"+filepath.Join(u.state, "engine"))) {
				continue
			}
			gone = false
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return gone
	}, patience, tick, "its engine lives on")
}

// closed reports whether the ledger says that the campaign has ended.
func (u *user) closed() bool {
	s := u.ledgerSoFar()
	return s != nil && s.Phase == ledger.Closed
}

// entries counts what the ledger of the latest campaign holds.
func (u *user) entries() uint64 {
	folders, err := filepath.Glob(filepath.Join(u.e.Dir, "ledger", "*", "ledger.json"))
	require.NoError(u.t, err)
	if len(folders) == 0 {
		return 0
	}
	r, err := ledger.OpenReader(filepath.Dir(folders[len(folders)-1]))
	require.NoError(u.t, err)
	cp, err := r.Checkpoint()
	if err != nil {
		return 0
	}
	return cp.Size
}

// untilItWorks waits until the ledger has grown, and then a random moment more,
// so that kills fall everywhere. Mostly it does not wait for growth: kills fall
// into the start and the recovery too.
func (u *user) untilItWorks(said *transcript, before uint64, rnd *rand.Rand) {
	u.t.Helper()
	if rnd.IntN(4) == 0 {
		grown := func() bool { return u.entries() > before }
		if !assert.Eventually(u.t, grown, 2*patience, 10*time.Millisecond) {
			require.Fail(u.t, "the campaign does not go on", "%d entries; it said:\n%s", before, said)
		}
	}
	wait := time.NewTimer(time.Duration(rnd.IntN(1200)) * time.Millisecond)
	defer wait.Stop()
	<-wait.C
}

// kill ends the worker (the run process), the engine, or both, with -9. False
// if the run had ended by itself.
func (u *user) kill(cmd *exec.Cmd, victim string) (hit bool) {
	u.t.Helper()
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(done)
	}()
	if victim != "worker" {
		// That of a run which was killed before may be on its way out.
		pid := 0
		require.Eventually(u.t, func() bool {
			select {
			case <-done:
				return true
			default:
			}
			pid = u.enginePID()
			hit = pid > 0 && parentOf(pid) == cmd.Process.Pid
			return hit
		}, patience, 5*time.Millisecond, "no engine came up")
		if hit {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if victim != "engine" {
		killed := cmd.Process.Kill() == nil
		hit = hit || victim == "worker" && killed
	}
	// A run whose engine was killed ends by itself and says so.
	select {
	case <-done:
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		require.Fail(u.t, "run did not notice that its engine was killed")
	}
	return hit
}

// parentOf is the process that started another one (proc(5), stat).
func parentOf(pid int) int {
	line, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	_, rest, _ := strings.Cut(string(line), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

func (u *user) enginePID() int {
	data, err := os.ReadFile(filepath.Join(u.state, "engine", "engine.json"))
	if err != nil {
		return 0
	}
	var at struct {
		PID int `json:"pid"`
	}
	require.NoError(u.t, json.Unmarshal(data, &at))
	// An engine that was killed leaves its file behind.
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(at.PID), "cmdline"))
	if err != nil || !bytes.Contains(line, []byte(u.state)) {
		return 0
	}
	return at.PID
}
