package rotation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// atDoors is what the doors of a proved credential are asked with. It stays in
// the process, as sight does.
type atDoors struct {
	account kind.Account
	new     credential.Secret
	olds    []credential.Secret // refused at every server; none that nobody knows
	// remember keeps the next pass from retiring the old value once more.
	remember func(context.Context)
}

// doorPatience is how many credentials in a row must get no answer at a door
// before the others of the batch are not asked there in this pass.
const doorPatience = 3

// turn is a door in one pass over a batch.
type turn struct {
	door       *opened.Door
	err        error
	unanswered int // credentials in a row; guarded by the door's Turn
}

// heard counts a credential to one of whose values it gave no answer: a door
// that answers the first one and hangs at the second costs as much.
func (t *turn) heard(ev protocol.DoorEvidence) {
	switch {
	case ev.First == protocol.NotAsked:
	case ev.Unanswered():
		t.unanswered++
	default:
		t.unanswered = 0
	}
}

// AskDoors offers the values of all that was just proved dead at the doors that
// each of them has: the new one, the old ones, the new one again. What a door
// takes or says nothing about is open again. The new one goes first on purpose:
// in many services a good login is what ends the old one in a cache.
//
// Each door is asked by one at a time, because many of them slow down, or turn
// away, an address whose logins fail (Dovecot's penalty, Postfix behind it).
// And each account is asked about at one door at a time: doors pass a wrong
// login on to the directory, which counts it, whichever door it came by (see
// prove_doors_lockout.go). stopped says that no other one is to be begun.
func (r *Rotator) AskDoors(ctx context.Context, verdicts []Verdict, ask DoorAsker, stopped func() bool) {
	turns := map[string]*turn{}
	r.openAnew(ctx, ask, verdicts)
	asked := r.haveDoors(verdicts)
	for _, v := range asked {
		for _, d := range v.Credential.Doors {
			if turns[d.Door] == nil {
				t := &turn{}
				t.door, t.err = ask.Open(d.Door)
				turns[d.Door] = t
			}
		}
	}
	if len(asked) == 0 {
		return
	}
	stops := r.tooFewTries(ctx, asked)
	if err := r.Refusals.read(ctx, r.Campaign); err != nil {
		for i := range stops {
			stops[i] = protocol.AsStop(err)
		}
	}
	var wg sync.WaitGroup
	round := &round{ask: ask, turns: turns, stopped: stopped, slots: make(chan struct{}, accountsAtOnce), until: ask.Until}
	for i, v := range asked {
		if r.Retried || r.Unheard[v.Credential.ID] {
			r.Refusals.mayHaveCome(ctx, r.Campaign, v.Credential.ID)
		}
		if stops[i] == nil {
			wg.Go(func() { stops[i] = r.askInTurn(ctx, v, round) }) // each its own element
		}
	}
	wg.Wait()
	r.lockedMeanwhile(ctx, asked, stops)
	for i, v := range asked {
		stop := stops[i]
		if v.AtDoors {
			continue
		}
		if stop == nil {
			stop = protocol.Shut(doorNames(v.Credential), v.Doors, len(v.at.olds) > 0)
		}
		if stop == nil {
			continue
		}
		stop = r.refusedIn(ctx, ask, v, stop)
		if stopped() && stop.Reason == protocol.ReasonDoorSilent {
			stop = &protocol.Stop{Reason: protocol.ReasonInterrupted, Server: stop.Server, Detail: "its worker stopped before its doors were asked"}
		}
		stop = ask.Keeps(aboutDoor(stop))
		v.at.remember(ctx)
		v.Stop, v.Step, v.Proof, v.Doors, v.DoorsLeftOut = stop, protocol.Prove, "", nil, nil
	}
}

// aboutDoor says of a door that shows nothing that this is no doubt about the
// value, which was proved at the servers before any door was asked.
func aboutDoor(stop *protocol.Stop) *protocol.Stop {
	if stop == nil || stop.Reason != protocol.ReasonDoorSilent {
		return stop
	}
	said := *stop
	said.Detail += "; the new value itself is in no doubt: every server takes it, and it is activated"
	return &said
}

