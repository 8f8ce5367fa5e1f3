package inventory

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/plural"
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
		} else {
			if n.End != "" {
				all[i].End = n.End
			}
			if all[i].By == credential.DoorByMetadata {
				all[i].By = n.By // a person said so too
			}
		}
	}
	for _, d := range all {
		out = append(out, credential.DoorLogin{Door: d.Door, Login: c.Doors[d.Door].LoginOf(short, name), End: d.End, By: d.By})
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
		d.find(credential.FindingUnknownDoor, "its custom_metadata names a door that the campaign file does not have: %.64q", shownName(name))
	}
}

// doorsThen adds the doors that the last roll which has the credential open had
// for it, and that nothing names any more although the campaign file has them
// as it did: whoever had the device may have taken away what named them. A
// person answers by a row of a manifest with its doors, or by another for.
func (m *merger) doorsThen(d *draft) {
	if m.open == nil && len(m.c.Doors) > 0 {
		m.open = m.lost.past.openThen()
	}
	was, ok := m.open[d.ID]
	if !ok {
		return
	}
	said := slices.ContainsFunc(d.doors, func(have config.DoorOf) bool { return have.By == credential.DoorByRow })
	for _, had := range was.Doors {
		name, _, _ := strings.Cut(had.Door, "@") // an address of it
		now, has := m.c.Doors[name]
		switch {
		case !has || had.By == credential.DoorByRow:
		case slices.ContainsFunc(d.Doors, func(have credential.DoorLogin) bool { return have.Door == name }):
		case said && (had.By != "" || len(now.For) == 0):
		case had.By == "" && !slices.Equal(now.For, was.roll.Doors[name].For):
		default:
			d.Doors = append(d.Doors, credential.DoorLogin{Door: name, Login: now.LoginOf(d.short, d.Name), By: had.By})
			d.find(credential.FindingNotNamed, "it was open in campaign %s and had the door %s there, which nothing names for it any more, although the campaign file has that door as it did: it is asked there all the same; find out who took away what named it (metadata of its secret, its name), or say by a row of a manifest which doors it has", was.roll.Campaign, name)
		}
	}
	slices.SortFunc(d.Doors, func(a, b credential.DoorLogin) int { return strings.Compare(a.Door, b.Door) })
}

// spellDoors notes by which other logins a directory has the account, where a
// door may keep each of them apart.
func (m *merger) spellDoors(d *draft) {
	if len(d.Doors) == 0 || d.Kind.OpensVault() {
		return
	}
	all := slices.Concat(d.logins, d.mails)
	slices.Sort(all)
	for i, at := range d.Doors {
		d.Doors[i].Own = m.c.Doors[at.Door].OwnSpellings(at.Login, all)
	}
}

// namedDoors are the doors that sources name for it. Whoever had the device may
// have written a secret's metadata: he must not choose the service at which a
// new value is shown, nor the clear text in which it goes there, so metadata
// names those alone that the file leaves to it (for: rows), and none for a
// login to Vault: that would never be dead, and all that it could read would
// wait.
func (m *merger) namedDoors(d *draft) (named []config.DoorOf) {
	has := doorsOf(m.c, d.Credential, nil, d.short, d.Name)
	for _, at := range d.doors {
		set := m.c.Doors[at.Door]
		switch {
		case at.By != credential.DoorByMetadata || !d.Kind.OpensVault() && len(set.For) == 0 && set.TLS != door.ClearText:
			named = append(named, at)
		case !slices.ContainsFunc(has, func(have credential.DoorLogin) bool { return have.Door == at.Door }):
			d.find(credential.FindingUnknownDoor, "its custom_metadata names door %s, which the campaign file does not leave to metadata (for: rows, over TLS, and no login to Vault), for the device may have written that: it is not asked; if it is its door, say so under for:, or in a row of a manifest", at.Door)
		}
	}
	return named
}

