package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

func batchOf(items ...int) rotationInput {
	return rotationInput{Batch: batches(newFake().roll, waveOf(0, 10), 10, 4)[0], Pass: 1, Items: items}
}

// rotateOn runs one pass over one batch as a workflow of its own.
func rotateOn(env *testsuite.TestWorkflowEnvironment, in rotationInput) {
	env.ExecuteWorkflow(func(ctx ctx, in rotationInput) (rotationResult, error) { return rotate(ctx, in), nil }, in)
}

func TestNothingIsSetBeforeItsIntentIsRecordedNorCleanedBeforeItsProofIs(t *testing.T) {
	f := newFake()
	env := f.env(t)
	rotateOn(env, batchOf(0, 1, 2))
	out := result[rotationResult](t, env)
	require.Equal(t, []string{"Prepare", "RecordIntents", "Apply", "RecordResults", "Clean"}, f.log)
	require.Equal(t, rotationResult{Dead: 3}, out)
	require.Len(t, f.cleaned, 3)
}

func TestAFailedCredentialIsAValueAndTheOthersGoOn(t *testing.T) {
	f := newFake()
	f.outcome = func(at place, _ int) (protocol.Step, protocol.Reason) {
		switch at.index {
		case 1:
			return protocol.Precheck, protocol.ReasonLocked
		case 2:
			return protocol.Set, protocol.ReasonRights
		}
		return "", ""
	}
	env := f.env(t)
	in := batchOf(0, 1, 2)
	in.Known = []wire.OpenItem{{Index: 1, Step: protocol.Precheck, Reason: protocol.ReasonLocked}}
	rotateOn(env, in)
	out := result[rotationResult](t, env)
	require.Equal(t, 1, out.Dead)
	require.Equal(t, []wire.OpenItem{
		{Index: 1, Step: protocol.Precheck, Reason: protocol.ReasonLocked},
		{Index: 2, Step: protocol.Set, Reason: protocol.ReasonRights},
	}, out.Open)
	require.Len(t, f.intents[0].Items, 2, "no intent for what is not set")
	require.Equal(t, 1, f.intents[0].Items[0].Attempt)
	require.Len(t, f.results[0].Stopped, 1)
	require.Len(t, f.results[0].Applied, 2)
	require.Equal(t, in.Known, f.results[0].Known)
	require.Equal(t, map[place]int{{0, 0}: 1}, f.cleaned, "only what is dead is cleaned")
}

func TestABatchWithNothingToSetAsksForNoIntent(t *testing.T) {
	f := newFake()
	f.outcome = always(protocol.Precheck, protocol.ReasonGone)
	env := f.env(t)
	rotateOn(env, batchOf(0, 1))
	out := result[rotationResult](t, env)
	require.Equal(t, []string{"Prepare", "RecordResults"}, f.log)
	require.Len(t, out.Open, 2)
}

func TestAnActivityThatGivesUpLeavesItsBatchOpen(t *testing.T) {
	for _, row := range []struct {
		activity string
		kind     string
		log      []string
		step     protocol.Step
		reason   protocol.Reason
	}{
		{"Prepare", "Vault", []string{"Prepare", "RecordResults"}, protocol.Precheck, protocol.ReasonVault},
		{"RecordIntents", "Ledger", []string{"Prepare", "RecordIntents"}, protocol.Intent, protocol.ReasonLedger},
		{"RecordIntents", "Vault", []string{"Prepare", "RecordIntents", "RecordResults"}, protocol.Intent, protocol.ReasonVault},
		{"Apply", "Spec", []string{"Prepare", "RecordIntents", "Apply", "RecordResults"}, protocol.Set, protocol.ReasonInternal},
		{"RecordResults", "Ledger", []string{"Prepare", "RecordIntents", "Apply", "RecordResults"}, protocol.Outcome, protocol.ReasonLedger},
	} {
		t.Run(row.activity+", "+row.kind, func(t *testing.T) {
			f := newFake()
			f.fails[row.activity] = broken(row.kind)
			env := f.env(t)
			rotateOn(env, batchOf(3, 4))
			out := result[rotationResult](t, env)
			require.Equal(t, row.log, f.log, "nothing follows a step that failed but telling the ledger, if that is not what failed")
			require.Zero(t, out.Dead)
			require.Equal(t, []wire.OpenItem{
				{Index: 3, Step: row.step, Reason: row.reason, Unheard: row.activity == "Apply"}, {Index: 4, Step: row.step, Reason: row.reason, Unheard: row.activity == "Apply"},
			}, out.Open)
			require.Empty(t, f.cleaned)
		})
	}
}

