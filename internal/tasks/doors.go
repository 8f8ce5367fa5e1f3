package tasks

import (
	"context"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// Asking asks the doors of what people have said is done.
type Asking struct {
	rotation.DoorAsker

	Store *ownmount.Store
	// Stopped says that no other one is to be begun.
	Stopped func() bool
	// Authority opens the one of an account that has the login of a task.
	Authority func(credential.AccountAt) (kind.Authority, error)
	// Until is when no other one is begun any more, because what was asked is
	// to be recorded; zero: never.
	Until time.Time
}

// doorPatience is how many tasks in a row must get no reply at a door before
// the others are not asked there in this look.
const doorPatience = 3

// unheard are the tasks in a row that got no reply, by door.
type unheard map[string]int

// Ask asks the doors of the tasks cs of in, each of its own account. What they
// do not refuse keeps it open, whatever was said. It gives nothing of a task
// that was not begun in time: that one is to be asked at once.
func (a *Asking) Ask(ctx context.Context, in wire.Tasks, cs []credential.Credential) ([]wire.AskedTask, error) {
	if err := a.Remember(ctx); err != nil {
		return nil, err
	}
	out, begun, silent := make([]wire.AskedTask, 0, len(cs)), false, unheard{}
	for i, c := range cs {
		it := wire.AskedTask{Ref: in.Refs[i]}
		c, it.DoorsLeftOut = c.WithoutDoors(in.DoorsLeftOut)
		if len(c.Doors) == 0 && c.Task.At == nil && !c.Task.Make {
			it.Proof = protocol.ProofAttested // by people's word: no value is known
			out = append(out, it)
			continue
		}
		if begun && !a.Until.IsZero() && a.Now().After(a.Until) {
			continue
		}
		with, stop, err := a.values(ctx, in.Campaign, c)
		switch {
		case err != nil && !begun:
			return nil, err
		case err != nil: // to try all again would ask doors once more
			it.Stop = protocol.AsStop(err)
		case stop != nil:
			it.Stop = stop
		case a.Stopped():
			it.Stop = &protocol.Stop{Reason: protocol.ReasonInterrupted, Detail: "the worker stopped before its doors were asked"}
		default:
			begun = true
			look := rotation.NewLook()
			if it.Doors, it.Findings, it.Stop = a.doors(ctx, look, c, with, silent); it.Stop == nil {
				var f []credential.Finding
				f, it.Stop = a.elsewhere(ctx, c, with.olds, in.LeftOut)
				it.Findings = append(it.Findings, f...)
			}
			it.Stop, it.Spent = a.RefusedInALook(look, a.Keeps(it.Stop)), look.Spent(it.Stop)
			if it.Spent {
				it.Stop = rotation.InAnHour(it.Stop, a.Now())
			}
		}
		if it.Stop == nil {
			it.Proof = proofOf(c, with.all)
		} else {
			it.Doors, it.DoorsLeftOut = nil, nil
		}
		out = append(out, it)
	}
	return out, nil
}

// values are what the doors of a task are asked with.
type values struct {
	is   credential.Secret
	olds []credential.Secret
	all  bool // olds are all that a thief may have
	// given is what of olds was handed over before, and is not any more: it was
	// discarded, or somebody else may have read it.
	given []credential.Secret
	// made is what is handed over now. A person writes it where the row says,
	// and a listing after that takes what lies there for stolen.
	made credential.Secret
}

// die notes what has to be refused.
func (v *values) die(values ...credential.Secret) {
	for _, value := range values {
		if !value.IsZero() && !holds(v.olds, value) && (v.made.IsZero() || !v.made.Equal(value)) {
			v.olds = append(v.olds, value)
		}
	}
}

func holds(values []credential.Secret, value credential.Secret) bool {
	return slices.ContainsFunc(values, value.Equal)
}

// doors asks each, one after the other: people wait for none of it. One that is
// open keeps the others from being asked no more than once an hour, so that
// each that takes the stolen value is named; a door that refuses the new one
// ends the look, as the account's wrong logins do.
func (a *Asking) doors(ctx context.Context, look *rotation.Look, c credential.Credential, with values, silent unheard) (ev []protocol.DoorEvidence, found []credential.Finding, stop *protocol.Stop) {
	var names []string
	var open *protocol.Stop // why the first of them is
	had := 0                // wrong logins up to there
	began := a.Now().Truncate(time.Second)
	known, lately := a.Behind(c.ID, with.is, with.olds)
	seen := map[string]protocol.DoorEvidence{} // behind it
	for _, as := range c.Doors {
		names = append(names, as.Door)
	}
	for _, as := range c.Doors {
		if open != nil && lately {
			ev = append(ev, known[as.Door])
			continue
		}
		e, is := known[as.Door]
		var why *protocol.Stop
		if !is || !e.RefusedNew() {
			var f *credential.Finding
			if e, f, why = a.door(ctx, look, c, as, with, silent); f != nil {
				found = append(found, *f)
			}
		}
		if ev = append(ev, e); open != nil {
			seen[as.Door] = e
		}
		if why == nil {
			why = e.Open(len(with.olds) > 0)
		}
		if open == nil {
			open, had = why, look.Wrong()
		}
		if why != nil && (why.Reason == protocol.ReasonDoorRefusesNew || why.Reason == protocol.ReasonNearLock) {
			break
		}
	}
	if open == nil {
		return ev, found, a.stillTake(ctx, look, c, with.is, ev, began)
	}
	look.Behind(had)
	if !lately {
		a.NoteBehind(c.ID, with.is, with.olds, seen)
	}
	if shut := protocol.Shut(names, ev, len(with.olds) > 0); shut != nil && shut.Reason == protocol.ReasonDoorTakesOld {
		return nil, found, shut
	}
	return nil, found, open
}

// door asks one. stop is why it was not asked, or no further, where no reply of
// its own says it.
func (a *Asking) door(ctx context.Context, look *rotation.Look, c credential.Credential, as credential.DoorLogin, with values, silent unheard) (e protocol.DoorEvidence, f *credential.Finding, stop *protocol.Stop) {
	e.Door = as.Door
	d, err := a.Open(as.Door)
	switch {
	case err != nil:
		return e, nil, rotation.NotOpened(as.Door, err)
	case silent[as.Door] >= doorPatience:
		return e, nil, &protocol.Stop{Reason: protocol.ReasonDoorSilent, Server: as.Door, Detail: fmt.Sprintf("this door gave no reply about %d others in this look, so it was not asked about this one", doorPatience)}
	}
	if e, f, stop = a.DoorAsker.Ask(ctx, look, d, c, as, with.is, with.olds); stop != nil {
		return e, f, stop
	}
	if silent[as.Door]++; !e.Unanswered() {
		silent[as.Door] = 0
	}
	return e, f, nil
}

// stillTake is why what each door showed is no proof: one that was asked before
// this look began, while another one was not ready, does not take the new value
// any more.
func (a *Asking) stillTake(ctx context.Context, look *rotation.Look, c credential.Credential, value credential.Secret, ev []protocol.DoorEvidence, began time.Time) *protocol.Stop {
	for i, as := range c.Doors {
		if at, err := time.Parse(time.RFC3339, ev[i].At); err == nil && !at.Before(began) {
			continue
		}
		d, err := a.Open(as.Door)
		if err != nil {
			return rotation.NotOpened(as.Door, err)
		}
		now := protocol.DoorEvidence{Door: as.Door}
		var stop *protocol.Stop
		if now.First, now.Why, stop = a.OfferAgain(ctx, look, d, c, as, value); stop != nil {
			return stop // what was seen so far counts in the next look
		}
		if now.First != protocol.Accepted {
			a.Refusals.Forget(a.Campaign, c.ID, as.Door)
			return now.Open(false)
		}
	}
	return nil
}

// elsewhere asks the accounts that have the task's login, last of all: each
// refusal may count towards a lock there.
func (a *Asking) elsewhere(ctx context.Context, c credential.Credential, olds []credential.Secret, leftOut map[string][]string) (found []credential.Finding, stop *protocol.Stop) {
	for _, at := range c.Task.Elsewhere {
		au, err := a.Authority(at)
		if err != nil {
			return nil, protocol.AsStop(err)
		}
		if stop := a.RefusedElsewhere(ctx, au, at, olds, leftOut[at.Authority]); stop != nil {
			return nil, stop
		}
		if without := leftOut[at.Authority]; len(without) > 0 {
			found = append(found, credential.Finding{Code: credential.FindingSameName, Detail: fmt.Sprintf("%s has an account with the login of this task, which was not asked on %s: a person had left that out", at.Authority, strings.Join(without, ", "))})
		}
	}
	return found, nil
}

// proofOf is what shut doors prove: less than an end without one leaves to a
// person's word, or a stolen value that nobody knows.
func proofOf(c credential.Credential, allKnown bool) protocol.Proof {
	var doors []string
	at := map[string]string{}
	for _, d := range c.Doors {
		doors = append(doors, d.Door)
		at[d.Door] = d.End
	}
	var ends []string
	for _, e := range c.Task.Ends {
		ends = append(ends, e.Name)
	}
	if allKnown && len(doors) > 0 && protocol.AtEachEnd(ends, doors, at) {
		return protocol.ProofDoors
	}
	return protocol.ProofAttested
}

// values reads the new value and the stolen ones. The new one is what the
// person has written where the row says, else what was handed over to him.
func (a *Asking) values(ctx context.Context, campaign string, c credential.Credential) (with values, stop *protocol.Stop, err error) {
	with.all = c.Task.At != nil && len(c.Task.Stolen) > 0
	staged, found, err := a.Store.ReadStaged(ctx, c.ID)
	switch {
	case err != nil:
		return with, nil, err
	case c.Task.Make && (!found || staged.Campaign != campaign):
		return with, waits("each end is said to be done, and the new value that was handed over is not in staging any more"), nil
	case c.Task.Make:
		with.is, with.made = staged.Secret, staged.Secret
	}
	for _, key := range slices.Sorted(maps.Keys(staged.Old)) {
		with.given = append(with.given, staged.Old[key])
	}
	if c.Task.At != nil {
		if stop, err = a.written(ctx, c, &with); stop != nil || err != nil {
			return with, stop, err
		}
	}
	if with.is.IsZero() {
		return with, waits("each end is said to be done, and what Vault holds at the path of its row is what it held when it was listed: write the new value there, and its doors are asked again"), nil
	}
	if holds(with.olds, with.is) {
		return with, waits("each end is said to be done, and the value at the path of its row is the stolen one: change it, and write the new one there"), nil
	}
	if holds(with.given, with.is) {
		return with, waits("each end is said to be done, and the value at the path of its row is one that was handed over before and is not to be used any more: change it to the one that is handed over now, and write that there"), nil
	}
	with.die(with.given...)
	return with, nil, nil
}

// written reads what a person has written, and what was stolen.
func (a *Asking) written(ctx context.Context, c credential.Credential, with *values) (*protocol.Stop, error) {
	stolen, err := stolenOf(ctx, a.Store, c)
	if err != nil {
		return nil, err
	}
	live, err := a.Store.ReadLive(ctx, *c.Task.At, 0)
	if err != nil {
		return nil, err
	}
	handed, unknown := with.is, 0
	now := credential.StolenVersion{Version: live.Version, Written: live.Written}
	switch {
	case slices.ContainsFunc(c.Task.Stolen, now.Same):
	case len(readings(live, c)) > 0:
		with.is = readings(live, c)[0]
	case live.Problem != "" && !c.Task.Make:
		return waits(fmt.Sprintf("each end is said to be done, and the path of its row holds nothing that could be its new value (%s): write it there, as a field of its own", live.Problem)), nil
	}
	for _, v := range c.Task.Stolen {
		if len(stolen.Of(v)) == 0 {
			with.all, unknown = false, v.Version
		}
		with.die(stolen.Of(v)...)
	}
	// Rollcall's own clean-up for another field of the secret, or its
	// max_versions, may have left the stolen value in a later version.
	if unknown > 0 && !with.is.IsZero() && !with.is.Equal(handed) && !holds(with.olds, with.is) {
		do := "have Rollcall make the new value (make: true in its row) and run again, or accept it as open (rollcall accept-open)"
		if c.Task.Make {
			do = "write there the value that was handed over, and its doors are asked again"
		}
		return waits(fmt.Sprintf("each end is said to be done, and version %d of the secret at the path of its row, which was stolen, cannot be read any more: whether what lies there now is that value or a new one cannot be told, so no door was asked: %s", unknown, do)), nil
	}
	return nil, nil
}

// Proved are the entries of what doors showed, and the tasks that are dead.
func Proved(in wire.AskedTasks, cs []credential.Credential, state *ledger.State, now time.Time) (entries []ledger.Entry, dead credential.Refs) {
	for i, it := range in.Items {
		c := cs[i]
		line := state.Credential(c.ID)
		if line == nil || line.Task == nil || line.Task.Left() > 0 {
			continue // it is to be done anew
		}
		for _, f := range it.Findings {
			if slices.Contains(line.Findings, f) {
				continue // it is told again, lest a result was lost
			}
			e := ledger.About(in.Tasks.Campaign, c, ledger.EventFinding, fmt.Sprintf("%s.%d.%08x", f.Code, in.Round, crc32.ChecksumIEEE([]byte(f.Detail))), now)
			e.Finding, e.Detail = f.Code, f.Detail
			entries = append(entries, e)
		}
		if line.Outcome == ledger.Dead {
			dead = append(dead, it.Ref) // an earlier try recorded it
			continue
		}
		if it.Stop != nil {
			e := ledger.About(in.Tasks.Campaign, c, ledger.EventOpen, fmt.Sprint(in.Round), now)
			e.Step, e.Reason, e.Server, e.Detail, e.Until = protocol.Prove, it.Stop.Reason, it.Stop.Server, it.Stop.Detail, it.Stop.Until
			entries = append(entries, e)
			continue
		}
		e := ledger.About(in.Tasks.Campaign, c, ledger.EventOutcome, "1", now)
		e.Step, e.Attempt, e.Proof, e.AtDoors, e.DoorsLeftOut = protocol.Outcome, 1, it.Proof, it.Doors, it.DoorsLeftOut
		entries = append(entries, e)
		dead = append(dead, it.Ref)
	}
	return entries, dead
}
