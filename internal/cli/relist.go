package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/client"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/engine"
	"rollcall/internal/inventory"
	"rollcall/internal/ledger"
	"rollcall/internal/report"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
	"rollcall/workflows"
)

func (a *app) relistCommand() *cobra.Command {
	var out output
	var reason string
	c := &cobra.Command{
		Use:   workflows.UpdateRelist,
		Short: "List again inside the running campaign, and take up what was corrected",
		Long: `relist has the running campaign list again, with the metadata of secrets, the manifests and the
parts sources, exclude, accept, confirm and used_by of the campaign file as they are now, and
shows what is listed otherwise than the campaign began with. Without --reason that is all. With
it, it asks, and what it showed takes part from then on, at once:

  ~ goes on with other paths, doors or consumers, or can be rotated by now
  + is new on the roll: a login to Vault goes first, and what it may read waits until it is dead
  - comes off the roll: the campaign file excludes it, or it was no account, and what it stood for
    is the path of another one now
  ! is listed otherwise and stays as it is, with why
  ? nothing names it any more: it stays on the roll

Of what is dead, and of what a new value was announced for, nothing is changed: that ends as it
began. Where a login that is found could read it, it is open again when the campaign ends
(perhaps-read, exit code 2), for its new value may have been read: run again. Nor is anything
changed of the campaign's own logins to Vault, people's tasks and what Rollcall works with; where
the campaign file excludes one of these by now relist refuses. Whose a path is the account says,
as ever. Behind what was tried first (run --only) what is taken up waits with the others, and is
tried next by its name. The ledger holds who had it listed again, why, and each credential as it
is listed now. Other parts of the campaign file (servers, doors, limits, what reloads consumers)
stay as the campaign began: where one differs relist refuses, and says what. What is warned of and
cannot be taken up goes into the ledger too, with --reason.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.relist(cmd, &out, reason)
		},
	}
	out.flag(c)
	a.yesFlag(c)
	c.Flags().StringVar(&reason, "reason", "", "why; it goes into the ledger, and what is shown takes part")
	return c
}

// relistTimeout bounds the wait for another listing.
const relistTimeout = 15 * time.Minute

func (a *app) relist(cmd *cobra.Command, out *output, reason string) error {
	asJSON, err := out.json()
	if err != nil {
		return err
	}
	err = a.relistWhereItRuns(cmd.Context(), asJSON, reason)
	if !errors.Is(err, errNoCampaignHere) || !a.pausedHere(cmd.Context()) {
		return err
	}
	// Nobody works on it, and nothing of it goes on while it is paused: `run`
	// has left it behind what was tried first.
	return a.withTemporal(cmd.Context(), true, nil, func(s *session) error {
		if err := s.requireOwnState(cmd.Context()); err != nil {
			return err
		}
		stop, err := s.workHere(cmd.Context())
		if err != nil {
			return err
		}
		defer stop()
		return s.relist(cmd.Context(), asJSON, reason)
	})
}

// pausedHere reports whether this machine has a campaign of the device that is
// paused, and on which no process works.
func (a *app) pausedHere(ctx context.Context) bool {
	if !engine.Left(a.stateDir) {
		return false
	}
	state := a.ledgerHere(ctx)
	return state != nil && state.Phase == ledger.Paused
}

func (a *app) relistWhereItRuns(ctx context.Context, asJSON bool, reason string) error {
	return a.withTemporal(ctx, false, cannot(workflows.UpdateRelist, errNoCampaignHere), func(s *session) error { return s.relist(ctx, asJSON, reason) })
}

func (s *session) relist(ctx context.Context, asJSON bool, reason string) error {
	if err := s.holdsValue(ctx, "--reason", reason); err != nil {
		return cannot(workflows.UpdateRelist, err)
	}
	found, err := s.listAgain(ctx)
	if err != nil {
		return err
	}
	answer := relistAnswer{Changes: found.changes, Warnings: found.warnings}
	if !asJSON {
		width, _ := terminal(s.Out)
		printRelisted(s.Out, found.changes, width)
		for _, w := range found.warnings {
			s.say("warning: %s: %s", w.Code, w.Detail)
		}
	}
	switch {
	case found.refused != nil && strings.TrimSpace(reason) != "":
		return cannot(workflows.UpdateRelist, found.refused)
	case found.refused != nil:
		s.say("nothing was changed, and none of it can be taken up so: %v", found.refused)
	case found.takes() == 0 && len(found.warnings) == 0:
		s.say("nothing is listed otherwise that can be taken up while the campaign runs; nothing was changed")
	case found.takes() == 0 && strings.TrimSpace(reason) == "":
		s.say("nothing is listed otherwise that can be taken up while the campaign runs; nothing was changed: with --reason, what was warned of goes into the ledger")
	case strings.TrimSpace(reason) == "":
		s.say("nothing was changed: with --reason, what is marked ~, + and - takes part")
	default:
		// The roll of before may not know where these lie.
		holds, err := inventory.HoldsValueOf(ctx, s.store, found.now, reason)
		if err := refuseHeld("--reason", holds, err); err != nil {
			return cannot(workflows.UpdateRelist, err)
		}
		what := fmt.Sprintf("%s: inside campaign %s, as it is listed now: %d, new: %d, off the roll: %d", s.cfg.Device, found.seen.Campaign, found.does(relistChanges), found.does(relistAdds), found.does(relistReplaces))
		if n := len(found.warnings); n > 0 {
			what += fmt.Sprintf("; %s into its ledger", report.Plural(n, "warning goes", "warnings go"))
		}
		if err := s.confirm(ctx, what, s.cfg.Device); err != nil {
			return err
		}
		st, err := s.update(ctx, workflows.UpdateTakeUp, wire.TakeUp{Proposal: found.seen.Proposal, Actor: actor(), Reason: reason})
		if err != nil {
			return s.refused(ctx, workflows.UpdateRelist, err)
		}
		answer.Status = &st
	}
	if asJSON {
		return printJSON(s.Out, answer)
	}
	if st := answer.Status; st != nil && st.Again != nil {
		s.result("listed again: campaign %s; goes on as it is listed now: %d, new: %d, off the roll: %d; listed otherwise, and goes on as it was: %d",
			st.Campaign, st.Again.Changed, st.Again.Added, st.Again.Replaced, st.Again.Left+found.does(relistStays))
		if st.Held {
			s.say("it waits with the others: `rollcall run --only NAME` tries it next, and `rollcall run` goes on with all")
		}
	}
	return nil
}

// relistAnswer is what relist says with -o json.
type relistAnswer struct {
	Changes []relistChange `json:"changes"`
	// Warnings of the listing that none before it gave.
	Warnings []credential.Finding `json:"warnings,omitempty"`
	Status   *workflows.Status    `json:"status,omitempty"` // once it was taken up
}

// relisted is another listing, beside the roll of the campaign.
type relisted struct {
	seen     wire.RelistSeen
	now      []credential.Credential
	changes  []relistChange
	warnings []credential.Finding
	refused  error // it may be looked at, and not taken up
}

func (r relisted) takes() int { return r.does(relistChanges, relistAdds, relistReplaces) }

// does is of how many one of these becomes.
func (r relisted) does(what ...string) (n int) {
	for _, c := range r.changes {
		if slices.Contains(what, c.Does) {
			n++
		}
	}
	return n
}

// listAgain gives the campaign the file as it is now, and has it list.
func (s *session) listAgain(ctx context.Context) (found relisted, err error) {
	running, err := s.running(ctx)
	if err != nil {
		return found, err
	}
	if running == nil {
		return found, fmt.Errorf("cannot %s: %w", workflows.UpdateRelist, s.noneRuns(ctx))
	}
	begun, err := s.store.LoadSpec(ctx, ownmount.CampaignSpec(running.Campaign))
	if err != nil {
		return found, err
	}
	parts, err := differing(begun, s.cfg)
	if err != nil {
		return found, err
	}
	was := &config.Campaign{}
	if err := json.Unmarshal(begun, was); err != nil {
		return found, fmt.Errorf("the specification of the running campaign in Vault is unreadable: %w", err)
	}
	if other := notTakenUp(parts, was, s.cfg); len(other) > 0 {
		return found, fmt.Errorf("cannot %s: the campaign file differs from the one that campaign %s was started with in %s, which no running campaign takes up: undo that, or `rollcall abort` and run again; nothing was changed",
			workflows.UpdateRelist, running.Campaign, strings.Join(other, ", "))
	}
	spec, err := json.Marshal(s.cfg)
	if err != nil {
		return found, err
	}
	proposal := strings.ToLower(rand.Text()[:16])
	if err := s.store.SaveSpec(ctx, ownmount.RelistSpec(running.Campaign, proposal), spec); err != nil {
		return found, err
	}
	if found.seen, err = s.askRelist(ctx, wire.RelistAsk{Proposal: proposal, Actor: actor()}); err != nil {
		return found, s.refused(ctx, workflows.UpdateRelist, err)
	}
	index, err := s.store.ReadIndex(ctx, running.Campaign)
	if err != nil {
		return found, err
	}
	p, err := s.store.ReadProposal(ctx, index, proposal)
	if err != nil {
		return found, err
	}
	for _, it := range p.Items {
		found.now = append(found.now, it.Now)
	}
	found.warnings = p.Warnings
	s.sayNotRecorded(was)
	if found.refused, err = s.refuseExcludes(ctx, index, p); err != nil {
		return found, err
	}
	found.changes, err = s.relistChanges(ctx, index, p, found.seen)
	return found, err
}

// sayNotRecorded says of results of evidence with which the campaign did not
// begin that accounts alone are taken from them.
func (s *session) sayNotRecorded(was *config.Campaign) {
	for _, now := range s.cfg.Sources {
		if now.Record != nil && !slices.ContainsFunc(was.Sources, func(b config.Source) bool { return b.Record != nil && b.Record.ID == now.Record.ID }) {
			s.say("note: from %s accounts alone are taken up. What it shows of others' use is not in the campaign's ledger, which has what the campaign began with: `rollcall evidence record FILE` writes it beside", now.Name)
		}
	}
}

func (s *session) askRelist(ctx context.Context, ask wire.RelistAsk) (seen wire.RelistSeen, err error) {
	ctx, cancel := context.WithTimeout(ctx, relistTimeout)
	defer cancel()
	defer s.sayMeanwhile(ctx, workflows.CampaignID(s.cfg.Device))()
	handle, err := s.engine.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: workflows.CampaignID(s.cfg.Device), UpdateName: workflows.UpdateRelist, Args: []any{ask},
		WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(ctx, &seen)
	}
	if err != nil && ctx.Err() != nil {
		err = errors.New("the listing has no answer yet; nothing was changed, and nothing will be: ask again")
	}
	return seen, err
}

// latestSpec is the campaign file with which a running campaign last listed.
func (s *session) latestSpec(ctx context.Context, campaign string) ([]byte, error) {
	index, err := s.store.ReadIndex(ctx, campaign)
	if err != nil && !vault.IsNotFound(err) {
		return nil, err
	}
	index.Campaign = campaign // nothing may be listed yet
	return s.store.LoadSpec(ctx, index.LatestSpec())
}