// haveDoors are those that were just proved dead and have doors that are to be
// asked.
func (r *Rotator) haveDoors(verdicts []Verdict) (asked []Verdict) {
	for _, v := range verdicts {
		if !v.Dead() || len(v.Credential.Doors) == 0 {
			continue
		}
		if v.Credential, v.DoorsLeftOut = v.Credential.WithoutDoors(r.DoorsLeftOut); len(v.Credential.Doors) == 0 {
			continue // dead on its servers, as a person has it
		}
		asked = append(asked, v)
	}
	return asked
}

// LeaveDoors leaves what has doors for later: it is neither dead nor open.
func (r *Rotator) LeaveDoors(ctx context.Context, ask DoorAsker, verdicts []Verdict) {
	r.openAnew(ctx, ask, verdicts)
	for _, v := range r.haveDoors(verdicts) {
		v.leaveDoors(ctx)
	}
}

func (v Verdict) leaveDoors(ctx context.Context) {
	v.at.remember(ctx)
	v.AtDoors, v.Step, v.Proof, v.Doors, v.DoorsLeftOut = true, protocol.Prove, "", nil, nil
}

// accountsAtOnce bounds the accounts whose doors are asked side by side, so
// that there are few to finish when time is up.
const accountsAtOnce = 16

// round is one pass over the doors of a batch.
type round struct {
	ask     DoorAsker
	turns   map[string]*turn
	stopped func() bool
	slots   chan struct{}
	until   time.Time // when no other account is begun, if one was; zero: never
	begun   atomic.Bool
}

// askInTurn asks the doors of one credential, unless time is up.
func (r *Rotator) askInTurn(ctx context.Context, v Verdict, in *round) *protocol.Stop {
	in.slots <- struct{}{}
	defer func() { <-in.slots }()
	if in.begun.Swap(true) && !in.until.IsZero() && r.Now().After(in.until) && !in.stopped() {
		v.leaveDoors(ctx)
		return nil
	}
	return r.askAll(ctx, v, in.ask, in.turns, in.stopped)
}

// askAll asks the doors of one credential, one after another. stop is why it
// broke off, where no door's own answer says it.
func (r *Rotator) askAll(ctx context.Context, v Verdict, ask DoorAsker, turns map[string]*turn, stopped func() bool) (stop *protocol.Stop) {
	var not *protocol.Stop // why the first of those that are not asked is not
	leave := func(why *protocol.Stop) {
		if not == nil {
			not = why
		}
	}
	v.Doors = make([]protocol.DoorEvidence, len(v.Credential.Doors))
	may := make([]*protocol.Stop, len(v.Doors))
	wrong := &wrongLogins{clear: func(ctx context.Context) *protocol.Stop { return r.goodLogins(ctx, v.at) }}
	for n, as := range v.Credential.Doors {
		v.Doors[n] = protocol.DoorEvidence{Door: as.Door}
		t := turns[as.Door]
		if stop != nil {
			continue
		}
		if t.err != nil {
			leave(NotOpened(as.Door, t.err))
			continue
		}
		if is := ask.waiting(v.Credential, as.Door, v.at); is != nil {
			v.Doors[n], may[n] = is.ev, is.stop
			continue
		}
		if stop = r.Refusals.spent(r.Campaign, v.Credential.ID); stop != nil {
			continue
		}
		h := r.Refusals.held(ctx, r.Campaign, ask, v.Credential, as.Door)
		if h != nil && !stopped() && r.flushHeld(ctx, v, ask, turns[h.Server], h.Server) {
			h = r.Refusals.held(ctx, r.Campaign, ask, v.Credential, as.Door)
		}
		if h == nil {
			h = r.Refusals.pooledOut(ctx, r.Campaign, v.Credential.ID, as.Door, r.Now())
		}
		if h != nil {
			leave(h)
			continue
		}
		if stop = r.fewUses(ctx, v, ask, as.Door); stop != nil {
			continue
		}
		t.door.Turn.Lock()
		if t.unanswered < doorPatience && !stopped() {
			wrong.some = true // others may have run some up while it waited for its turn
			of := ask.asking(t.door, v.Credential, as, v.at, wrong)
			of.names = names{r.Refusals, r.Campaign, v.Credential.ID, as.Door}
			of.looks = r.Refusals.looks(r.Campaign, v.Credential.ID, as.Door, of.looks)
			began := r.Now()
			v.Doors[n], stop = r.askFlushed(ctx, v, ask, of)
			t.heard(v.Doors[n])
			may[n] = ask.settles(ctx, v.Credential, v.Doors[n], v.at, began)
		}
		t.door.Turn.Unlock()
	}
	if left := wrong.before(ctx); stop == nil {
		stop = left
	}
	switch took := slices.ContainsFunc(v.Doors, protocol.DoorEvidence.TookOld); {
	case took && stop != nil && slices.Contains(ofOneDoor, stop.Reason):
		return nil // that one is what is to be told
	case stop == nil && !took && not == nil:
		return onlyWaits(v, may)
	case stop == nil && !took:
		return not
	}
	return stop
}

