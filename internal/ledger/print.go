package ledger

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
)

// WriteJSONL writes an entry as one line of JSON, byte for byte as the log
// hashes it.
func WriteJSONL(w io.Writer, e Entry) error {
	line, err := encode(e)
	if err != nil {
		return err
	}
	_, err = w.Write(append(line, '\n'))
	return err
}

// WriteText writes an entry as one line for people: index, time, event, what it
// is about, details. Control characters are shown escaped, so that a name
// cannot move the cursor.
func WriteText(w io.Writer, index uint64, e Entry) error {
	fields := []string{fmt.Sprintf("%6d  %s  %-16s", index, e.At.UTC().Format("2006-01-02 15:04:05.000Z"), e.Event)}
	for _, f := range append([]string{subject(e)}, details(e)...) {
		if f != "" {
			fields = append(fields, printable(f))
		}
	}
	_, err := fmt.Fprintln(w, strings.TrimRight(strings.Join(fields, "  "), " "))
	return err
}

func subject(e Entry) string {
	switch {
	case e.Name != "" && e.Authority != "":
		return e.Authority + ": " + e.Name
	case e.Name != "":
		return e.Name
	case e.Credential != "":
		return e.Credential
	}
	if e.Event == ServerLeftOut {
		return e.Authority
	}
	return e.Device
}

func details(e Entry) []string {
	var out []string
	if e.Actor != "" {
		out = append(out, "by "+e.Actor)
	}
	if e.Incident != nil {
		out = append(out, "incident "+e.Incident.Words())
	}
	if e.Spec != nil {
		out = append(out, "campaign file sha256 "+cmp.Or(e.Spec.FileSHA256, "not known"), "with all that it names sha256 "+e.Spec.SHA256)
	}
	if b := e.DeadBefore; b != nil {
		out = append(out, fmt.Sprintf("a value of it was called dead %s (%s)", b.At.UTC().Format(time.RFC3339), b.Campaign))
	}
	for _, p := range e.Paths {
		out = append(out, p.String())
	}
	for _, r := range e.Reasons {
		out = append(out, fmt.Sprintf("found by %s (%s)", r.Source, r.Detail))
	}
	if e.Attempt > 0 {
		out = append(out, fmt.Sprintf("attempt %d", e.Attempt))
	}
	for _, path := range slices.Sorted(maps.Keys(e.To)) {
		out = append(out, fmt.Sprintf("%s version %d", path, e.To[path]))
	}
	if e.Owner != "" {
		owner := "owner " + e.Owner
		if !e.Due.IsZero() {
			owner += " until " + e.Due.UTC().Format(time.DateTime+"Z")
		}
		out = append(out, owner)
	}
	out = append(out, string(e.Finding), standing(e))
	if e.Proof != "" {
		out = append(out, "proof: "+string(e.Proof))
	}
	for _, ev := range e.Evidence {
		out = append(out, evidence(ev))
	}
	for _, ev := range e.AtDoors {
		out = append(out, atDoor(ev))
	}
	for _, name := range slices.Sorted(maps.Keys(e.DoorPlaces)) {
		out = append(out, "door "+name+" is "+e.DoorPlaces[name])
	}
	if len(e.Doors) > 0 {
		out = append(out, "opens doors "+strings.Join(e.Doors, ", "))
	}
	for _, s := range e.LeftOut {
		out = append(out, s+": left out by a person, not asked")
	}
	for _, d := range e.DoorsLeftOut {
		out = append(out, "door "+d+": left out by a person, not asked")
	}
	for _, name := range slices.Sorted(maps.Keys(e.Servers)) {
		out = append(out, name+" is "+strings.Join(located(e, e.Servers[name]), ", "))
	}
	if !e.SetAt.IsZero() {
		out = append(out, "set "+e.SetAt.UTC().Format(time.RFC3339))
	}
	if t := e.TookFrom; t != nil {
		from := "from " + t.Campaign
		if t.Actor != "" {
			from += " of " + t.Actor
		}
		if !t.Asked {
			from += ", which gave no sign of life any more"
		}
		out = append(out, from)
	}
	if e.Containment != nil {
		out = append(out, e.Containment.Words()...)
	}
	out = append(append(append(out, ofProfile(e)...), ofTask(e)...), ofReading(e.Reading)...)
	if c := e.Counts; c != nil {
		out = append(out, fmt.Sprintf("listed %d, excluded %d, dead %d, open %d", c.Listed, c.Excluded, c.Dead, c.Open))
	}
	return append(out, e.Detail)
}

