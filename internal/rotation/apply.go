package rotation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// lostAnswers is how often one Apply looks again after an answer was lost
// before it leaves the credential to the next pass.
const lostAnswers = 2

// Apply carries a staged credential from Set to the proof that the old value
// is dead. attempt and fresh are Prepared's of this very pass; fresh is false on
// any retry. The caller has the intent for that attempt in the ledger: another
// attempt, staged by a try that was killed before it could say so, is left for
// the next pass.
//
// It is not broken off by ctx ending between Set and Activate: hand it a
// context that outlives a polite stop. Killed in the middle, it is called
// again and decides from what it sees.
func (r *Rotator) Apply(ctx context.Context, c credential.Credential, attempt int, fresh bool) Applied {
	j := &job{Rotator: r, c: c, intended: attempt}
	for lost := 0; ; lost++ {
		err := j.run(ctx, fresh && lost == 0)
		if err == nil {
			return j.out
		}
		var stop *protocol.Stop
		var sealed *vault.Error
		final := errors.As(err, &stop) || errors.As(err, &sealed) || ctx.Err() != nil
		if final || lost == lostAnswers {
			j.out.Stop, j.out.Step, j.out.Proof = asStop(err), j.step, ""
			return j.out
		}
	}
}

// job is one Apply: what was observed, and what was reached.
type job struct {
	*Rotator
	c        credential.Credential
	intended int // the attempt whose intent is in the ledger
	out      Applied
	step     protocol.Step

	staged  vault.Staged
	paths   []credential.Path   // those of the roll, and Rollcall's own if it takes part
	lives   []vault.Live        // current, in the order of paths
	parts   []part              // how each takes part
	tried   []credential.Secret // old values that the account refused in this look
	inForce credential.Secret   // the old value that the account accepted in this look, if any
	olds    []credential.Secret // distinct values from before the rotation
	account kind.Account
	retired int               // how often, in this look
	left    string            // the change mark as Retire left it, or an earlier pass's; empty if that is not known
	unsent  bool              // no server has the staged value
	handed  bool              // lives were taken over from Prepare
	before  map[string]string // change marks from before Set, by server

	sinces map[vault.Placed]vault.Since // what became of paths, as the notes say

	suspected credential.FindingCode // noted once the new value was seen to work
	held      []credential.Finding   // noted once the new value is written

	newRight  bool      // the staged value was the right one before this look set anything
	rationed  bool      // no old value was offered before Set, because that could have locked the account
	again     int       // how often it was set again for a server that had refused the change
	setAt     time.Time // in this look; zero if it did not set
	lastLogin time.Time // on the write server, of the proof
}

// run looks once and goes forward as far as it can.
func (j *job) run(ctx context.Context, fresh bool) error {
	j.step, j.retired, j.left, j.setAt, j.newRight = protocol.Precheck, 0, "", time.Time{}, false
	if !j.inHand(fresh) {
		if err := j.observeVault(ctx); err != nil {
			return err
		}
		if err := j.observeAccount(ctx); err != nil {
			return err
		}
	}
	facts, err := j.observeLogins(ctx, fresh)
	if err != nil {
		return err
	}
	d := j.decide(facts)
	j.noteSeen(d)
	if facts.Unproved && d.Stop != nil {
		j.note(credential.FindingPathRefused)
	}
	if d.Stop != nil {
		if facts.NewBinds == protocol.MustChange {
			j.Brake.verified(j.c.ID, d.Stop)
		}
		return withServer(d.Stop, j.writeServer())
	}
	if facts.Activated {
		j.Gate.activated(j.c.ID, false)
		j.noteHeld()
	}
	if d.Step == protocol.Stage {
		return j.restage(ctx, d.Finding)
	}
	switch d.Step {
	case protocol.Set:
		defer j.Gate.leave(j.c.ID)
		defer j.Brake.leave(j.c.ID)
	case protocol.Verify:
		if j.held, err = j.placesSeen(ctx, false); err != nil {
			return err
		}
	}
	for _, step := range protocol.Order(d.Step, j.Authority.RetiresFirst(j.c)) {
		if err := j.do(ctx, step, facts, d); err != nil {
			return err
		}
		if step == protocol.Prove {
			return nil
		}
	}
	return &protocol.Stop{Reason: protocol.ReasonInternal, Detail: fmt.Sprintf("no way to do step %q", d.Step)}
}

