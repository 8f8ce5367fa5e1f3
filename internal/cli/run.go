package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"go.temporal.io/sdk/temporal"

	"rollcall/internal/inventory"
	"rollcall/internal/ledger"
	"rollcall/internal/listing"
	"rollcall/internal/plural"
	"rollcall/workflows"
)

func (a *app) runCommand() *cobra.Command {
	var metricsAt string
	var serve serving
	c := &cobra.Command{
		Use:   "run",
		Short: "Start the campaign, or rejoin it, and follow it to its end",
		Long: `run starts the campaign of the file's device and follows it; if one is running it
rejoins that one. Without a configured Temporal it starts rollcall-engine beside
itself and does the work in this process: Ctrl-C then finishes the credentials
in hand and stops, and the same command goes on from there, also after a crash.
With a configured Temporal the workers do the work and Ctrl-C only stops
watching.

A running campaign goes on with the file that it was started with. If the file was changed
since, run says so and does nothing, unless --as-started is given.

A campaign of the device that somebody runs elsewhere is left alone: run says whose it
is and when it was last seen. --take-over ends that one, once this one has listed and its
ledger is in order, and goes on with what it left. One that gave no sign of life for
4 minutes is taken over in any case.

Where the file names a profile, a campaign does not start before each of its lines has an
answer: run lists those that have none and changes nothing (rollcall answers).

On a terminal run shows a summary and asks before it begins a campaign (--yes: it does not).
--only, --wave, --source and --limit pick what is tried first, for real and in this campaign: run
ends then with exit code 3, and the others wait. With them once more it tries more, as often as
you like; the same command without them goes on with the others.

With --serve it gives the ledger to operators on other machines for as long as it runs (status,
watch, report, ledger verify), as rollcall ledger serve does afterwards.

What only people can do (rollcall tasks) may take days: when nothing else is left run ends with
exit code 2, and the same command goes on with it. With --stay it does not end then: rollcall
abort, in another terminal, needs a run that is alive.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := a.zone(); err != nil {
				return err
			}
			stop, err := a.serveMetrics(metricsAt)
			if err != nil {
				return err
			}
			defer stop()
			return a.run(cmd.Context(), serve)
		},
	}
	a.takeOverFlag(c)
	a.unansweredFlag(c)
	a.overrideFlags(c)
	metricsFlag(c, &metricsAt)
	c.Flags().StringVar(&serve.address, "serve", "", "give the ledgers to operators elsewhere at this address while it runs, such as :8443")
	serve.asFlag(c, "with --serve: ")
	a.yesFlag(c)
	a.timeZoneFlag(c)
	a.first.flags(c, "try a part first")
	c.Flags().BoolVar(&a.asStarted, "as-started", false, "rejoin a running campaign although the campaign file was changed since it started")
	c.Flags().BoolVar(&a.stay, "stay", false, "stay although only people are waited for, so that rollcall abort in another terminal finds the campaign")
	return c
}

func (a *app) takeOverFlag(c *cobra.Command) {
	c.Flags().BoolVar(&a.takeOver, "take-over", false, "end a campaign of the device that lives elsewhere, and go on with what it left")
}

func (a *app) run(ctx context.Context, serve serving) error {
	if serve.public != "" && serve.address == "" {
		return errors.New("--serve-as is the URL of --serve, and without that nothing is served; nothing was started")
	}
	return a.withVault(ctx, func(s *session) error {
		defer s.readAhead(ctx)()
		if err := s.connect(ctx, true); err != nil {
			return err
		}
		if serve.address != "" && !s.engine.Started {
			return fmt.Errorf("--serve is for the run that does the work, and here somebody else does: `rollcall worker --role ledger --serve %s` or `rollcall ledger serve --listen %[1]s` where the ledgers are; nothing was started", serve.address)
		}
		s.serve = serve
		return s.run(ctx)
	})
}

// readAhead has what Vault's engines keep read while the local engine starts:
// an engine of Vault may keep thousands of passwords, each of which is read for
// the listing. The returned function ends that.
func (s *session) readAhead(ctx context.Context) (end func()) {
	ctx, stop := context.WithCancel(ctx)
	var reading sync.WaitGroup
	s.kept = inventory.NewKept()
	s.starting = func() {
		reading.Go(func() { s.kept.ReadAhead(ctx, s.cfg, listing.Vault{Store: s.store, Kinds: s.kinds, Spec: s.cfg}) })
	}
	return func() {
		stop()
		reading.Wait()
	}
}

func (s *session) run(ctx context.Context) error {
	if err := s.requireOwnState(ctx); err != nil {
		return err
	}
	if err := s.requireAsStarted(ctx); err != nil {
		return err
	}
	if s.serve.address != "" {
		at, server, err := s.serveLedgers(ctx, s.store, s.cfg.LedgerDir, s.serve)
		if err != nil {
			return fmt.Errorf("%w; nothing was started", err)
		}
		s.say("giving the ledgers in %s to operators at %s until this run ends; `rollcall ledger serve --listen %s` does afterwards", s.cfg.LedgerDir, at, s.serve.address)
		defer func() {
			server.Drain(ctx)
			server.end()
		}()
		s.sayFailed(server)
	}
	stop, err := s.workHere(ctx)
	if err != nil {
		return err
	}
	defer stop()
	campaign, err := s.startOrRejoin(ctx)
	if err != nil {
		return err
	}
	s.leavesPeople = !s.stay
	return s.follow(ctx, campaign)
}

// workHere works in this process where the engine is its own. The caller calls
// stop.
func (s *session) workHere(ctx context.Context) (stop func() error, err error) {
	if !s.engine.Started {
		return func() error { return nil }, nil
	}
	if err := s.requireLogin(ctx); err != nil {
		return nil, err
	}
	return s.work(s.engine, s.store, s.kinds, s.cfg.LedgerDir, true, true)
}

func (s *session) startOrRejoin(ctx context.Context) (string, error) {
	running, err := s.running(ctx)
	if err != nil {
		return "", err
	}
	if running != nil {
		return running.Campaign, s.rejoin(ctx, running)
	}
	campaign, err := s.start(ctx)
	if errors.Is(err, errBusy) {
		// Another run was first, perhaps with another file.
		if running, err := s.running(ctx); err == nil && running != nil {
			if err := s.requireAsStarted(ctx); err != nil {
				return "", err
			}
			return running.Campaign, s.rejoin(ctx, running)
		}
	}
	if err == nil {
		s.say("campaign %s", campaign)
	}
	return campaign, err
}

// rejoin goes on with a campaign that runs, and lets the others go on where it
// is held behind what was tried first, or tries more of them.
func (s *session) rejoin(ctx context.Context, running *workflows.Status) error {
	if s.first.Given() {
		return s.tryMore(ctx, running)
	}
	s.say("rejoining campaign %s", running.Campaign+s.startedBy(ctx, running.Campaign))
	s.behind = running.Trying || running.Phase == ledger.Listing
	if !running.Held {
		return nil
	}
	open := 0
	for _, w := range running.Waves {
		open += w.Listed - w.Dead
	}
	if err := s.confirm(ctx, fmt.Sprintf("%s: what was tried first is done, and %d of %d %s not dead: go on with %s", s.cfg.Device, open, running.Listed, plural.Pick(open, "is", "are"), plural.Pick(open, "it", "them")), s.cfg.Device); err != nil {
		return &exit{exitUnfinished, err}
	}
	_, err := s.update(ctx, workflows.UpdateResume, actor())
	if err == nil {
		return nil
	}
	err = s.refused(ctx, workflows.UpdateResume, err)
	if now, asked := s.running(ctx); asked == nil && now != nil && !now.Held {
		// Somebody else answered meanwhile.
		s.say("%v; following campaign %s", err, running.Campaign)
		return nil
	}
	return err
}

// follow shows progress until the campaign ends, then the last screen.
// Cancelling ctx detaches.
func (s *session) follow(ctx context.Context, campaign string) error {
	done := make(chan error, 1)
	var result workflows.Result
	go func() {
		run := s.engine.GetWorkflow(ctx, workflows.CampaignID(s.cfg.Device), "")
		done <- run.Get(ctx, &result)
	}()
	view := s.newView(campaign)
	unserved := time.NewTimer(noteAfter)
	defer unserved.Stop()
	people := &forPeople{session: s, campaign: campaign}
	wait := s.newPatience(campaign, workflows.CampaignID(s.cfg.Device), view)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if ctx.Err() != nil {
				return s.detach(view, campaign)
			}
			view.reported = err == nil
			view.finish(ctx)
			var ended *temporal.WorkflowExecutionError
			switch {
			case errors.As(err, &ended):
				return fmt.Errorf("campaign %s ended early: %w", campaign, cause(err))
			case err != nil:
				return &exit{exitUnfinished, fmt.Errorf("lost Temporal at %s: %w; the campaign is kept there, and the same command follows it again", s.engine.Address, err)}
			}
			wait.sayTakenOver(ctx, true)
			return s.lastScreen(ctx, campaign, result)
		case <-ctx.Done():
			return s.detach(view, campaign)
		case <-s.engine.Gone():
			return &exit{exitUnfinished, fmt.Errorf("the engine ended by itself; what it had is on disk and the same command goes on from there (its log is %s)", filepath.Join(s.stateDir, "engine", "engine.log"))}
		case <-unserved.C:
			if text := s.unservedNote(ctx); text != "" && wait.tell(text, text) {
				view.below()
			}
		case <-tick.C:
			view.refresh(ctx)
			if held, err := s.heldBehind(ctx, view); err != nil || held {
				view.finish(ctx)
				return cmp.Or(err, s.leaveHeld(ctx, view))
			}
			if people.waits(ctx) {
				view.finish(ctx)
				return people.left(ctx)
			}
			said, err := wait.look(ctx, view.next)
			if err != nil {
				view.finish(context.WithoutCancel(ctx))
				return err
			}
			if said {
				view.below()
			}
		}
	}
}

// heldBehind reports whether the campaign waits behind what this run, or one
// that it goes on for, had tried first. Only the ledger is looked at until that
// says that it is paused.
func (s *session) heldBehind(ctx context.Context, view *view) (bool, error) {
	if !s.first.Given() && !s.behind || view.state.Phase != ledger.Paused {
		return false, nil
	}
	st, err := s.running(ctx)
	return st != nil && st.Held, err
}

// leaveHeld ends run behind what was tried first.
func (s *session) leaveHeld(ctx context.Context, view *view) error {
	dead, open := 0, 0
	for c := range view.state.All() {
		switch {
		case s.tried == nil && c.Wave > 0, s.tried != nil && !slices.Contains(s.tried, c.ID):
		case c.Outcome == ledger.Dead:
			dead++
		default:
			open++
		}
	}
	mend := ""
	if open > 0 {
		mend = " What is open because something names it wrongly is corrected there; `rollcall relist` then takes that up, and the same command tries it once more."
	}
	s.say("tried first: %d dead, %d open; the others wait, nothing of them was changed.%s `rollcall run` goes on with them, `rollcall abort` ends the campaign", dead, open, mend)
	return &exit{code: exitUnfinished}
}

func (s *session) detach(view *view, campaign string) error {
	view.finish(context.WithoutCancel(context.Background()))
	if _, is := terminal(s.Err); is {
		fmt.Fprint(s.Err, "\r") // over what the terminal shows of Ctrl-C
	}
	if s.engine.Started {
		s.say("detached from campaign %s: finishing the credentials in hand; the same command goes on from here. Ctrl-C again ends at once, and loses nothing either", campaign)
	} else {
		s.say("detached from campaign %s: it goes on without this terminal; the same command follows it again", campaign)
	}
	return &exit{code: exitUnfinished}
}

// ledgerDir is the folder of one campaign's ledger.
func (s *session) ledgerDir(campaign string) string {
	return filepath.Join(s.cfg.LedgerDir, campaign)
}

// cause is the innermost error that Temporal wrapped: what went wrong, without
// which workflow called which.
func cause(err error) error {
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return errors.New(app.Message())
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
