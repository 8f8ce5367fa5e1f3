package workflows

import (
	"errors"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/wire"
)

// A campaign lists again when a person asks for it. What is found is a proposal
// until he says that it takes part; then the waves give up those credentials of
// which no new value was ever announced, and a wave of their own goes on with
// them as they are listed now. Everything else goes on as it was.

// relisting is what a campaign knows of other listings.
type relisting struct {
	seen     *wire.RelistFound // what may be taken up
	take     []int
	replaced credential.Refs

	looking  bool // a listing, or a taking up, is in hand
	taking   bool
	count    int // of what was taken up
	listens  bool
	held     bool             // some was taken up while the campaign was held
	released map[int]Released // the latest of each wave
}

// relist makes a proposal. Nothing is changed by it.
func (c *campaign) relist(ctx workflow.Context, in wire.RelistAsk) (wire.RelistSeen, error) {
	c.again.looking, c.by.listed = true, in.Actor
	defer func() { c.again.looking = false }()
	c.again.seen = nil
	steady, _ := workflow.NewDisconnectedContext(ctx)
	var found wire.RelistFound
	err := workflow.ExecuteActivity(forListing(steady), wire.DoRelist, wire.RelistInput{Campaign: c.in.Campaign, Proposal: in.Proposal}).Get(steady, &found)
	if err != nil {
		return wire.RelistSeen{}, err
	}
	var old credential.Refs
	for _, ref := range found.Old {
		if ref != nil {
			old = append(old, *ref)
		}
	}
	old = append(old, found.Replaced...)
	untouched, err := c.untouched(steady, old)
	if err != nil {
		return wire.RelistSeen{}, err
	}
	out := wire.RelistSeen{Campaign: c.in.Campaign, Proposal: found.Proposal}
	for i, ref := range found.Old {
		if ref == nil || slices.Contains(untouched, *ref) {
			out.Take = append(out.Take, i)
		} else {
			out.Touched = append(out.Touched, i)
		}
	}
	for _, ref := range found.Replaced {
		if slices.Contains(untouched, ref) {
			out.Replaced = append(out.Replaced, ref)
		}
	}
	c.again.seen, c.again.take, c.again.replaced = &found, out.Take, out.Replaced
	return out, nil
}

// untouched are those of places on the roll of which no new value was ever
// announced, as the ledger has it.
func (c *campaign) untouched(ctx workflow.Context, refs credential.Refs) (out credential.Refs, err error) {
	if len(refs) == 0 {
		return nil, nil
	}
	err = workflow.ExecuteActivity(onLedger(ctx), wire.DoUntouched,
		wire.UntouchedInput{Campaign: c.in.Campaign, Snapshot: c.status.Snapshot, Refs: refs}).Get(ctx, &out)
	return out, err
}

func (c *campaign) mayRelist(_ workflow.Context, in wire.RelistAsk) error {
	if err := c.mayBeMade(request{"asked for", in.Actor, "credentials", "it was listed again", "listed again"}); err != nil {
		return err
	}
	return c.mayListAgain()
}

func (c *campaign) mayListAgain() error {
	switch {
	case !c.firstPass:
		return refuse("the campaign was begun by an earlier version, which cannot list again: abort it, and run again")
	case c.again.looking:
		return refuse("it is being listed again already, or what was found is being taken up" + by(c.by.listed))
	case c.winding:
		return refuse("all that can be rotated was tried, and the campaign is closing: run again once it has ended")
	case c.trials.asking || c.status.Trying:
		return refuse("what was picked" + by(c.trials.by) + " is being tried before the others: wait until the campaign is held behind that, and list again then")
	case c.status.Held && c.control.Paused:
		return nil // nobody works on the others, and what was tried is given up by its wave
	case c.status.Held:
		return refuse("the campaign was resumed" + by(c.by.resumed) + ": wait for the first pass over all")
	case c.control.Paused:
		return refuse("the campaign is paused: resume it first")
	}
	for i, w := range c.roll.Waves {
		st := c.status.Waves[i]
		if w.Alone && (st.Ended || c.status.Wave == i) {
			return refuse("what Rollcall itself works with is being rotated, last of all: run again once the campaign has ended")
		}
		if !w.Alone && !c.tasksIn[w.Wave] && !st.Ended && c.passes[w.Wave] == 0 {
			return refuse("some were not tried yet: wait for the first pass over all")
		}
	}
	return nil
}