// do carries out one step of those that the look led to.
func (j *job) do(ctx context.Context, step protocol.Step, facts protocol.Facts, d protocol.Decision) error {
	switch step {
	case protocol.Set:
		j.step = protocol.Intent
		if stop := j.hindered(j.c, &j.account); stop != nil {
			return stop
		}
		if stop := copied(j.c, j.paths, j.lives); stop != nil {
			return stop
		}
		if err := j.fit(); err != nil {
			return err
		}
		if err := j.stays(ctx); err != nil {
			return err
		}
		if stop := j.beforeSet(ctx); stop != nil {
			return stop
		}
		if stop := j.Brake.enter(ctx, j.c.ID, j.staged.Asked && !facts.Fresh); stop != nil {
			return stop
		}
		if stop := j.Gate.enter(ctx, j.c.ID, j.written(), j.Slots); stop != nil {
			return stop
		}
		if err := j.mark(ctx, facts, d); err != nil {
			j.Gate.refused(err)
			return err
		}
		return j.set(ctx)
	case protocol.Verify:
		err := j.verify(ctx, d.Step == protocol.Verify)
		j.Brake.verified(j.c.ID, err)
		if err == nil {
			j.note(j.suspected)
		}
		return err
	case protocol.Activate:
		if stop := j.withinReach(ctx); stop != nil {
			return stop
		}
		if err := j.activate(ctx); err != nil {
			return j.notActivated(err)
		}
		j.Gate.activated(j.c.ID, true)
		j.noteHeld()
		return nil
	case protocol.Retire:
		if err := j.retire(ctx); err != nil {
			return j.notActivated(err)
		}
		return j.closed(ctx)
	}
	if err := j.settle(ctx); err != nil {
		return err
	}
	return j.lasting()
}

// decide asks the protocol, and words its finding by what earlier passes saw.
func (j *job) decide(facts protocol.Facts) protocol.Decision {
	d := protocol.Next(facts)
	switch {
	case d.Step == protocol.Set && j.staged.Changed != "":
		d.Finding = j.staged.Changed
	case d.Finding == credential.FindingChangedBefore && j.staged.Attempt > 1:
		d.Finding = credential.FindingChangedDuring
	case d.Finding == "" && d.Stop == nil && !facts.OldKnown:
		d.Finding = credential.FindingNeverHeld
	case d.Finding == "" && d.Stop == nil && j.staged.Outlived > 0:
		d.Finding = credential.FindingOutlived
	case d.Finding == "" && d.Stop == nil:
		// What a pass found that was killed before it could say so.
		d.Finding = j.staged.Changed
	}
	return d
}

// noteSeen records what a look found. That all values were refused tells of a change by somebody
// else only where the new one works: a server that lets the account in from nowhere, or not from
// here, refuses every one.
func (j *job) noteSeen(d protocol.Decision) {
	j.suspected = ""
	if d.Step == protocol.Set && d.Stop == nil && (d.Finding == credential.FindingChangedBefore || d.Finding == credential.FindingChangedDuring) {
		j.suspected = d.Finding
		return
	}
	j.note(d.Finding)
}

// noteHeld records where the new value went, once it is there.
func (j *job) noteHeld() {
	for _, f := range j.held {
		j.noteDetail(f)
	}
	j.held = nil
}

