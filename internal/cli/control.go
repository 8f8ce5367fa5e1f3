package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"rollcall/internal/report"
	"rollcall/workflows"
)

func (a *app) pauseCommand() *cobra.Command {
	return a.control(workflows.UpdatePause, "Begin no further batch; what is in hand is finished", "paused")
}

func (a *app) resumeCommand() *cobra.Command {
	return a.control(workflows.UpdateResume, "Go on with a paused campaign", "resumed")
}

// control is the command of an update that takes nothing but who asks.
func (a *app) control(update, short, done string) *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: update, Short: short, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.ask(cmd, &out, update, actor(), func(st workflows.Status) string {
				return done + ": campaign " + st.Campaign
			})
		},
	}
	out.flag(c)
	return c
}

// ask sends an update and prints its answer. The campaign's validator
// refuses what makes no sense, and then nothing is changed.
func (a *app) ask(cmd *cobra.Command, out *output, update string, arg any, done func(workflows.Status) string) error {
	return a.askFor(cmd, out, update, "", arg, done)
}

// askFor is ask with a reason (--reason), which may hold no secret.
func (a *app) askFor(cmd *cobra.Command, out *output, update, reason string, arg any, done func(workflows.Status) string) error {
	return a.askWith(cmd, out, update, reason, asIs(arg), done)
}

// answer is what a campaign says of itself once it has taken up a request, with
// the keys of status.
type answer struct {
	report.Status
	Again   *workflows.ListedAgain `json:"again,omitempty"`
	Problem string                 `json:"problem,omitempty"`
}

func saysNow(st workflows.Status) answer {
	a := answer{Status: countsOnly(st), Again: st.Again, Problem: st.Problem}
	a.WaitsFor, _ = waits(st, time.UTC)
	return a
}

// argument makes what goes with an update, where the campaign can be asked.
type argument func(context.Context, *session) (any, error)

func asIs(arg any) argument { return func(context.Context, *session) (any, error) { return arg, nil } }

func (a *app) askWith(cmd *cobra.Command, out *output, update, reason string, arg argument, done func(workflows.Status) string) error {
	asJSON, err := out.json()
	if err != nil {
		return err
	}
	a.controls = true
	ctx := cmd.Context()
	return a.withTemporal(ctx, false, cannot(update, errNoCampaignHere), func(s *session) error {
		if err := s.holdsValue(ctx, "--reason", reason); err != nil {
			return cannot(update, err)
		}
		with, err := arg(ctx, s)
		if err != nil {
			return err
		}
		st, err := s.update(ctx, update, with)
		if err != nil {
			return s.refused(ctx, update, err)
		}
		if asJSON {
			return printJSON(a.Out, saysNow(st))
		}
		fmt.Fprintln(a.Out, done(st))
		return nil
	})
}

// cannot says what a command could not do, and why.
func cannot(update string, why error) error { return fmt.Errorf("cannot %s: %w", update, why) }

// answerTimeout bounds the wait for an answer, which takes a moment where both
// kinds of worker are up. noteAfter is when somebody who waits is told why.
const (
	answerTimeout = time.Minute
	noteAfter     = 3 * time.Second
)

// errNoAnswer: Temporal has the request and may still hand it to the campaign.
var errNoAnswer = errors.New("no answer yet; the request may still be carried out: look with `rollcall status`")

func (s *session) update(ctx context.Context, name string, arg any) (workflows.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	defer s.sayMeanwhile(ctx, workflows.CampaignID(s.cfg.Device))()
	var st workflows.Status
	handle, err := s.engine.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: workflows.CampaignID(s.cfg.Device), UpdateName: name, Args: []any{arg},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, &st)
	}
	if err != nil && ctx.Err() != nil {
		err = errNoAnswer
	}
	return st, err
}

// noneRuns is that no campaign of the device runs on this Temporal, and what
// became of the last one, or where it runs, as far as Vault knows.
func (s *session) noneRuns(ctx context.Context) error {
	known := s.whoseElse(ctx)
	if known == "" {
		return fmt.Errorf("no campaign is running for device %s", s.cfg.Device)
	}
	return fmt.Errorf("no campaign is running for device %s on the Temporal at %s%s", s.cfg.Device, s.engine.Address, known)
}

func (s *session) refused(ctx context.Context, update string, err error) error {
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return fmt.Errorf("cannot %s: %w", update, s.noneRuns(ctx))
	}
	var why *temporal.ApplicationError
	if errors.As(err, &why) {
		return fmt.Errorf("cannot %s: %s", update, why.Message())
	}
	return cannot(update, err)
}
