package activities

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"rollcall/internal/protocol"
)

// run is one call of each inside an activity, and what it did.
type run struct {
	n, width int
	do       func(ctx context.Context, i int) *protocol.Stop

	stop  chan struct{} // closed: the worker stops
	beats atomic.Int64

	mu      sync.Mutex
	begun   []int
	skipped map[int]protocol.Reason
	most    int // at the same time
}

// in runs it with ctx as the activity's context.
func (r *run) in(t *testing.T, ctx context.Context) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetWorkerOptions(worker.Options{BackgroundActivityContext: ctx})
	if r.stop == nil {
		r.stop = make(chan struct{})
	}
	env.SetWorkerStopChannel(r.stop)
	env.SetOnActivityHeartbeatListener(func(*activity.Info, converter.EncodedValues) { r.beats.Add(1) })
	r.skipped = map[int]protocol.Reason{}
	now := 0
	env.RegisterActivityWithOptions(func(ctx context.Context) error {
		each(ctx, r.n, r.width, func(ctx context.Context, i int) *protocol.Stop {
			r.mu.Lock()
			r.begun = append(r.begun, i)
			now++
			r.most = max(r.most, now)
			r.mu.Unlock()
			defer func() { r.mu.Lock(); now--; r.mu.Unlock() }()
			if r.do == nil {
				return nil
			}
			return r.do(ctx, i)
		}, func(i int, why *protocol.Stop) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.skipped[i] = why.Reason
		})
		return nil
	}, activity.RegisterOptions{Name: "batch"})
	ended := make(chan error, 1)
	go func() {
		_, err := env.ExecuteActivity("batch")
		ended <- err
	}()
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(time.Minute):
		require.Fail(t, "the batch never ended")
	}
}

func TestEveryCredentialOfABatchIsWorkedOnOnceAndNoMoreThanWidthAtATime(t *testing.T) {
	for _, width := range []int{0, 1, 3, 8, 100} {
		gate := make(chan struct{})
		want := int64(min(max(width, 1), 20))
		var inside atomic.Int64
		r := &run{n: 20, width: width, do: func(context.Context, int) *protocol.Stop {
			// The first ones wait until as many as may are inside.
			if inside.Add(1) == want {
				close(gate)
			}
			<-gate
			return nil
		}}
		r.in(t, t.Context())
		require.Len(t, r.begun, 20)
		require.ElementsMatch(t, indexes(0, 20), r.begun)
		require.Equal(t, int(want), r.most, "width %d", width)
		require.Empty(t, r.skipped)
	}
}

func TestABatchOfACancelledActivityBeginsNothingNewAndFinishesWhatIsInHand(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := &run{n: 30, width: 4}
	var finished atomic.Int64
	var inside sync.WaitGroup
	inside.Add(4)
	r.do = func(ctx context.Context, i int) *protocol.Stop {
		inside.Done()
		inside.Wait()
		cancel()
		if ctx.Err() == nil {
			finished.Add(1)
		}
		_, bounded := ctx.Deadline()
		if !bounded {
			finished.Add(-100)
		}
		return nil
	}
	r.in(t, ctx)
	require.Len(t, r.begun, 4)
	require.EqualValues(t, 4, finished.Load(), "those in hand have a context of their own, with an end")
	require.Len(t, r.skipped, 26)
	for _, reason := range r.skipped {
		require.Equal(t, protocol.ReasonInterrupted, reason)
	}
}

func TestAWorkerThatStopsFinishesWhatIsInHand(t *testing.T) {
	r := &run{n: 30, width: 4, stop: make(chan struct{})}
	var once sync.Once
	var inside sync.WaitGroup
	inside.Add(4)
	r.do = func(ctx context.Context, i int) *protocol.Stop {
		inside.Done()
		inside.Wait()
		once.Do(func() { close(r.stop) })
		<-r.stop
		if ctx.Err() != nil {
			return &protocol.Stop{Reason: protocol.ReasonInternal}
		}
		return nil
	}
	r.in(t, t.Context())
	require.Len(t, r.begun, 4)
	require.Len(t, r.skipped, 26)
}

func TestABatchStopsTryingAnAuthorityThatIsGone(t *testing.T) {
	gone := &protocol.Stop{Reason: protocol.ReasonUnreachable, Server: "ldap1"}
	// More are left than may run at once: none of them may wait for the others.
	r := &run{n: 100, width: 4, do: func(context.Context, int) *protocol.Stop { return gone }}
	r.in(t, t.Context())
	require.GreaterOrEqual(t, len(r.begun), unreachableLimit)
	require.LessOrEqual(t, len(r.begun), unreachableLimit+4)
	require.Len(t, r.skipped, 100-len(r.begun))
	for _, reason := range r.skipped {
		require.Equal(t, protocol.ReasonUnreachable, reason, "it is open for the reason that the others met")
	}
}

func TestABatchGoesOnWhileSomethingGetsThrough(t *testing.T) {
	for name, stop := range map[string]*protocol.Stop{
		"dead":                      nil,
		"locked":                    {Reason: protocol.ReasonLocked},
		"refused by the directory":  {Reason: protocol.ReasonRights},
		"a lagging replica is seen": {Reason: protocol.ReasonLagging},
	} {
		r := &run{n: 60, width: 1, do: func(_ context.Context, i int) *protocol.Stop { // width 1: in a row
			if i%5 == 3 {
				return stop
			}
			return &protocol.Stop{Reason: protocol.ReasonVault}
		}}
		r.in(t, t.Context())
		require.Len(t, r.begun, 60, name)
	}
}

// What got through before an outage says nothing of the time after it.
func TestABatchStopsTryingWhatWentAwayInTheMiddle(t *testing.T) {
	for _, reason := range []protocol.Reason{protocol.ReasonUnreachable, protocol.ReasonVault, protocol.ReasonThrottled, protocol.ReasonVaultLogin} {
		var went sync.WaitGroup // one that goes well late would have the failures counted anew
		went.Add(30)
		r := &run{n: 100, width: 4, do: func(_ context.Context, i int) *protocol.Stop {
			if i < 30 {
				went.Done()
				return nil
			}
			went.Wait()
			return &protocol.Stop{Reason: reason}
		}}
		r.in(t, t.Context())
		require.LessOrEqual(t, len(r.begun), 30+unreachableLimit+4, reason)
		for _, why := range r.skipped {
			require.Equal(t, reason, why)
		}
	}
}

// Vault answers for each of these, and is well.
func TestWhatIsOfSingleSecretsKeepsTheOthersFromNothing(t *testing.T) {
	for _, reason := range []protocol.Reason{"unusable-value", protocol.ReasonVaultRights, protocol.ReasonVaultRefuse, protocol.ReasonNotActive} {
		r := &run{n: 60, width: 1, do: func(_ context.Context, i int) *protocol.Stop {
			if i < 24 {
				return &protocol.Stop{Reason: reason}
			}
			return nil
		}}
		r.in(t, t.Context())
		require.Len(t, r.begun, 60, reason)
	}
}

func TestABatchHeartbeatsFromTheStart(t *testing.T) {
	r := &run{n: 1, width: 1}
	r.do = func(context.Context, int) *protocol.Stop {
		for r.beats.Load() == 0 {
			select {
			case <-time.After(time.Millisecond):
			case <-t.Context().Done():
				return nil
			}
		}
		return nil
	}
	r.in(t, t.Context())
	require.Positive(t, r.beats.Load())
}

func indexes(from, to int) (out []int) {
	for i := from; i < to; i++ {
		out = append(out, i)
	}
	return out
}