// mark makes durable, before Set, that the staged value is sent and that the
// old ones were refused. Where there is nothing to say, as with nearly every
// credential, it costs nothing.
func (j *job) mark(ctx context.Context, facts protocol.Facts, d protocol.Decision) (err error) {
	j.step = protocol.Intent
	if j.held, err = j.placesSeen(ctx, true); err != nil {
		return err
	}
	refused := facts.OldKnown && (facts.OldBinds == protocol.Refused || j.rationed)
	places := j.places()
	if !j.staged.Unsent && (!refused || j.staged.Asked) && maps.Equal(places, j.staged.Places) {
		return nil
	}
	marked := j.staged
	marked.Unsent, marked.Places = false, places
	if refused && !marked.Asked {
		marked.Asked, marked.Changed = true, d.Finding
	}
	return j.remark(ctx, marked)
}

func (j *job) remark(ctx context.Context, marked vault.Staged) (err error) {
	j.staged, err = j.Store.Restage(ctx, j.c.ID, marked)
	return err
}

// restage throws away a staged value that is not in force and will not be, and
// stages another. The intent for it must be recorded before it is set, so
// this pass ends here. code is what was found, if anything.
func (j *job) restage(ctx context.Context, code credential.FindingCode) error {
	j.step = protocol.Stage
	value, err := j.newValue(ctx, j.c, j.paths, j.lives)
	if err != nil {
		return err
	}
	next := j.staged
	next.Secret, next.Attempt, next.PolicyRefused, next.CreatedAt = value, j.staged.Attempt+1, false, j.Now().UTC()
	next.Unsent, next.Retired, next.Closed, next.Before = true, "", false, j.account.Changed
	switch code {
	case "":
	case credential.FindingOutlived:
		next.Outlived++
	default: // somebody else changed it
		next.Asked, next.Changed = true, code
	}
	j.nextPlaces(&next)
	_, err = j.Store.Restage(ctx, j.c.ID, next)
	j.opened()
	if err != nil {
		return err
	}
	return restaged(next.Attempt)
}

func restaged(attempt int) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonRestaged, Detail: fmt.Sprintf("attempt %d is staged; it is set once its intent is recorded", attempt)}
}

// RoomToActivate is what Set, Verify and Activate may take when servers are
// slow. Begun with less, they could be broken off in between.
const RoomToActivate = 30 * time.Second

func (j *job) set(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < RoomToActivate {
		return &protocol.Stop{Reason: protocol.ReasonInterrupted, Detail: "too little time was left to set and activate it; nothing was changed"}
	}
	j.step = protocol.Set
	var old credential.Secret
	if n := len(j.olds); n > 0 {
		old = j.olds[0]
		if j.inForce.IsZero() {
			// Which one is in force was not found out. A server that wants it refuses the
			// wrong one, and the next attempt brings the next.
			old = j.olds[max(0, j.staged.Attempt-1)%n]
		}
	}
	account := j.account
	account.LeftOut = j.LeftOut
	if j.newRight {
		account.Before = j.staged.Before
	}
	err := j.Authority.Set(ctx, account, j.staged.Secret, old)
	var stop *protocol.Stop
	if errors.As(err, &stop) && stop.Reason.NotSet() {
		marked := j.staged
		// A policy also refuses a value that a slow twin has just set; a missing right, or a
		// server that takes no changes, refuses both of us.
		marked.Unsent = j.unsent || stop.Reason != protocol.ReasonPolicy
		marked.PolicyRefused = marked.PolicyRefused || stop.Reason == protocol.ReasonPolicy
		if marked.Unsent != j.staged.Unsent || marked.PolicyRefused != j.staged.PolicyRefused {
			if markErr := j.remark(ctx, marked); markErr != nil {
				return markErr
			}
		}
	}
	if err == nil {
		j.setAt = j.Now()
		j.out.SetAt = j.setAt.UTC().Truncate(time.Millisecond)
	}
	return err
}

