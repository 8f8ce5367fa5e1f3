package activities

import (
	"context"
	"fmt"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door/opened"
	"rollcall/internal/rotation"
)

// askDoors has what was proved dead at its authority proved at its doors too.
// It takes as long as they do: each is asked by one at a time, and answers a
// wrong login late.
func (r *Rotation) askDoors(ctx context.Context, spec *config.Campaign, rot *rotation.Rotator, cs []credential.Credential, done []rotation.Applied) {
	if len(spec.Doors) == 0 {
		return
	}
	defer beat(ctx)()
	verdicts := make([]rotation.Verdict, 0, len(done))
	for i := range done {
		verdicts = append(verdicts, rotation.Verdict{Credential: cs[i], Applied: &done[i]})
	}
	open := func(name string) (*opened.Door, error) {
		s, ok := spec.Doors[name]
		if !ok {
			return nil, fmt.Errorf("the campaign file has no door called %q", name)
		}
		return r.doors.Open(s)
	}
	rot.Refusals = &r.refusals
	rot.AskDoors(ctx, verdicts, open, func() bool { return notBegun(ctx, &breaker{}) != nil })
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
