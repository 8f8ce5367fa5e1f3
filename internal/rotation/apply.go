package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// lostAnswers is how often one Apply looks again after an answer was lost
// before it leaves the credential to the next pass.
const lostAnswers = 2

// Apply carries a staged credential from Set to the proof that the old value is
// dead. attempt and fresh are Prepared's of this very pass; fresh is false on
// any retry. The caller has the intent for that attempt in the ledger: another
// attempt, staged by a try that was killed before it could say so, is left for
// the next pass.
//
// It is not broken off by ctx ending between Set and Activate: hand it a
// context that outlives a polite stop. Killed in the middle, it is called
// again and decides from what it sees.
func (r *Rotator) Apply(ctx context.Context, c credential.Credential, attempt int, fresh bool) Applied {
	if c.Kind.OnlyEnds() {
		return r.end(ctx, c, attempt)
	}
	j := &job{Rotator: r, c: c, intended: attempt}
	return j.carry(ctx, func(ctx context.Context) error { return j.run(ctx, fresh) })
}

// carry goes forward from a first look as far as it can, and looks again where
// an answer was lost.
func (j *job) carry(ctx context.Context, first func(context.Context) error) Applied {
	j.out.left, j.awaited = nil, ""
	defer func() { j.aside(ctx) }()
	for lost := 0; ; lost++ {
		look := first
		if lost > 0 {
			look = func(ctx context.Context) error { return j.run(ctx, false) }
		}
		err := look(ctx)
		if err == nil {
			if err = j.noteLate(ctx); err == nil {
				j.keepFound(ctx)
				j.tellKept()
				j.out.Late = !j.staged.Late.IsZero()
				return j.out
			}
			lost = lostAnswers // proved, and what may come is not written down
		}
		var stop *protocol.Stop
		var sealed *vault.Error
		final := errors.As(err, &stop) || errors.As(err, &sealed) || ctx.Err() != nil
		if final || lost == lostAnswers {
			// Where Vault does not take the marks either, the value stays
			// staged: only another campaign, which first has to end this one,
			// would replace it.
			j.noteEnd(ctx, err)
			j.tellKept()
			j.out.Stop, j.out.Step, j.out.Proof = protocol.AsStop(err), j.step, ""
			if j.awaited != "" && j.out.Stop.Reason == protocol.ReasonLagging {
				j.out.left = j
			}
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

	staged      ownmount.Staged
	entryAt     time.Time           // when staged was read or written
	paths       []credential.Path   // those of the roll, and Rollcall's own if it takes part
	lives       []vault.Live        // current, in the order of paths
	parts       []part              // how each takes part
	tried       []credential.Secret // old values that the account refused in this look
	accepted    []credential.Secret // old values that the account accepted in this look
	olds        []credential.Secret // distinct values from before the rotation
	account     kind.Account
	retired     int               // how often, in this look
	afterRetire string            // the change mark as Retire left it, or an earlier pass's; empty if that is not known
	unsent      bool              // no server has the staged value
	cached      bool              // lives were taken over from Prepare
	listed      bool              // which had them from the listing
	before      map[string]string // change marks from before Set, by server

	sinces map[ownmount.Placed]ownmount.Since // what became of paths, as the notes say

	suspected credential.FindingCode // noted once the new value was seen to work
	held      []credential.Finding   // noted once the new value is written

	newRight  bool            // the staged value was the right one before this look set anything
	refused   bool            // the write server's last word on the staged value, and nothing was sent since
	worked    bool            // it was the right one since
	leftAt    string          // the change mark as Retire left it, in any look
	unsentAt  string          // the write server's mark when it was last seen while no server had the staged value
	believed  bool            // it was not asked in this look, for that
	taken     bool            // for that, or for the account's mark, it was taken for refused in this look
	lacked    bool            // the authority said of a value, in this look, that it has not got it
	saw       map[string]bool // paths whose value the account accepted before a Set of this Apply, until the new one was seen to work
	wrong     int             // refused logins before Set, in this look
	reread    bool            // a field is read otherwise than the staging entry has it
	rationed  bool            // no old value was offered before Set, because that could have locked the account
	again     int             // how often it was set again for a server that had refused the change
	setAt     time.Time       // in this look; zero if it did not set
	began     time.Time       // this look
	stands    bool            // nothing keeps it from being set but other logins, and others may go by that
	late      unanswered
	assumed   bool      // mayHaveSent counted
	fenced    bool      // the entry is none that an attempt before this one has read
	lastLogin time.Time // on the write server, of the proof

	awaited  string           // the write server's change mark that a replica has not; empty: none is behind
	followed bool             // it was waited for
	silent   map[string]error // replicas that did not answer when they were asked how far they are
}

// run looks once and goes forward as far as it can.
func (j *job) run(ctx context.Context, fresh bool) error {
	j.step, j.retired, j.afterRetire, j.setAt, j.newRight = protocol.Precheck, 0, "", time.Time{}, false
	j.stands, j.began = false, time.Now()
	facts, err := j.observe(ctx, fresh)
	if err != nil {
		return err
	}
	j.mayHaveSent(facts)
	d := j.decide(facts)
	j.noteSeen(facts, d)
	switch {
	case d.Stop != nil:
		return withServer(d.Stop, j.writeServer())
	case d.Step == protocol.Stage:
		return j.restage(ctx, d.Finding)
	case d.Step == protocol.Set:
		defer j.Gate.Leave(j.c.ID)
		defer j.Brake.Leave(j.c.ID)
	}
	for _, step := range protocol.Order(d.Step, j.Authority.RetiresFirst(j.c)) {
		switch step {
		case protocol.Set:
			err = j.set(ctx, facts, d)
		case protocol.Verify:
			err = j.verify(ctx, d.Step == protocol.Verify)
		case protocol.Activate:
			err = j.activate(ctx)
		case protocol.Retire:
			err = j.retire(ctx)
		case protocol.Prove:
			return j.prove(ctx)
		}
		if err != nil {
			return err
		}
	}
	return &protocol.Stop{Reason: protocol.ReasonInternal, Detail: fmt.Sprintf("no way to do step %q", d.Step)}
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
