package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

func TestAPassBeginsWithWhatIsCutOff(t *testing.T) {
	f := newFake(waveOf(0, 20))
	f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
		switch {
		case try > 1:
			return "", ""
		case at.index == 17:
			return protocol.Activate, protocol.ReasonNotActive
		case at.index == 14:
			return protocol.Prove, protocol.ReasonLagging
		}
		return protocol.Intent, protocol.ReasonVault
	}
	env := f.env(t)
	s := settings
	s.Parallel = 1
	env.ExecuteWorkflow(WaveWorkflow, waveState{Roll: f.roll, Index: f.roll.Waves[0], Settings: s, Urgent: true})
	require.Equal(t, waveResult{Dead: 20}, result[waveResult](t, env))
	again := f.results[2]
	require.Equal(t, 17, again.Applied[0].Index)
	require.Equal(t, 14, again.Applied[1].Index, "its new value may be in force")
	require.Len(t, again.Applied, 10)
	require.Equal(t, cutOffWait, f.passes[2].Sub(f.passes[1]).Round(time.Second), "consumers do not wait for retry_min when it is long")
}

func TestEveryPassBeginsElsewhereInABatch(t *testing.T) {
	items := openAll([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, protocol.ReasonUnreachable)
	first := map[int]bool{}
	for pass := 1; pass <= 10; pass++ {
		in := inTurn(items, pass)
		require.ElementsMatch(t, items, in)
		first[in[0].Index] = true
	}
	require.Len(t, first, 10)
}

func TestWhatIsCutOffStaysSoWhileNobodyCanLook(t *testing.T) {
	cut := wire.OpenItem{Index: 1, Step: protocol.Activate, Reason: protocol.ReasonNotActive, Server: "https://vault", Sent: true}
	for _, row := range []struct {
		name     string
		step     protocol.Step
		reason   protocol.Reason
		fails    string
		want     protocol.Reason
		wantStep protocol.Step
	}{
		{"Vault does not answer", protocol.Precheck, protocol.ReasonVault, "", protocol.ReasonNotActive, protocol.Activate},
		{"the login has ended", protocol.Stage, protocol.ReasonVaultLogin, "", protocol.ReasonNotActive, protocol.Activate},
		{"the worker stopped", protocol.Intent, protocol.ReasonInterrupted, "", protocol.ReasonNotActive, protocol.Activate},
		{"the whole batch gave up", "", "", "Prepare", protocol.ReasonNotActive, protocol.Activate},
		{"it is locked now", protocol.Precheck, protocol.ReasonLocked, "", protocol.ReasonLocked, protocol.Precheck},
		{"somebody set another value", protocol.Verify, protocol.ReasonNewRefused, "", protocol.ReasonNewRefused, protocol.Verify},
	} {
		t.Run(row.name, func(t *testing.T) {
			f := newFake(credential.WaveIndex{})
			if row.reason != "" {
				f.outcome = always(row.step, row.reason)
			}
			if row.fails != "" {
				f.fails[row.fails] = broken("Vault")
			}
			env := f.env(t)
			in := batchOf(0, 1)
			in.Known = []wire.OpenItem{cut}
			rotateOn(env, in)
			out := result[rotationResult](t, env)
			require.Len(t, out.Open, 2)
			require.Equal(t, row.want, out.Open[1].Reason)
			require.Equal(t, row.wantStep, out.Open[1].Step)
			require.NotEqual(t, protocol.ReasonNotActive, out.Open[0].Reason)
			if row.want == protocol.ReasonNotActive {
				require.Equal(t, cut.Server, out.Open[1].Server, "nothing new is recorded")
			}
		})
	}
}
