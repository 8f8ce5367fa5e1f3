package workflows

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/workflow"
)

var firing = LauncherInput{Schedule: "weekly", Device: "esg-01", Actor: "schedule", Settings: settings}

func TestALauncherStaysUntilItsCampaignEnds(t *testing.T) {
	f := newFake(waveOf(0, 3))
	f.roll.Campaign = "esg-01-20260301T120000Z"
	env := f.env(t)
	env.ExecuteWorkflow(LauncherWorkflow, firing)
	out := result[Launched](t, env)
	require.Equal(t, Launched{Campaign: f.roll.Campaign, Outcome: "finished", Result: Result{Listed: 3, Excluded: 1, Dead: 3}}, out)
	require.Equal(t, "OpenScheduled", f.log[0], "the campaign has its specification before it starts")
	require.Equal(t, "schedule", f.recorded[0].Actor)
	require.Equal(t, []string{f.roll.Campaign}, f.closed)
}

func TestACampaignOfAScheduleStaysForNobody(t *testing.T) {
	f := human()
	f.roll.Campaign = "esg-01-20260301T120000Z"
	env := f.env(t)
	began := env.Now()
	in := firing
	in.Settings.Wait = 4 * time.Hour
	env.ExecuteWorkflow(LauncherWorkflow, in)
	require.Equal(t, 1, result[Launched](t, env).Result.Open)
	require.Less(t, env.Now().Sub(began), time.Hour)
}

func TestALauncherWhoseScheduleHasNoSpecificationFailsBeforeAnythingStarts(t *testing.T) {
	f := newFake(waveOf(0, 3))
	f.fails["OpenScheduled"] = broken("Vault")
	env := f.env(t)
	env.ExecuteWorkflow(LauncherWorkflow, firing)
	require.ErrorContains(t, env.GetWorkflowError(), "it is broken")
	require.Equal(t, []string{"OpenScheduled"}, f.log)
}

func TestALauncherFailsWithItsCampaign(t *testing.T) {
	f := newFake(waveOf(0, 3))
	f.roll.Campaign = "esg-01-20260301T120000Z"
	f.fails["List"] = broken("Sources")
	env := f.env(t)
	env.ExecuteWorkflow(LauncherWorkflow, firing)
	require.ErrorContains(t, env.GetWorkflowError(), "it is broken")
}

// Each firing is a campaign of its own name, so that its roll is listed afresh.
func TestEachFiringIsACampaignOfItsOwn(t *testing.T) {
	for _, row := range []struct {
		at   time.Time
		name string
	}{
		{time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC), "esg-01-20260301T040000Z"},
		{time.Date(2026, 3, 8, 4, 0, 0, 0, time.UTC), "esg-01-20260308T040000Z"},
	} {
		f := newFake(waveOf(0, 1))
		f.roll.Campaign = row.name
		env := f.env(t)
		env.SetStartTime(row.at)
		env.ExecuteWorkflow(LauncherWorkflow, firing)
		require.Equal(t, row.name, result[Launched](t, env).Campaign)
	}
}

func TestALauncherThatFindsACampaignOfItsDeviceRunningLeavesItAlone(t *testing.T) {
	f := newFake(waveOf(0, 3)).slowly()
	env := f.env(t)
	both := func(ctx workflow.Context) (Launched, error) {
		running := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
			WorkflowID: CampaignID("esg-01"),
		}), CampaignWorkflow, input)
		if err := running.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
			return Launched{}, err
		}
		var out Launched
		if err := workflow.ExecuteChildWorkflow(ctx, LauncherWorkflow, firing).Get(ctx, &out); err != nil {
			return out, err
		}
		return out, running.Get(ctx, nil)
	}
	env.RegisterWorkflowWithOptions(both, workflow.RegisterOptions{Name: "both"})
	env.ExecuteWorkflow("both")
	require.Equal(t, Launched{Outcome: "already-running"}, result[Launched](t, env))
	require.Equal(t, []string{"c1"}, f.closed, "a campaign of the same second has the same name: what was opened for nothing is closed by the next one")
}
