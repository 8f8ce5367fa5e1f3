package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"

	"rollcall/activities"
	"rollcall/internal/vault/ownmount"
	"rollcall/workflows"
)

// mayStart looks in Vault whether a campaign of the device lives elsewhere: on
// another machine, of another user, on another Temporal. That one is
// somebody's, and is ended only by who asked for it. One that was lost is
// superseded, which is said.
func (s *session) mayStart(ctx context.Context) error {
	others, err := s.store.Others(ctx, s.cfg.Device, "")
	if err != nil || len(others) == 0 {
		return err
	}
	ended, err := s.endedHere(ctx)
	if err != nil {
		return err
	}
	for _, o := range others {
		switch {
		case o.Campaign == ended:
			// Its last word did not reach Vault.
			if err := s.store.SupersedeLost(ctx, o.CampaignRecord); err != nil {
				return err
			}
		case !o.Lives():
			s.say("note: %s, and has not ended: this one takes over from it once it has listed", o)
		case s.takeOver:
			ends := fmt.Sprintf("This ENDS %s%s", o, s.farOf(ctx, o.Campaign))
			if s.ends != "" { // of another machine
				ends = s.ends + ". " + ends
			}
			s.ends = ends
			s.say("%s: this one ends it once it has listed, and takes over what it staged %s after that", o, ownmount.SupersededGrace)
		default:
			return fmt.Errorf("%w; it is not on the Temporal at %s; nothing was started", &ownmount.Lives{Running: o}, s.engine.Address)
		}
	}
	return nil
}

// farOf is how far a campaign came, as Vault has it; empty where it does not
// say.
func (s *session) farOf(ctx context.Context, campaign string) string {
	st, found, err := s.store.StandingOf(ctx, campaign)
	if err != nil || !found || !st.Noted {
		return ""
	}
	return fmt.Sprintf(", with %d of %d dead", st.Dead, st.Listed)
}

// endedHere names the last campaign of the device on this Temporal, if it has
// ended and the cluster says which it was.
func (s *session) endedHere(ctx context.Context) (string, error) {
	d, err := s.describe(ctx)
	if err != nil || d == nil || d.WorkflowExecutionInfo.Status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return "", err
	}
	return campaignOf(d.WorkflowExecutionInfo), nil
}

// campaignOf is the id that the cluster keeps with a campaign, or empty if it
// keeps none.
func campaignOf(w *workflowpb.WorkflowExecutionInfo) string {
	named := w.GetSearchAttributes().GetIndexedFields()[workflows.CampaignAttribute.GetName()]
	var campaign string
	if named == nil || converter.GetDefaultDataConverter().FromPayload(named, &campaign) != nil {
		return ""
	}
	return campaign
}

// sayEnded says that the device's last campaign has ended: the command that
// went on with it begins another one now. Whoever was asked was told before.
func (s *session) sayEnded(earlier []ownmount.CampaignRecord) {
	if text := endedBefore(earlier); text != "" && !s.toldEnded {
		s.say("note: %s", text)
	}
}

// endedBefore says that the device's last campaign has ended; empty where there
// is none.
func endedBefore(earlier []ownmount.CampaignRecord) string {
	var last ownmount.CampaignRecord
	for _, r := range earlier {
		if r.ClosedAt.After(last.ClosedAt) {
			last = r
		}
	}
	if last.ClosedAt.IsZero() {
		return ""
	}
	return fmt.Sprintf("campaign %s of this device ended at %s, so this begins another one: all that is listed gets a new value (once more), and people their tasks", last.Campaign, last.ClosedAt.UTC().Format(time.RFC3339))
}

// namesTried bounds the races with others who start a campaign in the same
// second.
const namesTried = 5

// open makes the campaign known to Vault under a name of its own.
func (s *session) open(ctx context.Context, spec []byte) (string, error) {
	starter := rand.Text()
	for try := 1; ; try++ {
		earlier, err := s.store.Campaigns(ctx, s.cfg.Device)
		if err != nil {
			return "", err
		}
		id := newCampaign(s.cfg.Device, time.Now().UTC(), earlier)
		err = activities.Open(ctx, s.store, ownmount.CampaignRecord{
			Campaign: id, Device: s.cfg.Device, Actor: actor(), Starter: starter, TakesOver: s.takeOver,
		}, spec)
		if err == nil {
			s.sayEnded(earlier)
		}
		if !errors.Is(err, ownmount.ErrTaken) || try == namesTried {
			return id, err
		}
	}
}
