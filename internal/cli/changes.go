package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/report"
)

// planChange is what would become of one credential. Its JSON keys are stable.
type planChange struct {
	ID         string          `json:"id"`
	Credential string          `json:"credential"`
	Authority  string          `json:"authority"`
	Kind       credential.Kind `json:"kind"`
	Wave       string          `json:"wave"`
	Does       string          `json:"does"`             // see the constants
	SetOn      string          `json:"set_on,omitempty"` // the server where the new value is set
	Writes     []planWrite     `json:"writes"`
	UsedBy     []string        `json:"used_by,omitempty"` // who reads Writes, as the campaign file says
	Ends       []string        `json:"ends,omitempty"`    // of what a person changes
	Why        string          `json:"why,omitempty"`     // why it stays as it is
}

// planWrite is a place in Vault that gets the new value.
type planWrite struct {
	Path string `json:"path"` // mount/path#field
	New  bool   `json:"new,omitempty"`
	// Stays: the account refuses what it holds, for an earlier campaign has set
	// another value, so nothing is written there.
	Stays bool `json:"stays,omitempty"`
}

// What a campaign does with a credential.
const (
	doesSet  = "set"     // it gets a new value
	doesEnd  = "end"     // it is ended, and nothing new is made
	doesTask = "by-hand" // people do it
	doesNone = "stays"   // it cannot be rotated as listed
)

// changesOf are what a campaign would do, in its order.
func changesOf(roll *credential.Roll) []planChange {
	out := make([]planChange, 0, len(roll.Credentials))
	for _, c := range roll.Credentials {
		p := planChange{ID: c.ID, Credential: c.Name, Authority: c.Authority, Kind: c.Kind, Wave: roll.Waves[c.Wave].Name, Does: doesSet, Writes: []planWrite{}, UsedBy: c.UsedBy}
		switch {
		case c.Problem != "":
			p.Does, p.Why = doesNone, string(c.Problem)
		case c.Task != nil:
			p.Does = doesTask
			for _, e := range c.Task.Ends {
				p.Ends = append(p.Ends, e.Name)
			}
			p.writes(c)
		case c.Kind.OnlyEnds():
			p.Does = doesEnd
		default:
			if servers := roll.Servers[c.Authority]; len(servers) > 0 {
				p.SetOn = servers[0]
			}
			p.SetOn = cmp.Or(p.SetOn, "vault")
			p.writes(c)
		}
		out = append(out, p)
	}
	return out
}

func (p *planChange) writes(c credential.Credential) {
	for _, at := range c.Paths {
		p.Writes = append(p.Writes, planWrite{at.String(), c.Adopted || c.HandsOver() || slices.Contains(c.Makes, at), slices.Contains(c.Behind, at)})
	}
}

// mostChanges are shown to people, who pick if there are more.
const mostChanges = 100

// printChanges shows what would be written where, a mark before each: ~ gets a
// new value, + a place that is new, - is ended, ? a person does it, ! stays.
func printChanges(w io.Writer, changes []planChange, width int) {
	for i, p := range changes {
		if i == mostChanges {
			fmt.Fprintf(w, "and %d more: -o json has all, --only, --wave, --source and --limit pick\n", len(changes)-i)
			break
		}
		head := fmt.Sprintf("%s [%s]", p.Credential, p.Authority)
		mark, more := "~ ", "new value at "+p.SetOn
		switch p.Does {
		case doesEnd:
			mark, more = "- ", "is ended"
		case doesTask:
			mark, more = "? ", fmt.Sprintf("a person changes it at %s", report.Plural(len(p.Ends), "place", "places"))
		case doesNone:
			mark, more = "! ", "stays as it is: "+p.Why
		}
		fmt.Fprint(w, report.Wrap(report.Clean(head+": "+more), mark, width))
		for _, at := range p.Writes {
			sign, text := "~ ", at.Path
			switch {
			case at.Stays:
				sign, text = "! ", at.Path+": stays as it is, for an earlier campaign has set another value"
			case at.New:
				sign = "+ "
			}
			fmt.Fprint(w, report.Wrap(report.Clean(text), "    "+sign, width))
		}
	}
	fmt.Fprintln(w)
}

// sumOf is what a campaign would do, in a sentence, for whoever begins it.
func sumOf(device string, changes []planChange) string {
	n, places, made, servers := map[string]int{}, 0, 0, map[string]bool{}
	for _, p := range changes {
		n[p.Does]++
		for _, at := range p.Writes {
			if at.Stays {
				continue
			}
			if places++; at.New {
				made++
			}
		}
		if p.Does == doesSet {
			servers[p.SetOn] = true
		}
	}
	text := fmt.Sprintf("%s: %s, set on %s and written to %s in Vault", device,
		report.Plural(n[doesSet], "new value", "new values"), report.Plural(len(servers), "server", "servers"), report.Plural(places, "place", "places"))
	if made > 0 {
		text += fmt.Sprintf(", %d of which %s made new", made, map[bool]string{true: "is", false: "are"}[made == 1])
	}
	for _, more := range []struct{ does, one, many string }{
		{doesEnd, "is ended", "are ended"}, {doesTask, "waits for people", "wait for people"},
		{doesNone, "stays as it is, for it cannot be rotated as listed", "stay as they are, for they cannot be rotated as listed"},
	} {
		if n[more.does] > 0 {
			text += "; " + report.Plural(n[more.does], more.one, more.many)
		}
	}
	return text + " (rollcall plan shows each)"
}
