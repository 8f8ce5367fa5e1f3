package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"rollcall/internal/listing"
	"rollcall/internal/report"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
	"rollcall/workflows"
)

// catchUp is how late a run may still start after the cluster was away. The
// default of Temporal is a year.
const catchUp = 6 * time.Hour

func (a *app) scheduleCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "schedule",
		Short: "Re-rotate on a schedule; the roll is listed afresh at each run",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	c.AddCommand(a.scheduleCreate(), a.scheduleList(), a.scheduleTrigger(), a.scheduleDelete())
	return c
}

func (a *app) scheduleCreate() *cobra.Command {
	var every time.Duration
	var cron, zone string
	c := &cobra.Command{
		Use:   "create",
		Short: "Run the campaign file every so often",
		Long: `create stores the campaign file in Vault and has Temporal start a campaign from it.
Later changes to the file do not reach the schedule: delete and create it again.

A run that is due while a campaign of the device runs is skipped, also while that waits for people;
schedule list says so. Its manifests
and the answers to the device's profile stay as they are today; directories and Vault are read
afresh each time. A run ends before it changes anything where a newer build's profile has lines
that nobody was asked about, where an answer "later" has fallen due, or where the device answers
at an address of it. There is no --override here, and no --unfit-doors: they would hold for every
run to come.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			spec := client.ScheduleSpec{TimeZoneName: zone}
			switch {
			case (every > 0) == (cron != ""):
				return errors.New("give either --every or --cron")
			case every > 0 && every < time.Minute:
				return errors.New("--every: the shortest interval is a minute")
			case every > 0:
				spec.Intervals = []client.ScheduleIntervalSpec{{Every: every}}
			default:
				spec.CronExpressions = []string{cron}
			}
			return a.withTemporal(cmd.Context(), false, errNeedsServer, func(s *session) error { return s.createSchedule(cmd, spec) })
		},
	}
	a.unansweredFlag(c)
	c.Flags().DurationVar(&every, "every", 0, "interval, such as 24h")
	c.Flags().StringVar(&cron, "cron", "", "cron expression, such as \"30 2 * * 0\"")
	c.Flags().StringVar(&zone, "time-zone", "UTC", "time zone of the cron expression")
	return c
}

func (s *session) createSchedule(cmd *cobra.Command, when client.ScheduleSpec) error {
	ctx, id := cmd.Context(), scheduleID(s.cfg.Device)
	if s.engine.Local {
		return errNeedsServer
	}
	s.forEver = true
	found, _ := listing.FindServers(ctx, s.kinds, s.cfg) // each run looks for them, and says so
	if err := s.requireContainment(ctx, found); err != nil {
		return err
	}
	if err := s.requireAnswers(ctx); err != nil {
		return err
	}
	s.cfg.Scheduled = true
	spec, err := json.Marshal(s.cfg)
	if err != nil {
		return err
	}
	if err := s.store.SaveSpec(ctx, ownmount.ScheduleSpec(id), spec); err != nil {
		if vault.IsCASMismatch(err) {
			return fmt.Errorf("device %s has a schedule already: delete it first with `rollcall schedule delete`", s.cfg.Device)
		}
		return err
	}
	_, err = s.engine.ScheduleClient().Create(ctx, client.ScheduleOptions{
		ID: id, Spec: when, Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP, CatchupWindow: catchUp,
		Action: &client.ScheduleWorkflowAction{
			ID: id, Workflow: workflows.LauncherWorkflow, TaskQueue: wire.RotationQueue,
			Args: []any{workflows.LauncherInput{Schedule: id, Device: s.cfg.Device, Actor: actor(), Settings: settings(s.cfg), Searchable: s.engine.Searchable(ctx)}},
		},
	})
	if err != nil {
		if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
			_ = s.store.DeleteSpec(ctx, ownmount.ScheduleSpec(id))
		}
		var refused *serviceerror.InvalidArgument
		if errors.As(err, &refused) {
			return fmt.Errorf("refused: Temporal cannot read --cron or --time-zone: %s; nothing was created", refused.Message)
		}
		return fmt.Errorf("creating the schedule: %w", err)
	}
	fmt.Fprintln(s.Out, id)
	return nil
}

// errNeedsServer: the local engine ends with the run that started it.
var errNeedsServer = errors.New("a schedule needs a Temporal server that stays up, and workers: set TEMPORAL_ADDRESS")

func scheduleID(device string) string { return "schedule/" + device }

func (a *app) scheduleList() *cobra.Command {
	var out output
	c := &cobra.Command{
		Use: "list", Short: "List Rollcall's schedules", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			asJSON, err := out.json()
			if err != nil {
				return err
			}
			a.controls = true
			return a.withTemporal(cmd.Context(), false, errNeedsServer, func(s *session) error {
				rows, err := s.schedules(cmd)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(a.Out, rows)
				}
				if len(rows) == 0 {
					a.say("no schedules at %s", s.engine.Address)
					return nil
				}
				t := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(t, "SCHEDULE\tRUNS\tSKIPPED\tNEXT\tPAUSED")
				for _, r := range rows {
					fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%t\n", r.ID, r.Runs, r.Skipped, r.Next, r.Paused)
				}
				if err := t.Flush(); err != nil {
					return err
				}
				width, _ := terminal(a.Out)
				for _, r := range rows {
					if r.Skips != "" {
						fmt.Fprint(a.Out, report.Wrap(report.Clean(r.ID+": "+r.Skips), "", width))
					}
				}
				return nil
			})
		},
	}
	out.flag(c)
	return c
}

type scheduleRow struct {
	ID      string `json:"id"`
	Runs    int    `json:"runs"`
	Skipped int    `json:"skipped"`
	Next    string `json:"next,omitempty"`
	Paused  bool   `json:"paused"`
	// Skips is why a run that is due now is skipped.
	Skips string `json:"skips,omitempty"`
}

// skips is why a run of a device's schedule would be skipped now: another
// campaign of it is open. One that waits for people alone may be for days.
func (s *session) skips(ctx context.Context, device string) string {
	d, err := s.engine.DescribeWorkflowExecution(ctx, workflows.CampaignID(device), "")
	if err != nil || d.WorkflowExecutionInfo.Status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return ""
	}
	why := "runs that are due are skipped while campaign " + cmp.Or(campaignOf(d.WorkflowExecutionInfo), "of the device") + " runs"
	within, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	v, err := s.engine.QueryWorkflow(within, workflows.CampaignID(device), "", workflows.QueryStatus)
	var st workflows.Status
	if err != nil || v.Get(&st) != nil || !st.People {
		return why
	}
	return "runs that are due are skipped while campaign " + st.Campaign + " waits for people, and for nothing else: they say `rollcall tasks done`, or `rollcall abort` ends it, which leaves what is open to the next run"
}

func (s *session) schedules(cmd *cobra.Command) ([]scheduleRow, error) {
	ctx := cmd.Context()
	list, err := s.engine.ScheduleClient().List(ctx, client.ScheduleListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing schedules: %w", err)
	}
	rows := []scheduleRow{}
	for list.HasNext() {
		e, err := list.Next()
		if err != nil {
			return nil, fmt.Errorf("listing schedules: %w", err)
		}
		if e.WorkflowType.Name != workflows.LauncherWorkflow {
			continue
		}
		d, err := s.engine.ScheduleClient().GetHandle(ctx, e.ID).Describe(ctx)
		if err != nil {
			return nil, fmt.Errorf("schedule %s: %w", e.ID, err)
		}
		row := scheduleRow{ID: e.ID, Runs: d.Info.NumActions, Skipped: d.Info.NumActionsSkippedOverlap, Paused: d.Schedule.State.Paused}
		if len(d.Info.NextActionTimes) > 0 {
			row.Next = d.Info.NextActionTimes[0].UTC().Format(time.RFC3339)
		}
		row.Skips = s.skips(ctx, strings.TrimPrefix(e.ID, scheduleID("")))
		rows = append(rows, row)
	}
	return rows, nil
}

func (a *app) scheduleTrigger() *cobra.Command {
	return &cobra.Command{
		Use: "trigger", Short: "Run the schedule now", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.controls = true
			return a.withTemporal(cmd.Context(), false, errNeedsServer, func(s *session) error {
				err := s.engine.ScheduleClient().GetHandle(cmd.Context(), scheduleID(s.cfg.Device)).Trigger(cmd.Context(), client.ScheduleTriggerOptions{
					Overlap: enumspb.SCHEDULE_OVERLAP_POLICY_SKIP,
				})
				if err = s.scheduleError("triggering", err); err == nil {
					a.say("triggered; `rollcall watch` follows the campaign once it is there")
				}
				return err
			})
		},
	}
}

func (a *app) scheduleDelete() *cobra.Command {
	return &cobra.Command{
		Use: "delete", Short: "Delete the schedule; a running campaign goes on", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.controls = true
			return a.withTemporal(cmd.Context(), false, errNeedsServer, func(s *session) error {
				id := scheduleID(s.cfg.Device)
				err := s.engine.ScheduleClient().GetHandle(cmd.Context(), id).Delete(cmd.Context())
				// What a failed create left in Vault goes too.
				err = errors.Join(s.scheduleError("deleting", err), s.store.DeleteSpec(cmd.Context(), ownmount.ScheduleSpec(id)))
				if err == nil {
					a.say("deleted %s", id)
				}
				return err
			})
		},
	}
}

func (s *session) scheduleError(doing string, err error) error {
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return fmt.Errorf("device %s has no schedule", s.cfg.Device)
	}
	if err != nil {
		return fmt.Errorf("%s the schedule: %w", doing, err)
	}
	return nil
}
