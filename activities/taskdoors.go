package activities

import (
	"context"
	"fmt"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/tasks"
	"rollcall/internal/wire"
)

// AskTaskDoors asks the doors of what people have said is done. It reads the
// values, and keeps none.
func (r *Rotation) AskTaskDoors(ctx context.Context, in wire.Tasks) ([]wire.AskedTask, error) {
	defer beat(ctx)()
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
	a := tasks.Asking{Store: r.Store, DoorAsker: r.doorAsker(spec, in.Campaign, device, !firstAttempt(ctx)), Stopped: func() bool { return notBegun(ctx, &breaker{}) != nil }}
	if in.Round > 0 {
		a.Begin = r.onceInARound(in)
	}
	out, err := a.Ask(ctx, in, cs)
	return out, classify(errVault, err)
}

// onceInARound keeps a worker that dies from costing an account more refused
// logins than the door gives: the try after it counts as one that the door has
// refused, and the workflow waits as after one.
func (r *Rotation) onceInARound(in wire.Tasks) func(context.Context, credential.Credential, string) *protocol.Stop {
	return func(ctx context.Context, c credential.Credential, door string) *protocol.Stop {
		first, err := r.Store.NoteOnce(ctx, in.Campaign, fmt.Sprintf("asked-%d", in.Round), door, c.ID)
		switch {
		case err != nil:
			return protocol.AsStop(err)
		case !first:
			return &protocol.Stop{Reason: protocol.ReasonDoorRefusesNew, Server: door, Detail: "a worker stopped while this door was asked, which may have refused the new value: it counts as refused, and is asked again later"}
		}
		return nil
	}
}

// RecordTaskDoors says what doors showed: which tasks are dead, and why others
// are not. It gives the former.
func (l *Ledger) RecordTaskDoors(ctx context.Context, in wire.AskedTasks) (dead credential.Refs, err error) {
	defer beat(ctx)()
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