// verify holds the write server to the new value before consumers read it.
// The other servers are held to it in prove: consumers cannot wait for a
// replica while the write server already refuses what they have.
func (j *job) verify(ctx context.Context, seen bool) error {
	j.step = protocol.Verify
	if seen {
		return nil
	}
	answer, err := j.Authority.Try(ctx, j.writeServer(), j.account, j.staged.Secret)
	switch {
	case err != nil:
		return err
	case answer == protocol.Accepted:
		return nil
	case answer == protocol.Refused:
		return j.unlessReverted(ctx, &protocol.Stop{Reason: protocol.ReasonNewRefused, Server: j.writeServer(), Detail: "the server took the new value and refuses it; consumers still read the old one and the new one is staged"})
	}
	return protocol.StopFor(answer, j.writeServer())
}

func (j *job) activate(ctx context.Context) error {
	j.step = protocol.Activate
	for i, p := range j.paths {
		live := j.lives[i]
		if j.parts[i] == apart || live.Value.Equal(j.staged.Secret) {
			continue
		}
		if live.Problem != "" && !overDeleted(j.c, p, live) {
			return &protocol.Stop{Reason: protocol.ReasonConflict, Detail: fmt.Sprintf("somebody else wrote path %d of this credential, and it holds no bare secret in its field now (%s); its password was changed, and the new value waits in staging: put the field right, and the next pass activates it", i+1, live.Problem)}
		}
		listed := live.Value.Equal(j.staged.Old[p.String()])
		if live.Found && live.Version != j.staged.Base[p.String()] && !listed {
			// A stranger wrote the path after we listed it. Their value is not
			// in force, ours is: consumers need ours.
			j.note(credential.FindingChangedDuring)
		}
		now, err := j.Store.Activate(ctx, p, live, j.staged.Secret, j.owner(p))
		if vault.AsCAS(err) && j.handed {
			// What was taken over is older than a look of our own would be: look once more.
			if j.lives[i], err = j.Store.ReadLive(ctx, p, 0); err == nil {
				j.handed = false
				return j.activate(ctx)
			}
		}
		if vault.AsCAS(err) {
			return &protocol.Stop{Reason: protocol.ReasonConflict, Detail: fmt.Sprintf("somebody else wrote path %d of this credential just now; the new value is in force and staged, and is activated on the next pass", i+1)}
		}
		if err != nil {
			return err
		}
		if !standsFor(live.Value, j.inForce) && (!listed || j.parts[i] == kept) {
			now.Replaced = 0 // whose value it held is not known
		}
		j.lives[i] = now
	}
	return nil
}

// owner is what Rollcall's own paths carry, so that no other credential's value is ever
// written over it.
func (j *job) owner(p credential.Path) string {
	if j.c.Adopted || j.c.Spare != nil && p == *j.c.Spare {
		return j.c.Subject
	}
	return ""
}

func (j *job) retire(ctx context.Context) error {
	j.step = protocol.Retire
	j.noteActivated()
	account := j.account
	if j.newRight && j.retired == 0 {
		account.Before = j.staged.Before
	}
	account.LeftOut = j.LeftOut
	mark, findings, err := j.Authority.Retire(ctx, account, j.staged.Secret)
	j.left = mark
	for _, f := range findings {
		j.noteDetail(f)
	}
	j.retired++
	return err
}

func (j *job) note(code credential.FindingCode) {
	if code != "" {
		j.noteDetail(credential.Finding{Code: code})
	}
}

func (j *job) noteDetail(f credential.Finding) {
	for _, have := range j.out.Findings {
		if have.Code == f.Code {
			return
		}
	}
	j.out.Findings = append(j.out.Findings, f)
}

func withServer(s *protocol.Stop, server string) *protocol.Stop {
	if s.Server == "" && s.Reason != protocol.ReasonInternal && s.Reason != protocol.ReasonOtherOwner {
		s.Server = server
	}
	return s
}
