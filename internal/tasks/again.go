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
	// NotWritten: no door was asked, for what was handed over was not written
	// at the path of its row.
	NotWritten bool
}

// LookAgain offers, at each door of dead tasks, what Vault holds at the path of
// the row: a login that is good unless somebody has set another value since.
// Who kept a session open may have set the stolen one, which wants no old
// password in many services. It writes nothing.
func (a *Asking) LookAgain(ctx context.Context, cs []credential.Credential, leftOut []string) []Looked {
	out, silent := make([]Looked, len(cs)), unheard{}
	for i, c := range cs {
		c, _ = c.WithoutDoors(leftOut)
		value, is := a.isAt(ctx, c)
		if is == notWritten {
			out[i].NotWritten = true
			continue
		}
		if is != written || a.Stopped() || !a.Until.IsZero() && a.Now().After(a.Until) {
			out[i].Unseen = true
			continue
		}
		for _, as := range c.Doors {
			d, err := a.Open(as.Door)
			if err != nil || silent[as.Door] >= doorPatience {
				out[i].Unseen = true
				continue
			}
			reply, code, _ := a.OfferAgain(ctx, nil, d, c, as, value)
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

// atPath says what lies at the path of a task's row at the end.
type atPath int

const (
	notKnown   atPath = iota
	notWritten        // what was stolen, as it was: what was handed over was set at the service alone
	written
)

// isAt is what Vault holds by now at the path of a task's row. What was handed
// over, and not written there, is not in staging any more. A stolen value is
// offered nowhere: a door that refuses it does what it did at the proof.
func (a *Asking) isAt(ctx context.Context, c credential.Credential) (value credential.Secret, is atPath) {
	if c.Task == nil || c.Task.At == nil {
		return value, notKnown
	}
	live, err := a.Store.ReadLive(ctx, *c.Task.At, 0)
	if err != nil {
		return value, notKnown
	}
	now, values := credential.StolenVersion{Version: live.Version, Written: live.Written}, readings(live, c)
	switch {
	case len(values) == 0:
		return value, notKnown
	case slices.ContainsFunc(c.Task.Stolen, now.Same) && c.Task.Make:
		return value, notWritten
	case slices.ContainsFunc(c.Task.Stolen, now.Same) || a.mayBeStolen(ctx, c, live.Version, values[0]):
		return value, notKnown
	}
	return values[0], written
}

// mayBeStolen reports whether a later version at a task's path may hold a
// stolen value: whoever writes another field of the secret copies what lies
// beside it, and that is the newest stolen one where a person has not written
// what was handed over.
func (a *Asking) mayBeStolen(ctx context.Context, c credential.Credential, version int, value credential.Secret) bool {
	var newest credential.StolenVersion
	for _, v := range c.Task.Stolen {
		if v.Written.After(newest.Written) {
			newest = v
		}
	}
	for _, v := range c.Task.Stolen {
		if v.Version == 0 {
			continue // nobody knows it
		}
		values, err := readStolen(ctx, a.Store, c, v)
		if err != nil || holds(values, value) {
			return true
		}
		if c.Task.Make && len(values) == 0 && v.Same(newest) && !a.wasWritten(ctx, c, v.Version, version, value) {
			return true
		}
	}
	return false
}

// wasWritten reports whether a value came to a task's path after a version that
// is gone: one between them that can be read has another.
func (a *Asking) wasWritten(ctx context.Context, c credential.Credential, gone, version int, value credential.Secret) bool {
	for n := version - 1; n > gone; n-- {
		between, err := a.Store.ReadLive(ctx, *c.Task.At, n)
		if err != nil {
			return false
		}
		if values := readings(between, c); len(values) > 0 && !holds(values, value) {
			return true
		}
	}
	return false
}
