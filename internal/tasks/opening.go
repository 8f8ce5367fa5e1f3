package tasks

import (
	"context"
	"fmt"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// Open prepares what people see to, the tasks cs of in: it finds out who they
// are, makes the new value where one is wanted, stages it, and hands it over.
// Done twice it changes nothing. Of what is open already Moved says who has it
// by now.
func (h *Handing) Open(ctx context.Context, in wire.Tasks, cs []credential.Credential) ([]wire.OpenedTask, error) {
	out := Stopped(in, cs, nil)
	if err := KeepStolen(ctx, h.Store, cs); err != nil {
		return nil, err // of a listing by an earlier version
	}
	var err error
	if h.roll, err = RollOf(ctx, h.Store, in.Campaign); err != nil {
		return nil, err
	}
	h.campaign, h.leftOut, h.tasks = in.Campaign, in.DoorsLeftOut, map[int]handed{}
	for i, c := range cs {
		if out[i].Stop = problemOf(c); out[i].Stop != nil {
			if out[i].Findings, err = h.takeBack(ctx, c); err != nil {
				return nil, err
			}
			continue
		}
		var seats []string
		if seats, out[i].Stop, err = h.seatsOf(ctx, in, i, c); err == nil {
			err = h.take(ctx, i, c, seats)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := h.look(ctx, in); err != nil {
		return nil, err
	}
	for i := range cs {
		if out[i].Stop != nil {
			continue
		}
		if err := h.open(ctx, in, h.tasks[i], &out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Stopped is what becomes of the tasks cs of in where one thing keeps all of
// them from being opened.
func Stopped(in wire.Tasks, cs []credential.Credential, why *protocol.Stop) []wire.OpenedTask {
	out := make([]wire.OpenedTask, len(cs))
	for i, c := range cs {
		out[i] = wire.OpenedTask{Ref: in.Refs[i], Due: c.Task.Due, Stop: why}
	}
	return out
}

// moved is how often something was said about who has a task, and which value;
// 0 for one that is to be opened.
func moved(in wire.Tasks, ref credential.Ref) int {
	for _, m := range in.Moved {
		if m.Ref == ref {
			return m.Times
		}
	}
	return 0
}

// seatsOf are the entities that see to the ends of the ith task, by now.
func (h *Handing) seatsOf(ctx context.Context, in wire.Tasks, i int, c credential.Credential) ([]string, *protocol.Stop, error) {
	if n := moved(in, in.Refs[i]); n > 0 {
		seats, err := h.Store.SeatsAfter(ctx, in.Campaign, c.ID, n)
		return seats, nil, err
	}
	if _, seats, found, err := h.Store.TaskOpened(ctx, in.Campaign, c.ID); err != nil || found {
		return seats, nil, err // an earlier try opened it
	}
	return h.owners(ctx, c)
}

// problemOf is why nobody is asked to do it: it is on the roll for an earlier
// campaign's sake alone.
func problemOf(c credential.Credential) *protocol.Stop {
	if c.Problem == "" {
		return nil
	}
	return &protocol.Stop{Reason: protocol.Reason(c.Problem), Detail: "an earlier campaign of the device left it open, and no manifest names it any more; nobody is asked to do it"}
}

// owners are the entities that see to the ends of a task.
func (h *Handing) owners(ctx context.Context, c credential.Credential) ([]string, *protocol.Stop, error) {
	known := map[string]string{}
	for _, owner := range c.Task.Owners() {
		// By number: names do not pass through Temporal.
		n := 1 + slices.IndexFunc(c.Task.Ends, func(e credential.TaskEnd) bool { return e.Owner == owner })
		p, err := h.Store.Person(ctx, owner)
		if err != nil {
			return nil, nil, err
		}
		if p == nil {
			return nil, waits(fmt.Sprintf("Vault knows no entity and no login of the name of the owner of end %d of the row: have that person log in to Vault once; or, if the name is wrong (a login is MOUNT/NAME, such as userpass/bob), abort, correct the row and run again; nothing was handed over", n)), nil
		}
		if why := p.Doubt(h.roll); why != "" {
			return nil, waits("the word of an owner would count for nothing: " + why + "; name somebody else in the row; nothing was handed over"), nil
		}
		known[owner] = p.ID
	}
	out := make([]string, 0, len(c.Task.Ends))
	for _, e := range c.Task.Ends {
		out = append(out, known[e.Owner])
	}
	return out, nil, nil
}

func waits(detail string) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonByHand, Detail: detail}
}

// takeBack takes what was handed over from everybody, where nobody is asked to
// do it any more. The value itself stays staged: it may be in force somewhere.
func (h *Handing) takeBack(ctx context.Context, c credential.Credential) ([]credential.Finding, error) {
	_, staged, err := h.Store.ReadStaged(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	taken, err := h.Store.KeepCards(ctx, h.campaign, c.ID)
	if err != nil || !staged && taken == 0 {
		return nil, err
	}
	// It goes through Temporal, and so names nothing.
	return []credential.Finding{{Code: credential.FindingTakenFromPeople, Detail: "what was handed over of it was taken back from whoever had it; its new value stays staged, for somebody may have set it at one end already: name the row again, and the next campaign goes on with it"}}, nil
}
