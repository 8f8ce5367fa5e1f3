package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// raid is an intruder at work in a process of its own.
type raid struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out transcript
}

// transcript is output that can be read while it grows.
type transcript struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (o *transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.Write(p)
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// reader gives whole lines: a pipe may bring the last one in parts.
func (o *transcript) reader() io.Reader {
	said := o.String()
	return strings.NewReader(said[:strings.LastIndexByte(said, '\n')+1])
}

func startRaid(t *testing.T, e *estate.Estate) *raid {
	t.Helper()
	r := &raid{t: t, cmd: exec.Command(binary, "intruder")}
	r.cmd.Stdout, r.cmd.Stderr = &r.out, os.Stderr
	var err error
	r.in, err = r.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, r.cmd.Start())
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	r.send(intruder.Command{Command: intruder.Eavesdrop, EveryMS: 10, Connections: 16})
	for _, s := range slices.Concat(e.Stolen, e.AtDoors, e.Known) {
		r.send(s)
	}
	return r
}

func (r *raid) send(line any) {
	r.t.Helper()
	require.NoError(r.t, json.NewEncoder(r.in).Encode(line))
}

// listening waits until the intruder has read everything in Vault once.
func (r *raid) listening() {
	r.t.Helper()
	require.Eventually(r.t, func() bool {
		said, err := io.ReadAll(r.out.reader())
		return err == nil && bytes.Contains(said, []byte(`"listening"`))
	}, patience, 10*time.Millisecond)
}

// overheard is what it had read at its last report.
func (r *raid) overheard() intruder.Overheard {
	r.t.Helper()
	o, err := intruder.ReadOverheard(r.out.reader())
	require.NoError(r.t, err)
	return o
}

// soFar has it report, and gives its results so far; none before the first
// report.
func (r *raid) soFar() []intruder.Result {
	r.t.Helper()
	r.send(intruder.Command{Command: intruder.Report})
	results, _, err := intruder.ReadResults(r.out.reader())
	require.NoError(r.t, err)
	return results
}

// end lets the intruder try everything once more and returns its results.
func (r *raid) end() []intruder.Result {
	r.t.Helper()
	require.NoError(r.t, r.in.Close())
	require.NoError(r.t, r.cmd.Wait())
	results, _, err := intruder.ReadResults(r.out.reader())
	require.NoError(r.t, err)
	return results
}

// requireNothingOverheard: no value that is in force at the end of a campaign
// was ever read by the intruder, who had the device's logins to Vault and reads
// with them all the time.
func (r *raid) requireNothingOverheard(s *ledger.State) {
	r.t.Helper()
	o := r.overheard()
	require.NotZero(r.t, o.Sum.Logins, "it had no login to Vault")
	require.Greater(r.t, o.Sum.Reads, o.Sum.Places, "it read nothing")
	require.Empty(r.t, o.Judge(deaths(r.t, s)), "the intruder has read what is in force")
}

// deaths are what the ledger calls dead, and since when.
func deaths(t *testing.T, s *ledger.State) []intruder.Death {
	t.Helper()
	var out []intruder.Death
	for _, l := range s.Credentials {
		if l.Outcome == ledger.Dead {
			require.NotZero(t, l.DeadAt)
			out = append(out, intruder.Death{ID: l.ID, At: l.DeadAt})
		}
	}
	return out
}

// requireAllDead holds the ledger to its word: everything is dead but the
// listed exceptions, the proof is complete, and the intruder bears it out.
func requireAllDead(t *testing.T, s *ledger.State, results []intruder.Result, exceptions ...string) {
	t.Helper()
	open := map[string]bool{}
	for _, x := range exceptions {
		open[x] = true
	}
	for _, l := range s.Credentials {
		if open[l.Name] {
			require.Equal(t, ledger.IsException, l.Outcome, l.Name)
			continue
		}
		require.Equal(t, ledger.Dead, l.Outcome, "%s stands at %s: %s %s %s", l.Name, l.Step, l.Reason, l.Server, l.Detail)
		for _, ev := range l.Evidence {
			require.Equal(t, protocol.Accepted, ev.New, l.Name)
			if l.Proof == protocol.ProofBind {
				require.Equal(t, protocol.Refused, ev.Old, l.Name)
			}
			at, err := time.Parse(time.RFC3339, ev.At)
			require.NoError(t, err)
			require.False(t, at.After(l.DeadAt), "evidence is from before the outcome")
		}
	}
	require.Empty(t, intruder.Judge(results, deaths(t, s)), "the intruder disagrees with the ledger")
}
