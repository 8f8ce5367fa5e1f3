package rotation

import (
	"context"
	"slices"
	"sync"

	"rollcall/internal/credential"
	"rollcall/internal/door/opened"
	"rollcall/internal/protocol"
)

// atDoors is what the doors of a proved credential are asked with. It stays in
// the process, as sight does.
type atDoors struct {
	new  credential.Secret
	olds []credential.Secret // refused at every server; none where the proof offered none
	// remember keeps the next pass from retiring the old value once more.
	remember func(context.Context)
}

// doorPatience is how many credentials in a row must get no answer at a door
// before the others of the batch are not asked there in this pass.
const doorPatience = 3

// AskDoors offers the values of all that was just proved dead at the doors that
// each of them has: the new one, the old ones, the new one again. What a door
// takes or says nothing about is open again. The new one goes first on purpose:
// in many services a good login is what ends the old one in a cache.
//
// Each door is asked by one at a time, because many of them slow down, or turn
// away, an address whose logins fail (Dovecot's penalty, Postfix behind it).
// open gives a door of the campaign file by its name; stopped says that no
// other one is to be begun.
func (r *Rotator) AskDoors(ctx context.Context, verdicts []Verdict, open func(name string) (*opened.Door, error), stopped func() bool) {
	by := map[string][]int{} // verdicts by door
	for i, v := range verdicts {
		if !v.Dead() {
			continue
		}
		if len(v.Credential.Doors) > 0 {
			v.Doors = make([]protocol.DoorEvidence, len(v.Credential.Doors))
		}
		for _, d := range v.Credential.Doors {
			by[d.Door] = append(by[d.Door], i)
		}
	}
	var wg sync.WaitGroup
	for name, which := range by {
		wg.Go(func() {
			d, err := open(name)
			silent := 0
			for _, i := range which {
				n := slices.IndexFunc(verdicts[i].Credential.Doors, func(l credential.DoorLogin) bool { return l.Door == name })
				ev := protocol.DoorEvidence{Door: name}
				if err == nil && silent < doorPatience && !stopped() {
					ev = r.askDoor(ctx, d, verdicts[i].Credential.Doors[n], verdicts[i].at)
				}
				if ev.First == protocol.Unreachable {
					silent++
				} else if ev.First != protocol.NotAsked {
					silent = 0
				}
				verdicts[i].Doors[n] = ev // each its own element
			}
		})
	}
	wg.Wait()
	for _, v := range verdicts {
		if !v.Dead() || len(v.Credential.Doors) == 0 {
			continue
		}
		stop := protocol.Shut(doorNames(v.Credential), v.Doors, len(v.at.olds) > 0)
		if stop == nil {
			continue
		}
		if stopped() && stop.Reason == protocol.ReasonDoorSilent {
			stop = &protocol.Stop{Reason: protocol.ReasonInterrupted, Server: stop.Server, Detail: "its worker stopped before its doors were asked"}
		}
		v.at.remember(ctx)
		v.Stop, v.Step, v.Proof, v.Doors = stop, protocol.Prove, "", nil
	}
}

// askDoor breaks off at the first answer that proves nothing, so that no door
// is offered the old value that does not take the new one.
func (r *Rotator) askDoor(ctx context.Context, d *opened.Door, as credential.DoorLogin, with atDoors) protocol.DoorEvidence {
	d.Turn.Lock()
	defer d.Turn.Unlock()
	ev := protocol.DoorEvidence{Door: as.Door}
	ev.First = d.Ask(ctx, as.Login, with.new).Reply
	if ev.First != protocol.Accepted {
		return ev
	}
	ev.New = ev.First
	for _, old := range with.olds {
		ev.New = protocol.NotAsked
		if ev.Old = d.Ask(ctx, as.Login, old).Reply; ev.Old != protocol.Refused {
			return ev
		}
		if ev.New = d.Ask(ctx, as.Login, with.new).Reply; ev.New != protocol.Accepted {
			return ev
		}
	}
	ev.At = evidenceTime(r.Now())
	return ev
}

func doorNames(c credential.Credential) (out []string) {
	for _, d := range c.Doors {
		out = append(out, d.Door)
	}
	return out
}
