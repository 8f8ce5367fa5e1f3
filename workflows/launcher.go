package workflows

import (
	"errors"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/wire"
)

// LauncherInput is what a schedule starts with.
type LauncherInput struct {
	Schedule string   `json:"schedule"` // its specification is in Vault under this name
	Device   string   `json:"device"`
	Actor    string   `json:"actor,omitempty"`
	Settings Settings `json:"settings"`
	// Searchable: the cluster knows our search attributes.
	Searchable bool `json:"searchable,omitempty"`
}

// Launched is what one firing of a schedule came to.
type Launched struct {
	Campaign string `json:"campaign,omitempty"`
	Outcome  string `json:"outcome"` // finished, or already-running
	Result   Result `json:"result,omitzero"`
}

// Launcher starts a campaign for a schedule and stays until it ends, so that
// the schedule's overlap policy sees it. A campaign of the device that runs
// already is an outcome, not an error. The roll is listed afresh each time.
func Launcher(ctx workflow.Context, in LauncherInput) (Launched, error) {
	id := credential.CampaignID(in.Device, workflow.Now(ctx))
	err := workflow.ExecuteActivity(onRotation(ctx), wire.DoOpenScheduled, wire.ScheduledInput{
		Schedule: in.Schedule, Campaign: id, Device: in.Device, Actor: in.Actor,
	}).Get(ctx, nil)
	if heldByAnother(err) {
		return Launched{Outcome: "already-running"}, nil
	}
	if err != nil {
		return Launched{}, err
	}
	child := workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID: CampaignID(in.Device),
		TaskQueue:  wire.RotationQueue,

		TypedSearchAttributes: SearchAttributes(in.Searchable, in.Device, id),
		// A launcher that is terminated leaves its campaign alone.
		ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_ABANDON,
	})
	settings := in.Settings
	settings.Wait = 0 // nobody watches it, and runs that are due would be skipped
	future := workflow.ExecuteChildWorkflow(child, CampaignWorkflow, CampaignInput{
		Campaign: id, Device: in.Device, Actor: in.Actor, Settings: settings,
	})
	if err := future.GetChildWorkflowExecution().Get(ctx, nil); err != nil {
		// The record that was opened is left to the next campaign to close: one
		// that a person started in the same second has the same name.
		if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
			return Launched{Outcome: "already-running"}, nil
		}
		return Launched{}, err
	}
	out := Launched{Campaign: id, Outcome: "finished"}
	err = future.Get(ctx, &out.Result)
	return out, err
}

// heldByAnother: a campaign of the device lives, here or on another Temporal.
func heldByAnother(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.Type() == wire.Held
}
