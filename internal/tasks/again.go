package tasks

import (
	"context"
	"fmt"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Looked is what a look at the doors of a dead task came to, at the end.
type Looked struct {
	Stop   *protocol.Stop // it is open again
	Unseen bool           // not every door was seen to take what it was proved with
}

// LookAgain offers, at each door of dead tasks, what Vault holds at the path of
// the row: a login that is good unless somebody has set another value since.
// Who kept a session open may have set the stolen one, which wants no old
// password in many services. It writes nothing.
func (a *Asking) LookAgain(ctx context.Context, cs []credential.Credential, leftOut []string) []Looked {
	out, silent := make([]Looked, len(cs)), unheard{}
	for i, c := range cs {
		c, _ = c.WithoutDoors(leftOut)
		value, known := a.isAt(ctx, c)
		if !known || a.Stopped() || !a.Until.IsZero() && a.Now().After(a.Until) {
			out[i].Unseen = true
			continue
		}
		for _, as := range c.Doors {
			d, err := a.Open(as.Door)
			if err != nil || silent[as.Door] >= doorPatience {
				out[i].Unseen = true
				continue
			}
			reply, code := a.OfferAgain(ctx, d, c, as, value)
			if silent[as.Door]++; reply != protocol.Unreachable {
				silent[as.Door] = 0
			}
			switch reply {
			case protocol.Accepted:
			case protocol.Refused:
				out[i] = Looked{Stop: &protocol.Stop{Reason: protocol.ReasonChangedSince, Server: as.Door, Detail: fmt.Sprintf("this door refuses by now what Vault holds at the path of its row, which it took at the proof (%s): somebody has set another value since, at the service or at that path, and may have set the stolen one. Change it once more, end all sessions there, and run again", code)}}
			default:
				out[i].Unseen = true
			}
			if out[i].Stop != nil {
				break
			}
		}
	}
	return out
}

// isAt is what Vault holds by now at the path of a task's row. What was handed
// over, and not written there, is not in staging any more.
func (a *Asking) isAt(ctx context.Context, c credential.Credential) (value credential.Secret, known bool) {
	if c.Task == nil || c.Task.At == nil {
		return value, false
	}
	live, err := a.Store.ReadLive(ctx, *c.Task.At, 0)
	if err != nil {
		return value, false
	}
	now := credential.StolenVersion{Version: live.Version, Written: live.Written}
	is := readings(live, c)
	if len(is) == 0 || slices.ContainsFunc(c.Task.Stolen, now.Same) {
		return value, false
	}
	return is[0], true
}
