package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"rollcall/config"
	"rollcall/internal/ledger"
	"rollcall/internal/report"
	"rollcall/internal/vault/ownmount"
	"rollcall/workflows"
)

// ledgerHere is the latest campaign of the device by its ledger, or nil where
// that is not on this machine.
func (a *app) ledgerHere(ctx context.Context) *ledger.State {
	cfg, err := config.LoadForReading(a.file)
	if err != nil {
		return nil
	}
	folder, _, err := latestLedger(ctx, cfg)
	if err != nil {
		return nil
	}
	if _, err := os.Stat(folder); err != nil {
		return nil
	}
	r, err := ledger.OpenReader(folder)
	if err != nil {
		return nil
	}
	state, err := r.State(ctx)
	if err != nil {
		return nil
	}
	return state
}

// taskInLedger is a task as whoever gives it to somebody else needs it.
func (a *app) taskInLedger(ctx context.Context, name string) (ownmount.Card, bool) {
	state := a.ledgerHere(ctx)
	if state == nil {
		return ownmount.Card{}, false
	}
	for _, l := range state.Tasks() {
		if l.Task == nil || !strings.EqualFold(l.Name, name) && l.ID != name {
			continue
		}
		c := ownmount.Card{Campaign: state.Campaign, Credential: l.ID, Name: l.Name}
		for _, e := range l.Task.Ends {
			c.Ends = append(c.Ends, e.End)
		}
		return c, true
	}
	return ownmount.Card{}, false
}

// lookAtTasks has a campaign take up what people have said.
func (a *app) lookAtTasks(ctx context.Context, campaign, statement string) (st workflows.TasksStatus, err error) {
	a.controls = true
	err = a.withTemporal(ctx, false, errNoCampaignHere, func(s *session) error {
		defer s.sayMeanwhile(ctx, workflows.TasksID(campaign))()
		st, err = s.lookAtTasks(ctx, campaign, statement)
		return err
	})
	return st, err
}

func (s *session) lookAtTasks(ctx context.Context, campaign, statement string) (st workflows.TasksStatus, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	handle, err := s.engine.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: workflows.TasksID(campaign), UpdateName: workflows.UpdateLook, Args: []any{workflows.Look{Statement: statement}},
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

// isOver reports an answer of Temporal that it knows the tasks of a campaign,
// and that they have ended. Of what it does not know it says not found, too.
func isOver(err error) bool {
	var none *serviceerror.NotFound
	return errors.As(err, &none) && strings.Contains(none.Message, "already completed")
}

// forPeople ends `run` when nothing is left but people's tasks: they may take
// days, and the campaign waits for them without this process.
type forPeople struct {
	*session
	campaign string
	looked   time.Time
	asked    bool
	done     bool // nobody has anything left to say: the campaign ends by itself
	owed     string
}

// waits reports whether only people's tasks are left. What people have said by
// then is taken up first.
func (p *forPeople) waits(ctx context.Context) bool {
	if !p.leavesPeople || p.done || time.Since(p.looked) < time.Second {
		return false
	}
	p.looked = time.Now()
	if !p.onlyPeople(ctx) {
		return false
	}
	if !p.asked {
		p.asked = true
		st, err := p.lookAtTasks(ctx, p.campaign, "")
		p.done = err == nil && st.Listed > 0 && st.Waiting == 0
		p.owed = owedLine(st)
		return false // it may have ended with that
	}
	return p.onlyPeople(ctx)
}

func (p *forPeople) onlyPeople(ctx context.Context) bool {
	v, err := p.queryOnce(ctx)
	if err != nil {
		return false
	}
	var st workflows.Status
	return v.Get(&st) == nil && st.Campaign == p.campaign && st.People
}

// left is the screen on which `run` leaves a campaign to people.
func (p *forPeople) left(ctx context.Context) error {
	if state := p.ledgerHere(ctx); state != nil && state.Campaign == p.campaign {
		width, _ := terminal(p.Out)
		fmt.Fprintf(p.Out, "campaign %s · %s\n", state.Campaign, report.Headline(state))
		fmt.Fprint(p.Out, report.TasksText(state, time.Now(), width))
	}
	p.say("%s", leftToPeople(p.campaign, p.owed, p.engine.Local, p.cfg.Containment))
	return &exit{code: exitExceptions}
}

// owedLine says of what was given on, or is to get another value, that nobody
// has it yet, and who brings it; empty if that is nothing.
func owedLine(st workflows.TasksStatus) string {
	if st.Owed == 0 {
		return ""
	}
	why := st.OwedWhy
	if why == "" {
		why = "it was not tried to its end"
	}
	return fmt.Sprintf("%s is not handed over yet to whoever has it now (%s): that is tried again every ten minutes while a worker runs, and by the next `rollcall run`",
		report.Plural(st.Owed, "task", "tasks"), why)
}

// leftToPeople is what `run` says last where people alone are left.
func leftToPeople(campaign, owed string, local bool, c *config.Containment) string {
	text := fmt.Sprintf("campaign %s waits for people, and for nothing else: each says `rollcall tasks done NAME --end END`, with a login to Vault of his own. ", campaign)
	if owed != "" {
		text += owed + ". "
	}
	if !local {
		return text + "The workers go on without this terminal; the same command follows it again"
	}
	text += "Nothing has to run meanwhile, and nothing does: "
	if c != nil && len(c.Addresses) > 0 {
		text += "the device is not asked whether it answers, "
	}
	return text + "what people say is not taken up, and nobody is reminded, until the same command runs again. Run it by a timer (cron, systemd) each hour, or leave `rollcall run --stay` in a terminal"
}