func (c *campaign) mayTakeUp(_ workflow.Context, in wire.TakeUp) error {
	if err := c.mayBeMade(request{in.Reason, in.Actor, "credentials", "it was listed again", "took up another listing"}); err != nil {
		return err
	}
	if err := c.mayListAgain(); err != nil {
		return err
	}
	if c.again.seen == nil || c.again.seen.Proposal != in.Proposal {
		return refuse("what was found is not the latest any more, for it was listed again" + by(c.by.listed) + ": list again")
	}
	if len(c.again.take)+len(c.again.replaced) == 0 && c.again.seen.Warnings == 0 {
		return refuse("nothing of what was found can be taken up")
	}
	return nil
}

// takeUp puts on the roll what a person has seen. Its order keeps every
// credential in the hands of one wave: what a wave has given up is gone on with
// whatever fails afterwards.
func (c *campaign) takeUp(ctx workflow.Context, in wire.TakeUp) (Status, error) {
	found, take, replaced := c.again.seen, c.again.take, c.again.replaced
	c.again.looking, c.again.taking, c.again.seen, c.by.listed = true, true, nil, in.Actor
	defer func() { c.again.looking, c.again.taking = false, false }()
	in.Reason = strings.TrimSpace(in.Reason)
	st, err := c.byPerson(ctx, wire.EventInput{Event: ledger.Relisted, Actor: in.Actor, Detail: in.Reason}, func() {})
	if err != nil {
		return st, err
	}
	steady, _ := workflow.NewDisconnectedContext(ctx)
	var old credential.Refs
	for _, i := range take {
		if ref := found.Old[i]; ref != nil {
			old = append(old, *ref)
		}
	}
	old = append(old, replaced...)
	free, ended := c.free(steady, old)
	held := c.status.Held && workflow.GetVersion(steady, changeRelistHeld, workflow.DefaultVersion, 1) > workflow.DefaultVersion
	var waiting credential.Refs // behind what was tried first
	if held {
		c.again.held, waiting = true, c.unbegun(old, replaced)
	}
	all := slices.Concat(free, ended, waiting)
	amend := wire.AmendInput{Campaign: c.in.Campaign, Proposal: in.Proposal, Wave: nextWave(c.roll.Waves)}
	for _, i := range take {
		if ref := found.Old[i]; ref == nil || slices.Contains(all, *ref) {
			amend.Take = append(amend.Take, i)
		}
	}
	for _, ref := range replaced {
		if slices.Contains(all, ref) {
			amend.Replaced = append(amend.Replaced, ref)
		}
	}
	c.again.count++
	now, stored, err := c.amend(steady, amend, in.Actor)
	if err != nil && stored {
		// Where it was it counts no more, and where it is the ledger knows
		// nothing of it: no wave has it, and the campaign ends in that error.
		c.takeOut(waiting, 0)
		c.failed = cmpErr(c.failed, err)
		return c.status, err
	}
	if err != nil {
		workflow.GetLogger(ctx).Error("what was listed again was not taken up, and goes on as it was", "error", err)
		now = wire.Amended{Left: all}
	}
	c.takeOut(less(waiting, now.Left), 0)
	return c.status, cmpErr(c.goOnWith(steady, now, free, ended, held), err)
}

// amend makes Vault and then the ledger put what is taken up where it is by
// now. Once Vault has it, it may not go on where it was, so nothing but the end
// of the campaign is a reason to give the ledger up. stored: Vault has it, or
// may have it.
func (c *campaign) amend(ctx workflow.Context, in wire.AmendInput, actor string) (now wire.Amended, stored bool, err error) {
	insists := true
	insist := func(try func() error) error {
		err := try()
		if err == nil {
			return nil
		}
		insists = workflow.GetVersion(ctx, "insists", workflow.DefaultVersion, 1) > workflow.DefaultVersion
		if !insists || refusedForGood(err) && !stored {
			return err
		}
		for pause := time.Minute; err != nil && !c.control.Aborting; pause = min(2*pause, time.Hour) {
			workflow.GetLogger(ctx).Error("what was listed again is not taken up yet", "error", err)
			if _, err := workflow.AwaitWithTimeout(ctx, pause, func() bool { return c.control.Aborting }); err != nil {
				return err
			}
			err = try()
		}
		return err
	}
	err = insist(func() error { return workflow.ExecuteActivity(forCleaning(ctx), wire.DoAmend, in).Get(ctx, &now) })
	if err != nil || len(now.Waves)+len(now.Replaced)+now.Warnings == 0 {
		return now, insists && err != nil && !refusedForGood(err), err
	}
	stored = true
	err = insist(func() error {
		return workflow.ExecuteActivity(toTheEnd(ctx), wire.DoRecordTakenUp, wire.TakenUpInput{
			Campaign: c.in.Campaign, Snapshot: c.status.Snapshot, Actor: actor, Amended: now,
		}).Get(ctx, nil)
	})
	return now, insists, err
}

