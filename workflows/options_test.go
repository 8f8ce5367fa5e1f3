package workflows

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
)

// A worker that collects the garbage of a large listing on a busy machine says
// nothing for longer than one that has a batch.
func TestAWorkerThatListsMayBeSilentLongerThanOneThatHasABatch(t *testing.T) {
	f := newFake(waveOf(0, 10))
	env := f.env(t)
	var mu sync.Mutex
	silent := map[string]time.Duration{}
	env.SetOnActivityStartedListener(func(info *activity.Info, _ context.Context, _ converter.EncodedValues) {
		mu.Lock()
		defer mu.Unlock()
		silent[info.ActivityType.Name] = info.HeartbeatTimeout
	})
	env.ExecuteWorkflow(CampaignWorkflow, CampaignInput{Campaign: "c1", Device: "esg-01", Settings: settings})
	require.NoError(t, env.GetWorkflowError())
	require.Equal(t, heartbeat, silent["Recheck"])
	require.Equal(t, 5*heartbeat, silent["List"])
}
