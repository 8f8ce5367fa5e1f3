package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollcall/internal/ledger"
)

// doorSum is a door, and what it showed of all that it takes.
type doorSum struct {
	Name, Place string
	Takes       int // credentials of the roll
	Shut        int // of which it refused the stolen value between two good logins
	NewOnly     int // of which nobody knows the stolen value: it takes the new one
}

func doorsOf(s *ledger.State) (out []doorSum) {
	for _, name := range slices.Sorted(maps.Keys(s.Doors)) {
		d := doorSum{Name: name, Place: s.Doors[name]}
		for _, l := range s.Credentials {
			if !slices.Contains(l.Doors, name) {
				continue
			}
			d.Takes++
			for _, ev := range l.AtDoors {
				switch {
				case l.Outcome != ledger.Dead || ev.Door != name:
				case ev.Old == "":
					d.NewOnly++
				default:
					d.Shut++
				}
			}
		}
		out = append(out, d)
	}
	return out
}

// Words says what the door showed.
func (d doorSum) Words() string {
	if d.Takes == 0 {
		return "no credential of the roll opens it"
	}
	line := fmt.Sprintf("%d of %s refused as stolen, the new one accepted before and after", d.Shut, Plural(d.Takes, "value", "values"))
	if d.NewOnly > 0 {
		line += fmt.Sprintf("; of %d more the stolen value is not known, and the new one is accepted", d.NewOnly)
	}
	if open := d.Takes - d.Shut - d.NewOnly; open > 0 {
		line += fmt.Sprintf("; %d open", open)
	}
	return line
}

// afterDoors is what no login shows.
const afterDoors = "What was logged in at a door before its value died may go on: mail, file and database sessions, tokens, cookies. No login from outside shows that: close them there (docs/doors.md)."

func doorsText(b *strings.Builder, s *ledger.State, width int) {
	all := doorsOf(s)
	if len(all) == 0 {
		return
	}
	b.WriteString("\nDoors\n")
	for _, d := range all {
		b.WriteString(Wrap(Clean(d.Name+", "+d.Place)+": "+d.Words(), "  ", width))
	}
	b.WriteString(Wrap(afterDoors, "  ", width))
}
