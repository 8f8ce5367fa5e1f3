package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// sameEnd keeps the time at which a door's cache is over, as it was when the
// door took the stolen value first: what a cache has of it grows no older by
// being asked.
func sameEnd(known []wire.OpenItem, applied []wire.AppliedItem) {
	was := map[int]wire.OpenItem{}
	for _, k := range known {
		was[k.Index] = k
	}
	for _, a := range applied {
		if k := was[a.Index]; a.Stop != nil && a.Stop.Reason == protocol.ReasonDoorTakesOld && k.Reason == a.Stop.Reason && k.Server == a.Stop.Server && k.Until > 0 {
			a.Stop.Until = time.Unix(k.Until, 0).UTC()
		}
	}
}

// awaited reports whether what keeps it open ends by itself after the pass
// began, as the campaign file says.
func awaited(it wire.OpenItem, began time.Time) bool {
	return it.Wait && time.Unix(it.Until, 0).After(began)
}

// Doors answer late, and one after the other: a thousand accounts at one that
// has them wait a quarter of a minute take hours. So they are asked in parts,
// each of which is recorded as it comes, and whatever is killed costs one part.

const (
	// doorsAtFirst is how many credentials the first part has.
	doorsAtFirst = 10
	// maxDoors is how many a part has that finds quick doors.
	maxDoors = 100
	// quickly is how long a part takes of which the next one is larger.
	quickly = 20 * time.Second
)

// atDoors tells what the servers proved, and whose doors are to be asked, from
// what is through.
func atDoors(applied []wire.AppliedItem) (through, later []wire.AppliedItem) {
	for _, a := range applied {
		if a.AtDoors {
			later = append(later, a)
		} else {
			through = append(through, a)
		}
	}
	return through, later
}

// askDoors asks the doors of what the servers of a batch proved. Each part
// looks at the servers again first, as a pass does that comes back.
func askDoors(ctx workflow.Context, in rotationInput, later []wire.AppliedItem) (out rotationResult, dead []wire.CleanItem) {
	steady, _ := workflow.NewDisconnectedContext(ctx)
	for size := doorsAtFirst; len(later) > 0; {
		part := in
		now := later[:min(size, len(later))]
		later = later[len(now):]
		part.Items = indexes(now)
		if ctx.Err() != nil {
			stopped := interrupted(now)
			if err := record(steady, part, nil, stopped); err != nil {
				workflow.GetLogger(ctx).Error("the ledger was not told", "error", err)
			}
			more, _ := ended(nil, stopped)
			out = out.with(more)
			continue
		}
		began := workflow.Now(ctx)
		var applied []wire.AppliedItem
		if err := workflow.ExecuteActivity(onRotation(ctx), wire.DoApply, wire.ApplyInput{Batch: in.Batch, Items: again(now, in.Known), Doors: wire.DoorsNow}).Get(ctx, &applied); err != nil {
			out = out.with(gaveUp(steady, part, protocol.Set, err))
			continue
		}
		remembered(now, applied)
		through, left := atDoors(applied)
		stillCutOff(in.Known, nil, through)
		sameEnd(in.Known, through)
		part.Items = indexes(through)
		if err := record(steady, part, nil, through); err != nil {
			out = out.with(gaveUp(steady, part, protocol.Outcome, err))
		} else {
			more, shut := ended(nil, through)
			out, dead = out.with(more), append(dead, shut...)
		}
		switch later = append(left, later...); {
		case len(left) > 0:
			size = max(1, len(now)-len(left))
		case workflow.Now(ctx).Sub(began) < quickly:
			size = min(2*size, maxDoors)
		}
	}
	return out, dead
}

func indexes(items []wire.AppliedItem) (out []int) {
	for _, a := range items {
		out = append(out, a.Index)
	}
	return out
}

// again has the servers of what they proved looked at once more.
func again(items []wire.AppliedItem, known []wire.OpenItem) (out []wire.ApplyItem) {
	was := map[int]wire.OpenItem{}
	for _, k := range known {
		was[k.Index] = k
	}
	for _, a := range items {
		k := was[a.Index]
		out = append(out, wire.ApplyItem{Index: a.Index, Attempt: a.Attempt, Sent: true, Against: k.Contradicts, Unheard: k.Unheard})
	}
	return out
}

// interrupted are those whose doors an abort keeps from being asked.
func interrupted(items []wire.AppliedItem) (out []wire.AppliedItem) {
	for _, a := range items {
		a.AtDoors, a.Stop = false, &protocol.Stop{Reason: protocol.ReasonInterrupted, Detail: "the campaign was aborted before its doors were asked; the new value is in force and activated"}
		out = append(out, a)
	}
	return out
}

// remembered adds what only the look knows that set the value.
func remembered(before, now []wire.AppliedItem) {
	was := map[int]wire.AppliedItem{}
	for _, b := range before {
		was[b.Index] = b
	}
	for i := range now {
		now[i].Remember(was[now[i].Index].Applied)
	}
}
