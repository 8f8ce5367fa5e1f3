package inventory

import (
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
)

// A door is named for a credential by the campaign file (for:), by a row of a
// manifest and by a secret's own metadata. Whoever had the device may have
// written the last: so each of them adds doors of the campaign file, and none
// takes one away.

// doorsOf are the doors of a credential: those that the campaign file gives it,
// and those that sources name for it. short and name are what its login there
// is made of.
func doorsOf(c *config.Campaign, cred credential.Credential, named []config.DoorOf, short, name string) (out []credential.DoorLogin) {
	all := c.DoorsOf(cred, short)
	for _, n := range named {
		if i := slices.IndexFunc(all, func(have config.DoorOf) bool { return have.Door == n.Door }); i < 0 {
			all = append(all, n)
		} else if n.End != "" {
			all[i].End = n.End
		}
	}
	for _, d := range all {
		out = append(out, credential.DoorLogin{Door: d.Door, Login: c.Doors[d.Door].LoginOf(short, name), End: d.End})
	}
	slices.SortFunc(out, func(a, b credential.DoorLogin) int { return strings.Compare(a.Door, b.Door) })
	return out
}

// doorUses are the matches of doors that took something, by door and number.
type doorUses map[string]map[int]bool

// note notes which matches take a credential that can have doors, or could if
// nothing kept it open.
func (u doorUses) note(c *config.Campaign, cred credential.Credential, short string) {
	if u == nil {
		return
	}
	matches := func(pattern, name string) bool { ok, _ := config.Matches(pattern, name); return ok }
	for name, d := range c.Doors {
		for i, m := range d.For {
			if m.Takes(cred, short, matches) {
				if u[name] == nil {
					u[name] = map[int]bool{}
				}
				u[name][i] = true
			}
		}
	}
}

// sayUnmatched tells matches of doors that take nothing: a mistyped one means a
// door that is never asked.
func (l *lister) sayUnmatched(roll *credential.Roll) {
	had := map[string]bool{}
	for _, c := range roll.Credentials {
		for _, d := range c.Doors {
			had[d.Door] = true
		}
	}
	for _, name := range l.c.DoorNames() {
		d := l.c.Doors[name]
		for i, m := range d.For {
			if !l.doorUses[name][i] {
				l.warn(credential.FindingDoorUnmatched, "doors.%s.for[%d] (%s) takes no credential of the roll: correct it, or take it out", name, i, m)
			}
		}
		if len(d.For) == 0 && !had[name] {
			l.warn(credential.FindingDoorUnmatched, "doors.%s: no row of a manifest and no metadata names it, so it is asked about nothing", name)
		}
	}
}

// takeDoors notes what a source says of the doors of an account.
func (d *draft) takeDoors(c Candidate) {
	d.doors = append(d.doors, c.Doors...)
	for _, name := range c.UnknownDoor {
		d.find(credential.FindingUnknownDoor, "its custom_metadata names a door that the campaign file does not have: %.64q", name)
	}
}

// doors reads the doors of a row: DOOR; DOOR = END, with semicolons between
// them. An end is named where a task has several.
func (t *table) doors(c *config.Campaign, r row, task *credential.Task) (out []config.DoorOf) {
	for part := range strings.SplitSeq(r.cells["doors"], ";") {
		name, end, at := strings.Cut(part, "=")
		d := config.DoorOf{Door: strings.TrimSpace(name), End: strings.TrimSpace(end)}
		if strings.TrimSpace(part) == "" {
			continue
		}
		if _, known := c.Doors[d.Door]; !known {
			t.problem(r.fileLine, "doors: %s", unknownDoor(c))
			continue
		}
		switch {
		case !at:
		case task == nil:
			t.problem(r.fileLine, "doors: an end belongs to what a person does: write the names of doors, with semicolons between them")
			continue
		case task.End(d.End) == "":
			t.problem(r.fileLine, "doors: the task has no such end; it has: %s", strings.Join(endNames(task.Ends), "; "))
			continue
		default:
			d.End = task.End(d.End)
		}
		if slices.ContainsFunc(out, func(have config.DoorOf) bool { return have.Door == d.Door }) {
			t.problem(r.fileLine, "doors: the same door is named twice")
			continue
		}
		out = append(out, d)
	}
	return out
}

func unknownDoor(c *config.Campaign) string {
	if len(c.Doors) == 0 {
		return "the campaign file has no doors: describe them there, or leave the column out"
	}
	return "not in the campaign file, which has: " + strings.Join(c.DoorNames(), ", ")
}

// metadataDoors are the doors that a secret's own metadata names.
func metadataDoors(c *config.Campaign, text string) (known []config.DoorOf, unknown []string) {
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t,;", r) }) {
		if _, ok := c.Doors[name]; !ok {
			unknown = append(unknown, name)
		} else if !slices.ContainsFunc(known, func(have config.DoorOf) bool { return have.Door == name }) {
			known = append(known, config.DoorOf{Door: name})
		}
	}
	if len(unknown) > mostUnknownDoors {
		unknown = unknown[:mostUnknownDoors]
	}
	return known, unknown
}

// mostUnknownDoors bounds what a secret's metadata has told of itself.
const mostUnknownDoors = 3
