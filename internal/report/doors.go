package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// doorSum is a door, and what it showed of all that it takes.
type doorSum struct {
	Name, Place string
	Takes       int // credentials of the roll
	Shut        int // of which it refused the stolen value between two good logins
	NewOnly     int // of which nobody knows the stolen value: it takes the new one
	LeftOut     int // that are dead without it, because a person had left it out
	// Outlives are the sessions of its type that a dead password has begun, and
	// what else the refusals that were seen there do not show.
	Outlives []string
}

func doorsOf(s *ledger.State) (out []doorSum) {
	if len(s.Doors) == 0 {
		return nil
	}
	sums := map[string]*doorSum{}
	for name, place := range s.Doors {
		sums[name] = &doorSum{Name: name, Place: place}
	}
	for l := range s.All() {
		for i, name := range l.Doors {
			if d := sums[name]; d != nil && !slices.Contains(l.Doors[:i], name) {
				d.count(l)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Doors)) {
		d := *sums[name]
		d.Outlives = append(d.Outlives, unaskedAt(s, name)...)
		if kind, _, is := strings.Cut(d.Place, "://"); is && d.Takes > 0 {
			for _, o := range door.Outlives(kind) {
				d.Outlives = append(d.Outlives, fmt.Sprintf("may go on when the password is dead: %s, %s; to end it: %s", o.What, o.Lives, o.End))
			}
		}
		out = append(out, d)
	}
	return out
}

// unaskedAt is what the campaign said of a door that it does not ask there,
// whether or not a person accepted it.
func unaskedAt(s *ledger.State, name string) (out []string) {
	name, _, _ = strings.Cut(name, "@")
	for _, f := range s.Findings {
		of, said, is := strings.Cut(strings.TrimPrefix(f.Detail, "door "+name), ": ")
		about := f.Code == credential.FindingOtherSpellings || f.Code == credential.FindingAccepted && strings.HasPrefix(said, door.UnaskedSpellings)
		if is && about && strings.HasPrefix(f.Detail, "door "+name) && (of == "" || strings.HasPrefix(of, " (")) {
			out = append(out, said)
		}
	}
	return out
}

// count adds a credential that the door takes.
func (d *doorSum) count(l *ledger.CredentialState) {
	d.Takes++
	if l.Outcome == ledger.Dead && slices.Contains(l.DoorsLeftOut, d.Name) {
		d.LeftOut++
	}
	for _, ev := range l.AtDoors {
		switch {
		case l.Outcome != ledger.Dead || ev.Door != d.Name:
		case ev.Old == "":
			d.NewOnly++
		default:
			d.Shut++
		}
	}
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
	if d.LeftOut > 0 {
		line += fmt.Sprintf("; %d dead without it: a person left it out", d.LeftOut)
	}
	if open := d.Takes - d.Shut - d.NewOnly - d.LeftOut; open > 0 {
		line += fmt.Sprintf("; %d open", open)
	}
	return line
}

// afterDoors is what no login shows.
const afterDoors = "What was logged in at a door before its value died may go on: mail, file and database sessions, tokens, cookies. No login from outside shows that: close them there (docs/doors.md)."

// atDoors is of how many credentials the text says what each server and door
// showed.
const atDoors = 3

func doorsText(b *strings.Builder, s *ledger.State, width int) {
	all := doorsOf(s)
	if len(all) == 0 {
		return
	}
	b.WriteString("\nDoors\n")
	for _, d := range all {
		b.WriteString(Wrap(Clean(d.Name+", "+d.Place)+": "+d.Words(), "  ", width))
		for _, o := range d.Outlives {
			b.WriteString(Wrap(Clean(o), "    ", width))
		}
	}
	var proved []*ledger.CredentialState // the first of them
	n := 0
	for l := range s.All() {
		if l.Outcome != ledger.Dead || len(l.AtDoors) == 0 {
			continue
		}
		if n++; n <= atDoors {
			proved = append(proved, l)
		}
	}
	if n > 0 {
		b.WriteString(Wrap("what each showed, server by server and door by door:", "  ", width))
	}
	for _, l := range proved {
		b.WriteString(Wrap(nameOf(l), "    ", width))
		b.WriteString(Wrap(strings.Join(sandwich(l), "; "), "      ", width))
	}
	if n > atDoors {
		fmt.Fprintf(b, "    … and %d more, in the HTML report and in JSON\n", n-atDoors)
	}
	b.WriteString(Wrap(afterDoors, "  ", width))
}

// sandwich says what a dead credential's servers and doors made of its values.
func sandwich(l *ledger.CredentialState) (out []string) {
	at := func(stamp string) string {
		t, err := time.Parse(time.RFC3339, stamp)
		if err != nil {
			return ""
		}
		return t.Format(" at 15:04:05Z07:00")
	}
	old := func(r protocol.Reply) string {
		if r == "" {
			return "stolen not known"
		}
		return "stolen " + string(r)
	}
	for _, ev := range l.Evidence {
		out = append(out, fmt.Sprintf("%s %s, new %s%s", Clean(ev.Server), old(ev.Old), ev.New, at(ev.At)))
	}
	for _, ev := range l.AtDoors {
		out = append(out, fmt.Sprintf("%s new %s, %s, new %s%s", Clean(ev.Door), ev.First, old(ev.Old), ev.New, at(ev.At)))
	}
	return out
}
