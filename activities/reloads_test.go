package activities

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/notify/settings"
	"rollcall/internal/wire"
)

// The engine may be away for a moment: then it is told once more. Nobody is
// told of what no hook reads, and of no attempt twice.
func TestWhatIsActivatedIsToldWhileTheBatchIsWorkedOnAndOnceForEachAttempt(t *testing.T) {
	page := make([]credential.Credential, 4)
	for i, path := range []string{"apps/a", "apps/b", "else/c", "apps/d"} {
		page[i] = credential.Credential{ID: path, Paths: []credential.Path{{Mount: "kv", Path: path, Field: "password"}}}
	}
	spec := &config.Campaign{UsedBy: []settings.UsedBy{
		{Path: "kv/apps/*", Consumers: []string{"postfix"}, Reload: &settings.Target{Name: "postfix"}},
		{Path: "kv/else/*", Consumers: []string{"a person"}},
	}}
	items := []wire.ApplyItem{{Index: 0}, {Index: 1}, {Index: 2}}
	r := &Rotation{}
	require.Nil(t, r.activations(spec, wire.Batch{Campaign: "c1"}, page, items[2:]), "a person reads it: nothing is to be run")
	var mu sync.Mutex
	var told []wire.ActivatedInput
	away, heard := 1, make(chan struct{}, 10)
	run := func(do func(a *activations)) {
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivityWithOptions(func(ctx context.Context) error {
			a := r.activations(spec, wire.Batch{Campaign: "c1"}, page, items)
			a.send = func(_ context.Context, in wire.ActivatedInput) error {
				mu.Lock()
				defer mu.Unlock()
				if away > 0 {
					away--
					return errors.New("the engine is away")
				}
				told = append(told, in)
				heard <- struct{}{}
				return nil
			}
			stop := a.follow(ctx)
			do(a)
			stop()
			return nil
		}, activity.RegisterOptions{Name: "batch"})
		_, err := env.ExecuteActivity("batch")
		require.NoError(t, err)
	}
	run(func(a *activations) {
		a.add(page[2], wire.Applied{Attempt: 1, To: []int{7}})
		a.add(page[0], wire.Applied{Attempt: 1, To: []int{2}})
		select {
		case <-heard: // while it is worked on, and although the first time failed
		case <-time.After(time.Minute):
			require.Fail(t, "nobody was told before the batch was through")
		}
		a.add(page[1], wire.Applied{Attempt: 1, To: []int{3}})
	})
	require.Equal(t, []wire.ActivatedInput{
		{Batch: wire.Batch{Campaign: "c1"}, Items: []wire.ActivatedItem{{Index: 0, Attempt: 1, To: []int{2}}}},
		{Batch: wire.Batch{Campaign: "c1"}, Items: []wire.ActivatedItem{{Index: 1, Attempt: 1, To: []int{3}}}},
	}, told)
	run(func(a *activations) { // the next pass looks again
		a.add(page[0], wire.Applied{Attempt: 1, To: []int{2}})
		a.add(page[1], wire.Applied{Attempt: 2, To: []int{4}})
	})
	require.Len(t, told, 3)
	require.Equal(t, []wire.ActivatedItem{{Index: 1, Attempt: 2, To: []int{4}}}, told[2].Items)
}
