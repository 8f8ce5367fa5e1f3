package workflows

import (
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"rollcall/config"
	"rollcall/internal/ledger"
	"rollcall/internal/wire"
)

// leaveOut: a person takes a server or a door out, and what is open comes back
// at once without it.
func (c *campaign) leaveOut(ctx workflow.Context, in LeaveOut) (Status, error) {
	if in.Door != "" {
		return c.leaveOutDoor(ctx, in)
	}
	in.Directory = c.directoriesWith(in)[0]
	in.Server = c.meant(in.Directory, in.Server)[0]
	in.Reason = strings.TrimSpace(in.Reason)
	c.leaving = append(c.leaving, in)
	defer func() { c.leaving = slices.DeleteFunc(c.leaving, func(l LeaveOut) bool { return l == in }) }()
	return c.byPerson(ctx, wire.EventInput{
		Event: ledger.ServerLeftOut, Actor: in.Actor, Authority: in.Directory, Server: in.Server, Detail: in.Reason,
	}, func() {
		c.status.LeftOut = append(c.status.LeftOut, in)
		if c.control.LeftOut == nil {
			c.control.LeftOut = map[string][]string{}
		}
		c.control.LeftOut[in.Directory] = append(c.control.LeftOut[in.Directory], in.Server)
	})
}

func (c *campaign) mayLeaveOut(_ workflow.Context, in LeaveOut) error {
	if in.Door != "" {
		return c.mayLeaveOutDoor(in)
	}
	if err := c.mayBeMade(request{in.Reason, in.Actor, "servers", "the stolen values were not tried there", "left a server out"}); err != nil {
		return err
	}
	named := c.directoriesWith(in)
	switch {
	case len(named) == 0 && in.Directory != "" && c.servers[in.Directory] == nil:
		return refuse("the campaign has no directory " + in.Directory)
	case len(named) == 0:
		return refuse(in.Server + " is no server of the campaign; its servers are " + c.allServers(in.Directory))
	case len(named) > 1:
		return refuse(in.Server + " is a server of " + strings.Join(named, " and ") + ": name the directory (--directory)")
	}
	meant := c.meant(named[0], in.Server)
	switch in.Server = meant[0]; {
	case len(meant) > 1:
		return refuse("that name stands for several servers of " + named[0] + ": name one of " + strings.Join(meant, ", "))
	case c.servers[named[0]][0] == in.Server:
		return refuse(in.Server + " is the write server of " + named[0] + ", which cannot be left out: abort the campaign, and begin another with another server first in the file")
	}
	for _, l := range append(slices.Clone(c.status.LeftOut), c.leaving...) {
		if l.Directory == named[0] && l.Server == in.Server {
			return refuse(in.Server + " is left out already, by " + l.Actor)
		}
	}
	return nil
}

// directoriesWith are the directories that a request can mean.
func (c *campaign) directoriesWith(in LeaveOut) (out []string) {
	for _, name := range workflow.DeterministicKeys(c.servers) {
		if (in.Directory == "" || in.Directory == name) && len(c.meant(name, in.Server)) > 0 {
			out = append(out, name)
		}
	}
	return out
}

// meant are the servers of a directory that a request can mean: the one of that
// name and address, or all that the name without an address stands for.
func (c *campaign) meant(directory, server string) (out []string) {
	if slices.Contains(c.servers[directory], server) {
		return []string{server}
	}
	for _, s := range c.servers[directory] {
		if url, _ := config.SplitServer(s); url == server {
			out = append(out, s)
		}
	}
	return out
}

// allServers names what could have been meant.
func (c *campaign) allServers(directory string) string {
	var out []string
	for _, name := range workflow.DeterministicKeys(c.servers) {
		if directory == "" || directory == name {
			out = append(out, c.servers[name]...)
		}
	}
	return strings.Join(out, ", ")
}
