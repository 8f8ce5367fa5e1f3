package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"rollcall/workflows"
)

func (a *app) pauseCommand() *cobra.Command {
	return a.control(workflows.UpdatePause, "Begin no further batch; what is in hand is finished", "paused")
}

func (a *app) resumeCommand() *cobra.Command {
	return a.control(workflows.UpdateResume, "Go on with a paused campaign", "resumed")
}

func (a *app) abortCommand() *cobra.Command {
	return a.control(workflows.UpdateAbort, "End the campaign: finish what lies between set and proof, never go back", "aborting")
}

// control sends an update and prints its answer. The campaign's validator
// refuses what makes no sense, and then nothing is changed.
func (a *app) control(update, short, done string) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: update, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			s, err := a.openVault(ctx)
			if err != nil {
				return err
			}
			defer s.close()
			if err := s.connect(ctx, false); err != nil {
				return s.refused(update, err)
			}
			handle, err := s.engine.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
				WorkflowID: workflows.CampaignID(s.cfg.Device), UpdateName: update, Args: []any{actor()},
				WaitForStage: client.WorkflowUpdateStageCompleted,
			})
			var st workflows.Status
			if err == nil {
				err = handle.Get(ctx, &st)
			}
			if err != nil {
				return s.refused(update, err)
			}
			if asJSON {
				return printJSON(a.Out, st)
			}
			fmt.Fprintf(a.Out, "%s: campaign %s\n", done, st.Campaign)
			return nil
		},
	}
	out.flag(c)
	return c
}

func (s *session) refused(update string, err error) error {
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return fmt.Errorf("cannot %s: no campaign is running for device %s", update, s.cfg.Device)
	}
	var why *temporal.ApplicationError
	if errors.As(err, &why) {
		return fmt.Errorf("cannot %s: %s", update, why.Message())
	}
	return fmt.Errorf("cannot %s: %w", update, err)
}
