package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// withDoors are the indexes of a batch from one on.
func withDoors(from, to int) map[int]bool {
	out := map[int]bool{}
	for i := from; i < to; i++ {
		out[i] = true
	}
	return out
}

func upTo(n int) (out []int) {
	for i := range n {
		out = append(out, i)
	}
	return out
}

// What has no doors is recorded at once. What has some is asked in parts, and
// each is recorded as it comes, with what the look knows that set the value.
func TestDoorsAreAskedInPartsAndEachIsRecordedAsItComes(t *testing.T) {
	for _, comesTo := range []int{0, 4, 1} {
		f := newFake()
		f.doors, f.comesTo = withDoors(5, 60), comesTo
		env := f.env(t)
		rotateOn(env, batchOf(upTo(60)...))
		require.Equal(t, rotationResult{Dead: 60}, result[rotationResult](t, env))
		require.Equal(t, []string{"Prepare", "RecordIntents", "Apply", "RecordResults", "Apply", "RecordResults"}, f.log[:6])
		require.Len(t, f.results[0].Applied, 5)
		recorded := map[int]int{}
		for _, r := range f.results {
			for _, a := range r.Applied {
				recorded[a.Index]++
				require.False(t, a.AtDoors)
				if f.doors[a.Index] {
					require.True(t, a.SetAt.Equal(setAt))
					require.Equal(t, []credential.Finding{{Code: credential.FindingConfirmed}}, a.Findings)
				}
			}
		}
		require.Len(t, recorded, 60)
		for i, n := range recorded {
			require.Equal(t, 1, n, "%d", i)
		}
		require.LessOrEqual(t, len(f.parts[0].Items), doorsAtFirst)
		for _, p := range f.parts {
			require.Equal(t, wire.DoorsNow, p.Doors)
			require.LessOrEqual(t, len(p.Items), maxDoors)
			for _, it := range p.Items {
				require.True(t, it.Sent)
				require.False(t, it.Fresh)
			}
		}
		require.Len(t, f.cleaned, 60)
	}
}

// Slow doors make no part larger.
func TestPartsOfSlowDoorsStaySmall(t *testing.T) {
	f := newFake()
	f.doors, f.takes["Apply"] = withDoors(0, 45), 2*time.Minute
	env := f.env(t)
	rotateOn(env, batchOf(upTo(45)...))
	require.Equal(t, 45, result[rotationResult](t, env).Dead)
	require.Len(t, f.parts, 5)
	for _, p := range f.parts {
		require.LessOrEqual(t, len(p.Items), doorsAtFirst)
	}
}

// A part whose worker dies for good is open, and nothing else: what was proved
// before is recorded, and the rest is asked.
func TestAPartThatGivesUpLeavesItselfOpenAlone(t *testing.T) {
	f := newFake()
	f.doors, f.dies, f.takes["Apply"] = withDoors(0, 40), 2, time.Minute
	env := f.env(t)
	rotateOn(env, batchOf(upTo(40)...))
	out := result[rotationResult](t, env)
	require.Equal(t, 30, out.Dead)
	require.Len(t, out.Open, doorsAtFirst)
	for i, it := range out.Open {
		require.Equal(t, doorsAtFirst+i, it.Index)
		require.True(t, it.Unheard, "a door may have refused the new value")
	}
	require.Len(t, f.cleaned, 30)
}

// An abort asks no door any more, and says what is half done.
func TestAnAbortAsksNoDoorThatWasNotBegun(t *testing.T) {
	f := newFake()
	f.doors, f.takes["RecordResults"] = withDoors(5, 40), time.Minute
	env := f.env(t)
	env.RegisterDelayedCallback(env.CancelWorkflow, 90*time.Second) // while the first part is recorded
	rotateOn(env, batchOf(upTo(40)...))
	out := result[rotationResult](t, env)
	require.Len(t, f.parts, 1)
	require.Equal(t, 5+doorsAtFirst, out.Dead)
	require.Len(t, f.cleaned, 5+doorsAtFirst)
	require.Len(t, out.Open, 25)
	for _, it := range out.Open {
		require.Equal(t, protocol.ReasonInterrupted, it.Reason)
		require.Equal(t, protocol.Prove, it.Step)
		require.True(t, halfDone(it), "an abort gives it one more pass")
	}
}
