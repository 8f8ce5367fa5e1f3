package cli

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"rollcall/internal/ledger"
	"rollcall/workflows"
)

// requireOwnState refuses a local engine that another device's campaign lives
// on. Whoever started the engine does the work of all that is on it, with the
// ledger's folder of its own campaign file, and takes the engine along when it
// ends.
func (s *session) requireOwnState(ctx context.Context) error {
	switch {
	case !s.engine.Local:
		return nil
	case !s.engine.Started && s.engine.For != "" && s.engine.For != s.cfg.Device:
		return fmt.Errorf("the state folder %s is in use by a run for device %s, and one folder serves one device at a time: give this one its own with --state-dir %s; nothing was started",
			s.stateDir, s.engine.For, s.ownStateDir())
	case !s.engine.Started:
		return nil
	}
	left, err := s.engine.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
		Query: fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running'", workflows.CampaignWorkflow),
	})
	if err != nil {
		return fmt.Errorf("asking the engine in %s for its campaigns: %w", s.stateDir, err)
	}
	for _, w := range left.Executions {
		device := strings.TrimPrefix(w.GetExecution().GetWorkflowId(), workflows.CampaignID(""))
		if device != s.cfg.Device {
			return fmt.Errorf("campaign %s of device %s was left in the state folder %s: go on with it by `rollcall run` and its campaign file, or give device %s a folder of its own with --state-dir %s; nothing was started",
				cmp.Or(campaignOf(w), "of that folder"), device, s.stateDir, s.cfg.Device, s.ownStateDir())
		}
	}
	return s.requireLedger(ctx)
}

func (s *session) ownStateDir() string { return filepath.Join(s.stateDir, s.cfg.Device) }

// requireLedger refuses to go on with a campaign whose ledger is not where this
// campaign file says, before anything is set that could not be recorded.
func (s *session) requireLedger(ctx context.Context) error {
	d, err := s.describe(ctx)
	if err != nil || d == nil || d.WorkflowExecutionInfo.Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return err
	}
	campaign := campaignOf(d.WorkflowExecutionInfo)
	if campaign == "" {
		return nil
	}
	anchored, err := s.store.Anchored(ctx, campaign)
	if err != nil || anchored == nil {
		return err
	}
	key, err := s.store.VerifierKey(ctx, ledger.Origin(campaign))
	if err != nil {
		return err
	}
	if err := ledger.CheckAnchored(s.ledgerDir(campaign), key, anchored); err != nil {
		return fmt.Errorf("campaign %s cannot go on: %w", campaign, err)
	}
	return nil
}
