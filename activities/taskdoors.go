package activities

import (
	"context"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/tasks"
	"rollcall/internal/wire"
)

// AskTaskDoors asks the doors of what people have said is done. It reads the
// values, and keeps none.
func (r *Rotation) AskTaskDoors(ctx context.Context, in wire.Tasks) ([]wire.AskedTask, error) {
	ctx, still := beat(ctx)
	defer still()
	cs, err := tasks.Of(ctx, r.Store, in)
	if err != nil {
		return nil, classify(errVault, err)
	}
	spec, err := r.listedSpec(ctx, in.Campaign) // which names doors by their addresses
	if err != nil {
		return nil, err
	}
	device, err := r.deviceHosts(ctx, in.Campaign)
	if err != nil {
		return nil, err
	}
	told := r.toldFlushes(ctx, spec, in.Campaign, cs, func(string) bool { return !firstAttempt(ctx) })
	if in.Round > 0 && !firstAttempt(ctx) {
		return alsoFlushed(diedAsking(in.Refs), in.Refs, cs, told), nil
	}
	a := tasks.Asking{Store: r.Store, DoorAsker: r.doorAsker(spec, in.Campaign, device).Counting(r.Store), Stopped: func() bool { return notBegun(ctx, &breaker{}) != nil }, Until: time.Now().Add(doorsAtATime),
		Authority: func(at credential.AccountAt) (kind.Authority, error) {
			return r.Kinds.Authority(spec, at.Authority, at.Kind)
		}}
	out, err := a.Ask(ctx, in, cs)
	return alsoFlushed(out, in.Refs, cs, told), classify(errVault, err)
}

// alsoFlushed adds to what was found of tasks what came of their flushes.
func alsoFlushed(out []wire.AskedTask, refs credential.Refs, cs []credential.Credential, told map[string][]credential.Finding) []wire.AskedTask {
	for i := range out {
		if n := slices.Index(refs, out[i].Ref); n >= 0 {
			out[i].Findings = withAlso(out[i].Findings, told[cs[n].ID])
		}
	}
	return out
}

// diedAsking is what came of a look whose worker was killed: workflows of this
// version try none again, and those of earlier ones are told that its doors may
// have refused the new value.
func diedAsking(refs credential.Refs) (out []wire.AskedTask) {
	for _, ref := range refs {
		out = append(out, wire.AskedTask{Ref: ref, Stop: &protocol.Stop{Reason: protocol.ReasonDoorRefusesNew, Detail: "a worker stopped while its doors were asked, one of which may have refused the new value: that counts as refused, and they are asked again later"}})
	}
	return out
}

// doorsAtATime is how long doors are asked before what they showed is recorded:
// some take a quarter of a minute for each login, and a kill loses what nobody
// wrote down.
const doorsAtATime = 3 * time.Minute

// RecordTaskDoors says what doors showed: which tasks are dead, and why others
// are not. It gives the former.
func (l *Ledger) RecordTaskDoors(ctx context.Context, in wire.AskedTasks) (dead credential.Refs, err error) {
	ctx, still := beat(ctx)
	defer still()
	l.looking.Lock() // what is said meanwhile is said of what comes after
	defer l.looking.Unlock()
	cs, err := tasks.Of(ctx, l.Store, in.Tasks)
	if err != nil {
		return nil, classify(errVault, err)
	}
	state, err := l.stateNow(ctx, in.Tasks.Campaign)
	if err != nil {
		return nil, err
	}
	entries, dead := tasks.Proved(in, cs, state, time.Now().UTC())
	return dead, l.append(ctx, in.Tasks.Campaign, entries)
}
