package activities

import (
	"context"
	"fmt"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
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
	rot.Refusals = &r.refusals
	ask := r.doorAsker(spec, campaign, rot.Device)
	if in.Doors == wire.DoorsLater {
		rot.LeaveDoors(ctx, ask, verdicts)
		return nil
	}
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

// doorAsker asks the doors of a campaign.
func (r *Rotation) doorAsker(spec *config.Campaign, campaign string, device []string) rotation.DoorAsker {
	return rotation.DoorAsker{
		Open: r.doorsOf(spec, device), Now: time.Now, Campaign: campaign, Refusals: &r.refusals,
		Settings: func(name string) door.Settings { return spec.Doors[name] },
		Flush: func(ctx context.Context, c credential.Credential, as credential.DoorLogin) *credential.Finding {
			return r.flushOnce(ctx, spec, campaign, device, c, as)
		},
		Flushed: func(ctx context.Context, id, door string) time.Time { return r.flushedAt(ctx, campaign, door, id) },
	}
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
