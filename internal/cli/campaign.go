package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/listing"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup"
	"rollcall/internal/wire"
	"rollcall/workflows"
)

// errBusy: the device has a running campaign.
var errBusy = errors.New("a campaign is running")

// start makes a campaign and starts its workflow. errBusy when the device has
// one. If it fails before the workflow starts, nothing is left that would
// disturb a later start.
func (s *session) start(ctx context.Context) (string, error) {
	if err := s.preflight(ctx); err != nil {
		return "", err
	}
	if err := s.begin(ctx); err != nil {
		return "", err
	}
	spec, err := json.Marshal(s.cfg)
	if err != nil {
		return "", err
	}
	id, err := s.open(ctx, spec)
	if err != nil {
		return "", err
	}
	_, err = s.engine.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       workflows.CampaignID(s.cfg.Device),
		TaskQueue:                                wire.RotationQueue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes:                    workflows.SearchAttributes(s.engine.Searchable(ctx), s.cfg.Device, id),
	}, workflows.CampaignWorkflow, workflows.CampaignInput{
		Campaign: id, Device: s.cfg.Device, Actor: actor(), Settings: settings(s.cfg),
	})
	if err != nil {
		var running *serviceerror.WorkflowExecutionAlreadyStarted
		if errors.As(err, &running) {
			_ = s.store.CloseCampaign(ctx, id) // left open it would look alive for a while
			return "", s.busy(ctx)
		}
		// The record stays open, and the next campaign closes it: the workflow
		// may run although its answer was lost.
		return "", fmt.Errorf("starting the campaign: %w", err)
	}
	s.leftOpen()
	return id, nil
}

// begin takes what is to be tried first into the specification, and shows
// whoever can be asked what would be done. Either needs a listing.
func (s *session) begin(ctx context.Context) error {
	if s.first.Given() {
		s.cfg.First = &s.first.Selection
	}
	if !s.first.Given() && !s.asks() {
		return nil
	}
	roll, err := s.listed(ctx)
	if err != nil {
		return fmt.Errorf("%w; nothing was started", err)
	}
	what := sumOf(s.cfg.Device, changesOf(roll))
	if s.first.Given() {
		first, err := s.firstOf(ctx, roll)
		if err != nil {
			return fmt.Errorf("%w; nothing was started", err)
		}
		what += ". " + first
	}
	earlier, err := s.store.Campaigns(ctx, s.cfg.Device)
	if err != nil {
		return fmt.Errorf("%w; nothing was started", err)
	}
	if s.ends != "" {
		what += ". " + s.ends
	} else if text := endedBefore(earlier); text != "" && s.asks() {
		what, s.toldEnded = what+". Campaign"+strings.TrimPrefix(text, "campaign"), true
	}
	if text := nobodySeesTo(s.cfg, roll.Credentials); text != "" {
		what += ". N" + text[1:]
	}
	return s.confirm(ctx, what, s.cfg.Device)
}

// newCampaign names a campaign after its device and second. A second that an
// earlier one has taken is left to it.
func newCampaign(device string, now time.Time, earlier []ownmount.CampaignRecord) string {
	for ; ; now = now.Add(time.Second) {
		id := credential.CampaignID(device, now)
		if !slices.ContainsFunc(earlier, func(c ownmount.CampaignRecord) bool { return c.Campaign == id }) {
			return id
		}
	}
}

// busy is errBusy with whose campaign it is.
func (s *session) busy(ctx context.Context) error {
	whose := ""
	if running, err := s.running(ctx); err == nil && running != nil {
		whose = ": campaign " + running.Campaign + s.startedBy(ctx, running.Campaign)
	}
	return fmt.Errorf("%w for device %s already%s; follow it with `rollcall watch`, or end it with `rollcall abort`", errBusy, s.cfg.Device, whose)
}

// startedBy says who began a campaign, and when, as Vault has it; empty where
// that is not known.
func (s *session) startedBy(ctx context.Context, campaign string) string {
	was, found, err := s.store.LookAt(ctx, campaign)
	if err != nil || !found || was.Actor == "" {
		return ""
	}
	return fmt.Sprintf(", started by %s at %s UTC", was.Actor, was.OpenedAt.UTC().Format(time.DateTime))
}

// preflight finds at once what would otherwise end the campaign while it
// lists: a campaign that runs already, a write server that does not answer or
// refuses the worker's identity. A replica that is down must not keep a
// campaign from starting.
func (s *session) preflight(ctx context.Context) error {
	status, err := s.workflowStatus(ctx)
	if err != nil {
		return err
	}
	if status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return s.busy(ctx)
	}
	found, err := listing.FindServers(ctx, s.kinds, s.cfg)
	if err := s.requireContainment(ctx, found); err != nil {
		return err
	}
	spec := found.Of(s.cfg)
	for _, name := range s.cfg.Authorities() {
		if err != nil {
			break
		}
		d, unusable := s.kinds.System(spec, name)
		if err = unusable; err == nil {
			err = d.Ready(ctx)
		}
	}
	if err == nil {
		err = listing.Fit(ctx, s.kinds, spec)
	}
	if err == nil {
		err = listing.Names(ctx, s.store, s.kinds, spec)
	}
	if err != nil {
		return fmt.Errorf("%w; nothing was started", err)
	}
	if m := s.ownMount(ctx); !m.OK {
		return fmt.Errorf("%s; nothing was started; %s", m.Detail, m.Do)
	}
	if a := setup.Audit(ctx, s.store, s.cfg, nil); !a.OK {
		return fmt.Errorf("%s; nothing was started; %s", a.Detail, a.Do)
	}
	for _, p := range setup.PasswordPolicies(ctx, s.store, s.cfg) {
		if !p.OK {
			return fmt.Errorf("%s; nothing was started; %s", p.Detail, p.Do)
		}
	}
	if err := s.requireAnswers(ctx); err != nil {
		return err
	}
	return s.mayStart(ctx)
}

// batchOf is the file's size of a batch, or 0 for the default. Under a rate
// limit a batch takes long whatever its kind, and what was done is recorded at
// its end: there it stays small.
func batchOf(c *config.Campaign) int {
	if c.Limits.Batch > 0 {
		return c.Limits.Batch
	}
	for _, name := range c.Authorities() {
		if c.Authority(name).Limits().RatePerSecond > 0 {
			return workflows.DefaultBatch
		}
	}
	return 0
}

// waitOf is how long a campaign stays for a person; 0: it ends.
func waitOf(c *config.Campaign) time.Duration {
	if c.Open == nil {
		return 0
	}
	return time.Duration(c.Open.Wait)
}

func settings(c *config.Campaign) workflows.Settings {
	return workflows.Settings{
		Wait:  waitOf(c),
		Batch: batchOf(c), Parallel: c.Limits.Parallel, Concurrency: c.Limits.Concurrency,
		RetryMin: time.Duration(c.Limits.RetryMin), RetryMax: time.Duration(c.Limits.RetryMax), Deadline: time.Duration(c.Limits.Deadline),
	}
}