// withoutDoors: with a temporary value nobody logs in anywhere before its owner
// has changed it, and what was stolen lies at no path. A door could prove
// nothing, and the credential would never be dead: each pass would take the
// owner's own new password for somebody's and set another one.
func (d *draft) withoutDoors() {
	if !d.HandsOver() || len(d.Doors) == 0 {
		return
	}
	d.find(credential.FindingDoorsShowLess, "door %s takes it and is not asked: it would refuse the temporary value, which its owner has to change first, and Vault holds no stolen value to offer; if that door keeps old logins (docs/doors.md), end what it keeps by hand", d.Doors[0].Door)
	d.unasked, d.Doors = d.Doors, nil
}

// provedOnSome tells accounts with doors that the campaign before proved dead
// without a door that a person had left out. A door that was away then may keep
// what was stolen, which nobody has by now: it is not offered there.
func (l *lister) provedOnSome(roll *credential.Roll) {
	then, names := l.past.openThen(), []string{}
	for _, c := range roll.Credentials {
		if was, open := then[c.ID]; open && was.roll.OnSome[c.ID] && len(c.Doors) > 0 && c.Task == nil {
			names = append(names, c.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	l.warn(credential.FindingDoorsShowLess, "%s (%s): the campaign before proved it without a door that was left out there, and did not keep the value that was stolen then: doors are asked about the one since, and one that was away may take the first. End what that door keeps and the sessions there (docs/doors.md), or see by hand that it refuses the stolen value",
		plural.Count(len(names), "account", "accounts"), some(names))
}

// peoplesDoors tells doors that may keep what was stolen of people, and are not
// asked about it. A person ends that, and says that the door is not for them.
func (m *merger) peoplesDoors() (out []Warning) {
	people := map[string]int{}
	for _, d := range m.drafts {
		for _, at := range d.unasked {
			people[at.Door]++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(people)) {
		if keeps := m.c.Doors[name].Keeping(); keeps > 0 {
			out = append(out, Warning{Code: credential.FindingDoorsShowLess, Detail: fmt.Sprintf(
				"door %s may take what was stolen of %s for up to %s after it is dead in their directory, and is not asked: nobody logs in with a temporary value, and Vault holds no stolen one. End what it keeps; then say in doors.%s.for whose it is besides (kind: %s)", name, plural.Count(people[name], "person", "people"), keeps, name, credential.ADPassword)})
		}
	}
	return out
}

// doors reads the doors of a row: DOOR; DOOR = END, with semicolons between
// them. An end is named where a task has several.
func (t *table) doors(c *config.Campaign, r row, task *credential.Task) (out []config.DoorOf) {
	for part := range strings.SplitSeq(r.cells["doors"], ";") {
		name, end, at := strings.Cut(part, "=")
		d := config.DoorOf{Door: strings.TrimSpace(name), End: strings.TrimSpace(end), By: credential.DoorByRow}
		if strings.TrimSpace(part) == "" {
			continue
		}
		if _, known := c.Doors[d.Door]; !known {
			t.problem(r.fileLine, "doors: %s", unknownDoor(c, d.Door))
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

func unknownDoor(c *config.Campaign, name string) string {
	if len(c.Doors) == 0 {
		return "the campaign file has no doors: describe them there, or leave the column out"
	}
	return config.Shown(name) + " is not in the campaign file, which has: " + strings.Join(c.DoorNames(), ", ")
}

// metadataDoors are the doors that a secret's own metadata names.
func metadataDoors(c *config.Campaign, text string) (known []config.DoorOf, unknown []string) {
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t,;", r) }) {
		if _, ok := c.Doors[name]; !ok {
			unknown = append(unknown, name)
		} else if !slices.ContainsFunc(known, func(have config.DoorOf) bool { return have.Door == name }) {
			known = append(known, config.DoorOf{Door: name, By: credential.DoorByMetadata})
		}
	}
	if len(unknown) > mostUnknownDoors {
		unknown = unknown[:mostUnknownDoors]
	}
	return known, unknown
}

// mostUnknownDoors bounds what a secret's metadata has told of itself.
const mostUnknownDoors = 3
