package workflows

import (
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"rollcall/config"
	"rollcall/internal/ledger"
	"rollcall/internal/wire"
)

// A door whose machine was switched off for good refuses nobody. A person takes
// it out as a server: by name, with a reason, and what it kept open is dead on
// what is left.

func (c *campaign) leaveOutDoor(ctx workflow.Context, in LeaveOut) (Status, error) {
	in = LeaveOut{Door: c.doorsMeant(in.Door)[0], Actor: in.Actor, Reason: strings.TrimSpace(in.Reason)}
	c.leaving = append(c.leaving, in)
	defer func() { c.leaving = slices.DeleteFunc(c.leaving, func(l LeaveOut) bool { return l == in }) }()
	return c.byPerson(ctx, wire.EventInput{Event: ledger.DoorLeftOut, Actor: in.Actor, Server: in.Door, Detail: in.Reason}, func() {
		c.status.LeftOut = append(c.status.LeftOut, in)
		c.control.Doors = append(c.control.Doors, in.Door)
	})
}

func (c *campaign) mayLeaveOutDoor(in LeaveOut) error {
	if err := c.mayBeMade(request{in.Reason, in.Actor, "doors", "the stolen values were not tried there", "left a door out"}); err != nil {
		return err
	}
	meant := c.doorsMeant(in.Door)
	switch {
	case in.Server != "" || in.Directory != "":
		return refuse("a server and a door are left out one by one")
	case len(c.doors) == 0:
		return refuse("the campaign has no doors")
	case len(meant) == 0:
		return refuse(in.Door + " is no door of the campaign; its doors are " + strings.Join(c.doors, ", "))
	case len(meant) > 1:
		return refuse("that name stands for several doors: name one of " + strings.Join(meant, ", "))
	}
	for _, l := range append(slices.Clone(c.status.LeftOut), c.leaving...) {
		if l.Door == meant[0] {
			return refuse("door " + meant[0] + " is left out already, by " + l.Actor)
		}
	}
	return nil
}

// doorsMeant are the doors that a request can mean: the one of that name, or
// all addresses of the name in the campaign file.
func (c *campaign) doorsMeant(name string) (out []string) {
	if slices.Contains(c.doors, name) {
		return []string{name}
	}
	for _, d := range c.doors {
		if bare, _ := config.SplitServer(d); bare == name {
			out = append(out, d)
		}
	}
	return out
}