// What a process sent that nobody heard of again may still arrive: the next
// Apply that looks is told so, and if none does, whoever takes over has to
// wait.
func TestWhatEndedWithoutAnAnswerIsDoubtedUntilItIsHeardOf(t *testing.T) {
	for _, row := range []struct {
		name    string
		mended  bool
		doubted []bool
	}{{"heard of later", true, []bool{true, true}}, {"never again", false, nil}} {
		t.Run(row.name, func(t *testing.T) {
			f := newFake(waveOf(0, 2))
			f.fails["Apply"] = broken("Vault")
			f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
				if at.index == 0 && try == 2 {
					return protocol.Precheck, protocol.ReasonVault // it is not looked at in this pass
				}
				return "", ""
			}
			env := f.env(t)
			if row.mended {
				env.RegisterDelayedCallback(func() { f.failing("Apply", nil) }, 30*time.Second)
			} else {
				update(env, UpdateAbort, 30*time.Second)
			}
			env.ExecuteWorkflow(CampaignWorkflow, input)
			out := result[Result](t, env)
			require.Equal(t, row.doubted, f.doubted)
			require.Equal(t, !row.mended, f.unheard)
			require.Equal(t, row.mended, out.Dead == 2)
			require.Equal(t, []string{"c1"}, f.closed)
		})
	}
}

// One that was heard of takes the doubt from no other one.
func TestACampaignIsDoubtedForEachThatWasNeverHeardOf(t *testing.T) {
	for unheard := range 2 {
		f := newFake(waveOf(0, 2))
		f.fails["Apply"] = broken("Vault")
		f.outcome = func(at place, try int) (protocol.Step, protocol.Reason) {
			if at.index == unheard && try > 1 {
				return protocol.Precheck, protocol.ReasonVault // it is not looked at any more
			}
			return protocol.Verify, protocol.ReasonLocked
		}
		env := f.env(t)
		env.RegisterDelayedCallback(func() { f.failing("Apply", nil) }, 30*time.Second)
		update(env, UpdateAbort, 2*time.Minute)
		env.ExecuteWorkflow(CampaignWorkflow, input)
		require.Equal(t, 2, result[Result](t, env).Open)
		require.True(t, f.exceptions[place{0, unheard}].Unheard)
		require.False(t, f.exceptions[place{0, 1 - unheard}].Unheard)
		require.True(t, f.unheard, "what was sent of it may still arrive")
	}
}

func TestTheDeadStayDeadWhenVaultRefusesToClean(t *testing.T) {
	f := newFake()
	f.fails["Clean"] = broken("Vault")
	env := f.env(t)
	rotateOn(env, batchOf(0))
	require.Equal(t, rotationResult{Dead: 1}, result[rotationResult](t, env))
}

// In the test environment an activity that is cancelled is so at once and says
// nothing of what it did, as one does whose worker is gone.
func TestACancelledBatchBeginsNothingAndSaysWhatMayBeHalfDone(t *testing.T) {
	for _, row := range []struct {
		during   string
		dead     int
		step     protocol.Step
		halfDone bool
	}{
		{"Prepare", 0, protocol.Precheck, false},
		{"RecordIntents", 0, protocol.Intent, false},
		{"Apply", 0, protocol.Set, true},
		{"RecordResults", 2, "", false},
	} {
		f := newFake()
		f.takes[row.during] = settings.RetryMin
		env := f.env(t)
		env.RegisterDelayedCallback(env.CancelWorkflow, settings.RetryMin/2)
		rotateOn(env, batchOf(0, 1))
		out := result[rotationResult](t, env)
		require.Equal(t, row.dead, out.Dead, "cancelled during %s", row.during)
		require.Len(t, f.cleaned, row.dead)
		require.Len(t, f.results, 1, "the ledger is told")
		require.Len(t, out.Open, 2-row.dead)
		for _, it := range out.Open {
			require.Equal(t, row.step, it.Step)
			require.Equal(t, protocol.ReasonInterrupted, it.Reason)
			require.Equal(t, row.halfDone, halfDone(it), "an abort gives one more pass to what may have been set, and to nothing else")
		}
	}
}

func TestAServerThatContradictedItselfIsRememberedWhateverKeepsTheCredentialOpenLater(t *testing.T) {
	first := []wire.OpenItem{{Index: 4, Reason: protocol.ReasonContradicts, Server: "ldaps://a"}, {Index: 5, Reason: protocol.ReasonLagging, Server: "ldaps://b"}}
	remember(first, nil)
	later := []wire.OpenItem{{Index: 5, Reason: protocol.ReasonLagging, Server: "ldaps://b"}, {Index: 4, Reason: protocol.ReasonUnreachable, Server: "ldaps://b"}}
	remember(later, first)
	got := toApply([]wire.PreparedItem{{Index: 5}, {Index: 4}}, later)
	require.Equal(t, []string{"", "ldaps://a"}, []string{got[0].Against, got[1].Against})
}