// ofOneDoor are the stops of a door that is not asked, which say nothing of the
// account.
var ofOneDoor = []protocol.Reason{protocol.ReasonDoorSilent, protocol.ReasonDoorRefusesNew, protocol.ReasonFewUses, protocol.ReasonPointsAtDevice}

// askFlushed asks a door about a credential, and once more after a flush that
// is done, if that does not cost the account its last wrong login. What a web
// hook began goes on for a while, and a try before its end would be wasted: the
// passes after that ask again (see Refusals.kept).
func (r *Rotator) askFlushed(ctx context.Context, v Verdict, ask DoorAsker, of asking) (protocol.DoorEvidence, *protocol.Stop) {
	id := v.Credential.ID
	var ev answered
	var stop *protocol.Stop
	askOnce := func() {
		ev, stop = askDoor(ctx, of)
		r.Refusals.noteOld(ctx, r.Campaign, id, ev.DoorEvidence)
		r.Refusals.saw(ctx, r.Campaign, id, ev, ask.mayKeep(ev), r.Now())
		r.Refusals.pooled(ctx, r.Campaign, id, ev, r.Now())
	}
	askOnce()
	f := ask.flushed(ctx, v.Credential, of.as, ev)
	if f == nil {
		return ev.DoorEvidence, stop
	}
	v.Findings = append(v.Findings, *f)
	if f.Code != credential.FindingFlushed {
		return ev.DoorEvidence, stop
	}
	r.Refusals.noteFlushed(ctx, r.Campaign, id, of.as.Door, r.Now())
	if stop == nil && of.at.Flush.Works() == 0 && r.Refusals.spent(r.Campaign, id) == nil {
		of.looks = door.MaxLooks
		askOnce()
	}
	return ev.DoorEvidence, stop
}

// flushHeld runs the flush of a door that refused the new value, if nobody has
// begun it: the worker that met the refusal was killed before it came to that.
// What an earlier version noted may have been another answer, and begins none.
// One that was run by a worker that was killed right behind it has its say. It
// reports whether a flush is known to have done what it is for.
func (r *Rotator) flushHeld(ctx context.Context, v Verdict, ask DoorAsker, t *turn, at string) bool {
	if t == nil || t.err != nil {
		return false
	}
	// As each login there: restarts of a service for several accounts do not
	// come at once.
	t.door.Turn.Lock()
	defer t.door.Turn.Unlock()
	i := slices.IndexFunc(v.Credential.Doors, func(as credential.DoorLogin) bool { return as.Door == at })
	if i < 0 || !r.Refusals.flushedSince(ctx, r.Campaign, v.Credential.ID, at).IsZero() {
		return false
	}
	var f *credential.Finding
	if _, told := r.Refusals.refusedOnce(ctx, r.Campaign, v.Credential.ID, at); told && ask.Flush != nil {
		f = ask.Flush(ctx, v.Credential, v.Credential.Doors[i])
	}
	if f == nil && ask.Flushed != nil {
		if done := ask.Flushed(ctx, v.Credential.ID, at); !done.IsZero() {
			r.Refusals.remembersFlush(r.Campaign, v.Credential.ID, at, done)
			return true
		}
	}
	if f == nil {
		return false
	}
	v.Findings = append(v.Findings, *f)
	if f.Code != credential.FindingFlushed {
		return false
	}
	r.Refusals.noteFlushed(ctx, r.Campaign, v.Credential.ID, at, r.Now())
	return true
}

// NotOpened is why a door is not asked.
func NotOpened(name string, err error) *protocol.Stop {
	var stop *protocol.Stop
	if !errors.As(err, &stop) {
		return &protocol.Stop{Reason: protocol.ReasonDoorSilent, Server: name, Detail: "this door was not asked: " + err.Error()}
	}
	at := *stop
	at.Server = name
	return &at
}

func doorNames(c credential.Credential) (out []string) {
	for _, d := range c.Doors {
		out = append(out, d.Door)
	}
	return out
}
