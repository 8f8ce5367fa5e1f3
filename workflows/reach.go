package workflows

import (
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/wire"
)

// A wave with logins to Vault goes first and alone, for one pass. What stays
// open of it is tried again beside the waves that follow, in which nothing is
// set whose new value such a login could read (activities/reach.go).

// loginsDied takes the logins of a batch that died off those that are open.
func (w *wave) loginsDied(in rotationInput, out rotationResult) {
	open := map[int]bool{}
	for _, it := range out.Open {
		open[it.Index] = true
	}
	for _, r := range w.state.Control.Logins {
		if r.Page == in.Batch.Span.Page && slices.Contains(in.Items, r.Index) && !open[r.Index] && !slices.Contains(out.LivesOn, r.Index) {
			w.state.Closed = append(w.state.Closed, r)
		}
	}
	w.state.Control.Logins = less(w.state.Control.Logins, w.state.Closed)
}

// less is refs without those of gone, as another slice.
func less(refs, gone credential.Refs) credential.Refs {
	return slices.DeleteFunc(slices.Clone(refs), func(r credential.Ref) bool { return slices.Contains(gone, r) })
}

// loginsIn are those of refs that lie in a wave.
func loginsIn(w credential.WaveIndex, refs credential.Refs) (out credential.Refs) {
	for _, r := range refs {
		if holds(w, r) {
			out = append(out, r)
		}
	}
	return out
}

// holds reports whether a wave has a place.
func holds(w credential.WaveIndex, r credential.Ref) bool {
	return slices.ContainsFunc(w.Runs, func(run credential.Run) bool {
		return run.Page == r.Page && run.From <= r.Index && r.Index < run.To
	})
}

// tellPassed says after each pass which logins of this wave are open, and of a
// wave without any that its first pass has ended and it goes on; of one that is
// tried first, each pass. A campaign
// that has ended does not hear it.
func (w *wave) tellPassed(ctx workflow.Context) {
	mine := loginsIn(w.state.Index, w.state.Roll.Logins)
	parent := workflow.GetInfo(ctx).ParentWorkflowExecution
	awaited := w.state.Tells && (w.state.Pass == 1 || w.state.Index.Hold) && !w.over()
	if parent == nil || len(mine) == 0 && !awaited {
		return
	}
	_ = workflow.SignalExternalWorkflow(ctx, parent.ID, parent.RunID, SignalPassed,
		Passed{Wave: w.state.Index.Wave, Open: less(mine, w.state.Closed)}).Get(ctx, nil)
}

// livesOn counts the dead logins that still count as open: nobody can revoke a
// batch token, or an orphan that a login may have made. With credentials that
// are open themselves it says nothing.
func (c *campaign) livesOn() int {
	if c.status.Open > 0 {
		return 0
	}
	return len(c.control.Logins)
}

// listenToWaves takes up what waves say of their passes.
func (c *campaign) listenToWaves(ctx workflow.Context) {
	said := workflow.GetSignalChannel(ctx, SignalPassed)
	for {
		var p Passed
		said.Receive(ctx, &p)
		c.passes[p.Wave]++
		before := len(c.control.Logins)
		c.control.Logins = slices.DeleteFunc(slices.Clone(c.control.Logins), func(r credential.Ref) bool {
			return slices.Contains(c.loginsOf[p.Wave], r) && !slices.Contains(p.Open, r)
		})
		if len(c.control.Logins) < before {
			c.tell(ctx)
		}
	}
}

// acceptOpen: a person lets the others go on although a login is open. The
// login itself is tried on.
func (c *campaign) acceptOpen(ctx workflow.Context, in AcceptOpen) (Status, error) {
	in.Reason = strings.TrimSpace(in.Reason)
	c.accepting = append(c.accepting, in.Login)
	defer func() { c.accepting = less(c.accepting, credential.Refs{in.Login}) }()
	return c.byPerson(ctx, wire.EventInput{
		Event: ledger.LoginAccepted, Actor: in.Actor, Detail: in.Reason, Snapshot: c.status.Snapshot, Login: &in.Login,
	}, func() {
		c.status.Accepted = append(c.status.Accepted, in)
		c.control.Logins = less(c.control.Logins, credential.Refs{in.Login})
		c.control.Readers = less(c.control.Readers, credential.Refs{in.Login})
	})
}

func (c *campaign) mayAcceptOpen(_ workflow.Context, in AcceptOpen) error {
	if err := c.mayBeMade(request{in.Reason, in.Actor, "logins", "new values were left where a stolen login reads", "accepted an open login"}); err != nil {
		return err
	}
	switch {
	case !slices.Contains(c.logins, in.Login):
		return refuse("that is no login to Vault of this campaign")
	case slices.ContainsFunc(c.status.Accepted, func(a AcceptOpen) bool { return a.Login == in.Login }), slices.Contains(c.accepting, in.Login):
		return refuse("it is accepted already")
	case !slices.Contains(c.control.Logins, in.Login) && !slices.Contains(c.control.Readers, in.Login):
		return refuse("that login is dead: nothing waits for it")
	}
	return nil
}
