package workflows

import (
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

// Register makes a worker serve every workflow under the names of names.go.
func Register(w worker.WorkflowRegistry) {
	for name, fn := range map[string]any{
		CampaignWorkflow: Campaign,
		WaveWorkflow:     Wave,
		LauncherWorkflow: Launcher,
		TasksWorkflow:    Tasks,
	} {
		w.RegisterWorkflowWithOptions(fn, workflow.RegisterOptions{Name: name})
	}
}
