package activities

import (
	"context"
	"fmt"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/flush"
	"rollcall/internal/door/opened"
	"rollcall/internal/listing"
	"rollcall/internal/rotation"
	"rollcall/internal/wire"
)

// askDoors has what was proved dead at its authority proved at its doors too,
// or leaves that to an activity of its own: each door is asked by one at a
// time, and answers a wrong login late.
func (r *Rotation) askDoors(ctx context.Context, in wire.ApplyInput, rot *rotation.Rotator, cs []credential.Credential, done []rotation.Applied) error {
	campaign := in.Batch.Campaign
	spec, err := r.listedSpec(ctx, campaign) // which names doors by their addresses
	if err != nil || len(spec.Doors) == 0 {
		return err
	}
	ctx, still := beat(ctx)
	defer still()
	verdicts := make([]rotation.Verdict, 0, len(done))
	for i := range done {
		verdicts = append(verdicts, rotation.Verdict{Credential: cs[i], Applied: &done[i]})
	}
	if in.Doors == wire.DoorsLater {
		rot.LeaveDoors(ctx, verdicts)
		return nil
	}
	rot.Refusals = &r.refusals
	ask := r.doorAsker(spec, campaign, rot.Device, !firstAttempt(ctx))
	if in.Doors == wire.DoorsNow {
		ask.Until = time.Now().Add(doorsAtATime)
	}
	rot.AskDoors(ctx, verdicts, ask, func() bool { return notBegun(ctx, &breaker{}) != nil })
	return nil
}

// doorsOf opens the doors of a campaign by their names, at the addresses that
// were looked at, and none at one of the device.
func (r *Rotation) doorsOf(spec *config.Campaign, device []string) func(name string) (*opened.Door, error) {
	return func(name string) (*opened.Door, error) {
		s, ok := spec.Doors[name]
		if !ok {
			return nil, fmt.Errorf("the campaign file has no door called %q", name)
		}
		if err := listing.Dialled(s, device); err != nil {
			return nil, err
		}
		return r.doors.Open(s)
	}
}

// doorAsker asks the doors of a campaign. retried: a try before this one was
// killed.
func (r *Rotation) doorAsker(spec *config.Campaign, campaign string, device []string, retried bool) rotation.DoorAsker {
	return rotation.DoorAsker{
		Open: r.doorsOf(spec, device), Now: time.Now, Campaign: campaign, Refusals: &r.refusals,
		Settings: func(name string) door.Settings { return spec.Doors[name] },
		Flush: func(ctx context.Context, c credential.Credential, as credential.DoorLogin) *credential.Finding {
			s, ok := spec.Doors[as.Door]
			if !ok || s.Flush == nil {
				return nil
			}
			// Noted before it is run, so that it is run once at most: a worker
			// that dies in between has run it or not, and nobody knows.
			first, err := r.Store.NoteOnce(ctx, campaign, noteFlush, as.Door, c.ID)
			if err != nil {
				return &credential.Finding{Code: credential.FindingFlushFailed, Detail: "door " + as.Door + ": its flush was not run, for Vault did not take the note that it is run once"}
			}
			if !first {
				return r.flushUnknown(ctx, campaign, as.Door, c.ID, retried)
			}
			said, done := flush.Run(ctx, s, device, flush.Names{Door: as.Door, Login: as.Login, Device: spec.Device, Campaign: campaign})
			_, _ = r.Store.NoteOnce(ctx, campaign, noteFlushed, as.Door, c.ID)
			f := &credential.Finding{Code: credential.FindingFlushed, Detail: "door " + as.Door + ": its flush " + said}
			if !done {
				f.Code = credential.FindingFlushFailed
			}
			return f
		},
	}
}

// What is noted of flushes: one is about to be run, has been run, and that it
// is not known whether it was.
const (
	noteFlush        = "flush"
	noteFlushed      = "flushed"
	noteFlushUnknown = "flush-unknown"
)

// flushUnknown tells once of a flush that was begun and never said what came of
// it: its worker died, and it was run or not. It is not run again.
func (r *Rotation) flushUnknown(ctx context.Context, campaign, door, id string, retried bool) *credential.Finding {
	if _, done, err := r.Store.NotedAt(ctx, campaign, noteFlushed, door, id); done || err != nil {
		return nil
	}
	begun, _, err := r.Store.NotedAt(ctx, campaign, noteFlush, door, id)
	if err != nil || !retried && time.Since(begun) < 2*flush.Longest {
		return nil // it may be running
	}
	if first, err := r.Store.NoteOnce(ctx, campaign, noteFlushUnknown, door, id); !first || err != nil {
		return nil
	}
	return &credential.Finding{Code: credential.FindingFlushFailed, Detail: "door " + door + ": its flush was begun, and its worker stopped before it said what came of it: it may have been run or not, and is not run again"}
}

// doorPlaces are where the doors of a campaign file are, by name.
func doorPlaces(spec *config.Campaign) map[string]string {
	if len(spec.Doors) == 0 {
		return nil
	}
	out := map[string]string{}
	for name, d := range spec.Doors {
		out[name] = d.Place()
	}
	return out
}