// refusedForGood reports whether an activity said by itself that nothing was
// done and nothing will be: it was not merely unheard of.
func refusedForGood(err error) bool {
	var app *temporal.ApplicationError
	return errors.As(err, &app) && app.NonRetryable()
}

// free has the waves give up what they can, and adds what those had ended with
// that have ended.
func (c *campaign) free(ctx workflow.Context, old credential.Refs) (free, ended credential.Refs) {
	if !c.again.listens {
		c.again.listens, c.again.released = true, map[int]Released{}
		workflow.Go(ctx, c.listenToReleases)
	}
	c.control.Release = append(slices.Clone(c.control.Release), old...)
	heard := len(c.control.Release)
	var holders []*runningWave
	for _, r := range c.running {
		if !r.people && len(loginsIn(c.roll.Waves[r.index], old)) > 0 {
			holders = append(holders, r)
		}
	}
	c.tell(ctx)
	err := workflow.Await(ctx, func() bool {
		return !slices.ContainsFunc(holders, func(r *runningWave) bool {
			return !r.ended && c.again.released[c.roll.Waves[r.index].Wave].Heard < heard
		})
	})
	if err != nil {
		workflow.GetLogger(ctx).Error("waves were not waited for", "error", err) // never: nothing cancels this context
	}
	var late credential.Refs
	for i, w := range c.roll.Waves {
		mine := c.ofWave(i, old)
		said := c.again.released[w.Wave]
		switch {
		case len(mine) == 0:
		case said.Heard == heard:
			for _, r := range mine {
				if slices.Contains(said.Refs, r) {
					free = append(free, r)
				}
			}
		case c.status.Waves[i].Ended:
			late = append(late, mine...)
		}
	}
	if ended, err = c.untouched(ctx, late); err != nil {
		// They stay as they ended; what was given up goes on in any case.
		workflow.GetLogger(ctx).Error("what had come to an end is not listed again", "error", err)
	}
	return free, ended
}

// unbegun are those of refs that wait, in waves that nobody has begun, while
// the campaign is held behind what was tried first. What goes last for a reason
// stays there, unless it comes off the roll (off).
func (c *campaign) unbegun(refs, off credential.Refs) (out credential.Refs) {
	for i, w := range c.roll.Waves {
		if w.Hold {
			continue
		}
		for _, r := range c.ofWave(i, refs) {
			if !w.Alone || slices.Contains(off, r) {
				out = append(out, r)
			}
		}
	}
	return out
}

// ofWave are those of refs that a wave has, and no later one: what goes on
// where it was listed is in two.
func (c *campaign) ofWave(i int, refs credential.Refs) credential.Refs {
	mine := loginsIn(c.roll.Waves[i], refs)
	for _, later := range c.roll.Waves[i+1:] {
		mine = less(mine, loginsIn(later, mine))
	}
	return mine
}

func (c *campaign) listenToReleases(ctx workflow.Context) {
	said := workflow.GetSignalChannel(ctx, SignalReleased)
	for {
		var r Released
		said.Receive(ctx, &r)
		c.again.released[r.Wave] = r
	}
}