// ofTask words a task and what a person said of it.
func ofTask(e Entry) (out []string) {
	if t := e.Task; t != nil {
		out = append(out, "due "+t.Due.UTC().Format(time.RFC3339))
		for _, s := range t.Ends {
			out = append(out, fmt.Sprintf("%s: %s (%s)", s.End, s.Owner, s.Entity))
		}
	}
	if w := e.Word; w != nil {
		out = append(out, w.End, fmt.Sprintf("by %s (%s, %s)", w.Name, w.Entity, strings.Join(w.Logins, " ")))
		if w.To != "" {
			out = append(out, fmt.Sprintf("given to %s (%s)", w.To, w.ToEntity))
		}
		if w.SHA256 != "" {
			out = append(out, "evidence sha256 "+w.SHA256)
		}
		out = append(out, w.Note)
	}
	return out
}

// ofProfile words a profile, an answer to a line of it, and an end.
func ofProfile(e Entry) (out []string) {
	if p := e.Profile; p != nil {
		out = append(out, fmt.Sprintf("%s, reviewed %s, %s", p.Name, p.Reviewed, plural.Count(len(p.Lines), "line", "lines")))
		if p.Unanswered != "" {
			out = append(out, "unanswered lines were passed over by "+p.UnansweredBy+": "+p.Unanswered)
		}
	}
	for _, r := range e.Lines {
		out = append(out, fmt.Sprintf("answers %s (%s)", r.Line, r.By))
	}
	if l := e.Line; l != nil {
		answer := string(l.Answer)
		if answer == "" {
			answer = "UNANSWERED"
		}
		out = append(out, l.Line+" ("+string(l.Kind)+")", answer, l.Reason)
		if l.Credentials > 0 {
			out = append(out, plural.Count(l.Credentials, "credential", "credentials"))
		}
		if l.Owner != "" {
			out = append(out, "owner "+l.Owner+", due "+l.Due.UTC().Format(time.DateOnly))
		}
		if l.By != "" {
			said := "said by " + l.By + " on "
			if l.Answer == credential.Covered {
				said = "in the answers of " + l.By + " of " // see the report
			}
			out = append(out, said+l.On.UTC().Format(time.DateOnly))
		}
	}
	if e.End != nil {
		out = append(out, fmt.Sprintf("complete %t, clean %t", e.End.Complete, e.End.Clean))
	}
	return out
}

// located are servers with the addresses at which they are asked.
func located(e Entry, servers []string) []string {
	var out []string
	for _, s := range servers {
		if at := e.Addresses[s]; at != "" {
			s += " (" + at + ")"
		}
		out = append(out, s)
	}
	return out
}

func standing(e Entry) string {
	var out []string
	if e.Step != "" {
		out = append(out, "at "+string(e.Step))
	}
	if e.Reason != "" {
		out = append(out, string(e.Reason))
	}
	if e.Server != "" {
		out = append(out, e.Server)
	}
	return strings.Join(out, ", ")
}

func evidence(ev protocol.Evidence) string {
	old := "old not known"
	if ev.Old != protocol.NotAsked {
		old = "old " + string(ev.Old)
	}
	return fmt.Sprintf("%s: %s, new %s", ev.Server, old, ev.New)
}

func atDoor(ev protocol.DoorEvidence) string {
	old := "old not known"
	if ev.Old != protocol.NotAsked {
		old = "old " + string(ev.Old)
	}
	return fmt.Sprintf("door %s: new %s, %s, new %s", ev.Door, ev.First, old, ev.New)
}

func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "\\u%04x", r)
		}
	}
	return b.String()
}
