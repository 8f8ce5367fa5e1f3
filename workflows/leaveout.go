package workflows

import (
	"slices"
	"strings"

	"go.temporal.io/sdk/workflow"

	"rollcall/activities"
	"rollcall/config"
	"rollcall/internal/ledger"
)

// leaveOut records that a person takes a server out, and only then lets it take
// effect: the running wave is told, and what is open comes back at once without it.
// A request that could not be recorded changes nothing, and may be made again.
func (c *campaign) leaveOut(ctx workflow.Context, in LeaveOut) (Status, error) {
	in.Directory = c.directoriesWith(in)[0]
	in.Server = c.meant(in.Directory, in.Server)[0]
	in.Reason = strings.TrimSpace(in.Reason)
	c.leaving = append(c.leaving, in)
	defer func() { c.leaving = slices.DeleteFunc(c.leaving, func(l LeaveOut) bool { return l == in }) }()
	c.events++
	steady, _ := workflow.NewDisconnectedContext(ctx)
	err := workflow.ExecuteActivity(onLedger(steady), recorder.RecordEvent, activities.EventInput{
		Campaign: c.in.Campaign, Device: c.in.Device, Event: ledger.ServerLeftOut, Actor: in.Actor, Number: c.events,
		Authority: in.Directory, Server: in.Server, Detail: in.Reason,
	}).Get(steady, nil)
	if err != nil {
		return c.status, err
	}
	c.status.LeftOut = append(c.status.LeftOut, in)
	if c.control.LeftOut == nil {
		c.control.LeftOut = map[string][]string{}
	}
	c.control.LeftOut[in.Directory] = append(c.control.LeftOut[in.Directory], in.Server)
	c.tell(steady)
	return c.status, nil
}

// longestReason bounds what a ledger entry tells of a reason.
const longestReason = 500

func (c *campaign) mayLeaveOut(_ workflow.Context, in LeaveOut) error {
	switch {
	case c.closing:
		return refuse("the campaign has ended")
	case c.control.Aborting:
		return refuse("the campaign is being aborted")
	case c.status.Phase == Listing:
		return refuse("the campaign is still listing; its servers are known once it runs")
	case strings.TrimSpace(in.Reason) == "":
		return refuse("a reason is missing: it goes into the ledger, for whoever asks why the stolen values were not tried there")
	case strings.TrimSpace(in.Actor) == "":
		return refuse("nobody says who asks: the ledger holds who left a server out")
	case len(in.Reason) > longestReason:
		return refuse("the reason is longer than 500 bytes")
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

// meant are the servers of a directory that a request can mean: the one of that name and
// address, or all that the name without an address stands for.
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