// goOnWith begins the waves of what was taken up, and one of what goes on as it
// was. While the campaign is held behind what was tried first they come right
// behind that, and wait as the others do.
//
// free are the places that waves gave up, ended those at which one had
// come to its end.
func (c *campaign) goOnWith(ctx workflow.Context, now wire.Amended, free, ended credential.Refs, held bool) error {
	for i := range c.roll.Waves {
		st := &c.status.Waves[i]
		again := len(c.ofWave(i, less(ended, now.Left)))
		st.Listed -= len(c.ofWave(i, free)) + again
		st.Open -= again
		c.status.Open -= again
	}
	c.mend = less(c.mend, less(ended, now.Left))
	c.status.Again = &ListedAgain{Times: c.again.count, Changed: len(now.Changed), Added: len(now.Added), Replaced: len(now.Replaced), Left: len(now.Left)}
	c.status.Listed += len(now.Added) - len(now.Replaced)
	c.status.Excluded += len(now.Replaced)
	c.status.Incomplete += now.Incomplete
	waves := slices.Clone(now.Waves)
	var rest credential.Refs
	for _, r := range free {
		if slices.Contains(now.Left, r) {
			rest = append(rest, r)
		}
	}
	var runs []credential.Run
	for i := range c.roll.Waves { // what went on so before is in several
		runs = append(runs, runsOf(c.roll.Waves[i:i+1], c.ofWave(i, rest))...)
	}
	if len(runs) > 0 {
		waves = append(waves, credential.WaveIndex{Wave: nextWave(append(slices.Clone(c.roll.Waves), waves...)), Name: "goes on", Runs: runs})
	}
	c.join(ctx, now.Logins)
	var failed error
	i := len(c.roll.Waves) - 1
	if first := slices.IndexFunc(c.roll.Waves, func(w credential.WaveIndex) bool { return !w.Hold }); held && first >= 0 {
		i = first - 1 // else all of the roll was tried first
	}
	for _, w := range waves {
		i++
		if slices.ContainsFunc(c.roll.Waves, func(has credential.WaveIndex) bool { return has.Wave == w.Wave }) {
			w.Wave = nextWave(c.roll.Waves)
		}
		c.roll.Waves = slices.Insert(slices.Clone(c.roll.Waves), i, w)
		c.loginsOf[w.Wave] = loginsIn(w, c.roll.Logins)
		c.status.Waves = slices.Insert(slices.Clone(c.status.Waves), i, WaveStatus{Wave: w.Wave, Name: w.Name, Listed: listed(w)})
		if held {
			continue
		}
		roll := c.roll
		roll.Again = c.again.count
		_, err := c.begin(c.whole, ctx, roll, w, i)
		for range moreNumbers {
			if err == nil {
				break
			}
			w.Wave = nextWave(c.roll.Waves)
			c.roll.Waves[i].Wave, c.status.Waves[i].Wave = w.Wave, w.Wave
			c.loginsOf[w.Wave] = loginsIn(w, c.roll.Logins)
			_, err = c.begin(c.whole, ctx, roll, w, i)
		}
		if err != nil {
			// In no wave nothing of it would come to an end, so the campaign
			// does not end as if it had.
			c.failed = cmpErr(c.failed, err)
			failed = cmpErr(failed, err)
		}
	}
	return failed
}

// join makes logins to Vault that were found the campaign's own, before any of
// them is tried: from here on no batch begins that does not ask what they read,
// and what was in hand sets nothing more (reach.Logins.Unknown).
func (c *campaign) join(ctx workflow.Context, found credential.Refs) {
	if len(found) == 0 {
		return
	}
	c.roll.Logins = append(slices.Clone(c.roll.Logins), found...)
	c.logins = append(slices.Clone(c.logins), found...)
	c.control.Logins = append(slices.Clone(c.control.Logins), found...)
	c.control.Found += len(found)
	c.tell(ctx)
}

// moreNumbers are tried where a wave of a number does not start: what it has is
// in no other one.
const moreNumbers = 3

// nextWave is the first number that none of waves has.
func nextWave(waves []credential.WaveIndex) int {
	next := 0
	for _, w := range waves {
		next = max(next, w.Wave+1)
	}
	return next
}

// runsOf are places of waves, each as a run of its own.
func runsOf(waves []credential.WaveIndex, refs credential.Refs) (out []credential.Run) {
	for _, w := range waves {
		for _, run := range w.Runs {
			for i := run.From; i < run.To; i++ {
				if slices.Contains(refs, credential.Ref{Page: run.Page, Index: i}) {
					one := run
					one.From, one.To = i, i+1
					out = append(out, one)
				}
			}
		}
	}
	return out
}
