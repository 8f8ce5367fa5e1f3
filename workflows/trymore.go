package workflows

import (
	"fmt"
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/wire"
)

// A campaign that is held behind what was tried first may have more tried
// before the others, as often as a person asks for it. What is picked gets a
// wave of its own, of those that were not begun, and the campaign is held
// behind that too. Nothing else is other than with the first: the logins to
// Vault that are open hold up what they could read, whichever wave it is in.

// trials are what a campaign knows of what is tried before the others.
type trials struct {
	asking bool            // a pick is being recorded
	by     string          // who picked last
	picked credential.Refs // and is to be tried now
	until  map[int]int     // by wave: how many of its passes are waited for
}

// tryMore takes up what a person picked, once the ledger has his word.
func (c *campaign) tryMore(ctx workflow.Context, in TryFirst) (Status, error) {
	c.trials.asking, c.trials.by = true, in.Actor
	defer func() { c.trials.asking = false }()
	taken := false
	st, err := c.byPerson(ctx, wire.EventInput{
		Event: ledger.CampaignResumed, Actor: in.Actor,
		Detail: fmt.Sprintf("to try %d more before the others, which wait", len(in.Refs)),
	}, func() {
		if taken = !c.control.Aborting; taken {
			c.trials.picked = slices.Clone(in.Refs)
			c.control.Paused, c.status.Phase = false, ledger.Running
			c.status.Held, c.status.Trying = false, true
		}
	})
	if err == nil && !taken {
		return st, refuse("the campaign was aborted" + by(c.by.aborted) + ", before the ledger had your word: nothing more is tried")
	}
	return c.status, err
}

func (c *campaign) mayTryMore(_ workflow.Context, in TryFirst) error {
	if err := c.ending(); err != nil {
		return err
	}
	switch {
	case c.trials.asking:
		return refuse("what is tried next was picked already" + by(c.trials.by))
	case c.status.Trying:
		return refuse("what was picked before is still being tried" + by(c.trials.by) + ": wait until the campaign is held behind it")
	case !c.status.Held:
		return refuse("the campaign is not held behind what was tried first: all of it is being worked on, or was")
	case !c.control.Paused:
		return refuse("the campaign was resumed" + by(c.by.resumed) + ": all of it is being worked on")
	case c.again.taking:
		return refuse("it is being listed again" + by(c.by.listed) + ": pick once that is taken up")
	case strings.TrimSpace(in.Actor) == "":
		return refuse("nobody says who asks: the ledger holds who picked what is tried first")
	case len(in.Refs) == 0:
		return refuse("nothing was picked")
	}
	taken := 0
	for i, w := range c.roll.Waves {
		kinds, some := kindsOf(w, setOf(c.ofWave(i, in.Refs)))
		taken += some
		switch {
		case some == 0:
		case w.Tasks:
			return refuse("people do some of what was picked, which is not tried first")
		case w.Alone:
			return refuse("some of what was picked goes last for a reason: servers replicate by it, or Rollcall works with it")
		case slices.ContainsFunc(kinds, credential.Kind.OnlyEnds):
			return refuse("some of what was picked is ended, and nothing new is made: that is not tried first")
		case w.Hold && c.status.Waves[i].Ended:
			return refuse("some of what was picked was tried already, and has come to its end")
		}
	}
	if taken != len(setOf(in.Refs)) {
		return refuse("some of what was picked is not on the roll of this campaign")
	}
	return nil
}

// takePicked takes the picks of a person, when the campaign goes on from where
// it was held behind the wave with index i; any is false where there are none.
// fresh are those that no wave has begun; the others are tried as often again.
func (c *campaign) takePicked(i int) (fresh credential.Refs, any bool) {
	picked := c.trials.picked
	c.trials.picked = nil
	fresh = picked
	for n, w := range c.roll.Waves[:i+1] {
		before := setOf(c.ofWave(n, picked))
		if len(before) == 0 {
			continue
		}
		c.trials.until[w.Wave] = c.passes[w.Wave] + passesTried
		fresh = slices.DeleteFunc(slices.Clone(fresh), func(r credential.Ref) bool { return before[r] })
	}
	return fresh, len(picked) > 0
}

// wereTried reports whether what is tried first, as far as the wave with index
// i, has had the passes that are waited for.
func (c *campaign) wereTried(i int) bool {
	for n, w := range c.roll.Waves[:i+1] {
		if !c.status.Waves[n].Ended && c.passes[w.Wave] < c.trials.until[w.Wave] {
			return false
		}
	}
	return true
}

// setApart gives picks a wave of their own at an index, and takes them out of
// those waves behind it, none of which was begun. A wave that keeps nobody has
// ended. A login to Vault goes with its wave: the one that it was in says no
// more that it is open, which would be taken for its death.
func (c *campaign) setApart(refs credential.Refs, at int) {
	own := credential.WaveIndex{Wave: nextWave(c.roll.Waves), Name: "tried first", Hold: true}
	own.Runs = c.takeOut(refs, at)
	c.roll.Waves = slices.Insert(slices.Clone(c.roll.Waves), at, own)
	c.status.Waves = slices.Insert(slices.Clone(c.status.Waves), at, WaveStatus{Wave: own.Wave, Name: own.Name, Listed: listed(own)})
	c.loginsOf[own.Wave] = loginsIn(own, c.roll.Logins)
}

// takeOut takes places out of those waves from an index on that were not begun,
// and gives their runs.
func (c *campaign) takeOut(refs credential.Refs, at int) (out []credential.Run) {
	picked := setOf(refs)
	waves := slices.Clone(c.roll.Waves)
	for n := at; n < len(waves); n++ {
		w := &waves[n]
		taken, left := parted(w.Runs, picked)
		if w.Hold || len(taken) == 0 {
			continue
		}
		out, w.Runs = append(out, taken...), left
		c.loginsOf[w.Wave] = loginsIn(*w, c.roll.Logins)
		c.status.Waves[n].Listed, c.status.Waves[n].Ended = listed(*w), len(left) == 0
	}
	c.roll.Waves = waves
	return out
}

// parted cuts runs into those of places that were picked and the others. What
// lies side by side stays together.
func parted(runs []credential.Run, picked map[credential.Ref]bool) (taken, left []credential.Run) {
	for _, run := range runs {
		for from := run.From; from < run.To; {
			is := picked[credential.Ref{Page: run.Page, Index: from}]
			to := from + 1
			for to < run.To && picked[credential.Ref{Page: run.Page, Index: to}] == is {
				to++
			}
			part := run
			part.From, part.To = from, to
			if is {
				taken = append(taken, part)
			} else {
				left = append(left, part)
			}
			from = to
		}
	}
	return taken, left
}

// kindsOf are the kinds of those of a wave that were picked, and how many those
// are.
func kindsOf(w credential.WaveIndex, picked map[credential.Ref]bool) (kinds []credential.Kind, n int) {
	taken, _ := parted(w.Runs, picked)
	for _, run := range taken {
		n += run.To - run.From
		kinds = append(kinds, run.Kind)
	}
	return kinds, n
}

func setOf(refs credential.Refs) map[credential.Ref]bool {
	set := make(map[credential.Ref]bool, len(refs))
	for _, r := range refs {
		set[r] = true
	}
	return set
}

// placesOf are the places of a wave.
func placesOf(w credential.WaveIndex) (out credential.Refs) {
	for _, run := range w.Runs {
		for i := run.From; i < run.To; i++ {
			out = append(out, credential.Ref{Page: run.Page, Index: i})
		}
	}
	return out
}
