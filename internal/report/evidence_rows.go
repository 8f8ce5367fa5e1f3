package report

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/timeline"
)

// evidenceBuild is a page in the making.
type evidenceBuild struct {
	Evidence
	drawing
	rows     []*signRow
	quiet    int // credentials of the roll without a record
	dead     int // of these
	gapCount int
	numbered []numberedGaps
}

var weights = map[judge.Grade]int{judge.Confirmed: timeline.Full, judge.Probable: timeline.Half, judge.Possible: timeline.Hollow}

func newEvidenceBuild(e Evidence) *evidenceBuild {
	b := &evidenceBuild{Evidence: e, drawing: drawing{zone: e.Zone}}
	for _, w := range e.Result.Windows {
		to := w.To
		if to.IsZero() || to.After(e.Now) {
			to = e.Now
		}
		if to.After(w.From) {
			b.bands = append(b.bands, timeline.Span{From: w.From, To: to})
		}
	}
	if !e.Contained.IsZero() {
		b.moments = []time.Time{e.Contained}
	}
	b.collect()
	b.number()
	core := slices.Clone(b.bands)
	var times []time.Time
	for _, c := range e.Credentials {
		for _, at := range []time.Time{c.Begun, c.Set, c.Rotated} {
			if !at.IsZero() {
				core, times = append(core, timeline.Span{From: at, To: at}), append(times, at)
			}
		}
	}
	b.axis = timeline.NewAxis(core, b.all, e.Zone, time.Hour)
	if e.Campaign != "" {
		b.approach(times)
	}
	return b
}

// all are the times of whatever is drawn besides.
func (b *evidenceBuild) all(yield func(timeline.Span) bool) {
	for _, at := range b.moments {
		if !yield(timeline.Span{From: at, To: at}) {
			return
		}
	}
	for e := range marksOf(b.Result.Findings...) {
		if !yield(e.Span) {
			return
		}
	}
	for e := range usesOf(b.Result.Uses, sorts...) {
		if !yield(e.Span) {
			return
		}
	}
}

// collect puts findings and uses beside the credential that they are of.
func (b *evidenceBuild) collect() {
	known := map[string]judge.Credential{}
	for _, c := range b.Credentials {
		known[c.ID] = c
	}
	byKey := map[string]*signRow{}
	row := func(id, name string) *signRow {
		key := "id " + id
		if id == "" {
			key = "name " + name
		}
		r := byKey[key]
		if r == nil {
			r = &signRow{lane: lane{Name: name}, off: id == "", tally: map[string]int{}, is: known[id]}
			if id != "" {
				r.Name, r.Authority = cmp.Or(r.is.Name, name, id), r.is.Authority
			}
			byKey[key] = r
			b.rows = append(b.rows, r)
		}
		return r
	}
	for _, f := range b.Result.Findings {
		if f.Code != judge.Burst {
			row(cmp.Or(f.ValueOf, f.Credential), cmp.Or(f.Account, "somebody whom the log does not name")).find(f)
		}
	}
	for _, u := range b.Result.Uses {
		if !u.Record && byKey["id "+u.Credential] == nil {
			b.quiet++
			if !known[u.Credential].Rotated.IsZero() {
				b.dead++
			}
			continue
		}
		row(u.Credential, u.Name).use(u)
	}
	slices.SortStableFunc(b.rows, func(x, y *signRow) int {
		return cmp.Or(cmp.Compare(weights[y.grade], weights[x.grade]), cmp.Compare(min(y.tries, 1), min(x.tries, 1)), cmp.Compare(y.tries, x.tries),
			cmp.Compare(y.uses, x.uses), strings.Compare(x.Name, y.Name))
	})
}

// find takes a finding up.
func (r *signRow) find(f judge.Finding) {
	r.found = append(r.found, f)
	r.tally[findingWords(f)] += f.Count
	switch {
	case f.Code == judge.TriedAfter:
		r.tries += f.Count
	case weights[f.Grade] > weights[r.grade]:
		r.grade = f.Grade
	}
	r.fromDevice = r.fromDevice || f.Code == judge.NotOnRoll
}

func (r *signRow) use(u judge.Use) {
	r.used = []judge.Use{u}
	for _, t := range u.Untold {
		for _, m := range t.Moments {
			r.tally[useWords[t.Sort]] += m.Count
			if t.Sort == judge.FromDevice {
				r.uses += m.Count
			}
		}
	}
}

// findingWords are what a finding is called in the picture.
func findingWords(f judge.Finding) string {
	words := map[judge.Code]string{
		judge.NotOnRoll: "by the device, and not on the roll", judge.UsedElsewhere: "used from elsewhere", judge.DeviceAfter: "by the device, when it should be out of use",
		judge.TriedAfter: "tried after its death", judge.ValueTried: "its value offered as another account", judge.Changed: "changed an account",
		judge.IndicatorMet: "met from an indicator's address", judge.Burst: "refused in a burst",
		judge.LockedOut: "locked out", judge.StillAccepted: "let in with the stolen value after its death",
	}[f.Code]
	if f.Code == judge.NotOnRoll || f.Code == judge.DeviceAfter || f.Code == judge.IndicatorMet {
		words = cmp.Or(map[event.Outcome]string{event.Accepted: "let in: ", event.ValueRight: "with the right value: "}[f.Outcome], "tried: ") + words
	}
	return words + " (" + string(f.Grade) + ")"
}

// marksOf are when findings were.
func marksOf(all ...judge.Finding) iter.Seq[timeline.Event] {
	return func(yield func(timeline.Event) bool) {
		for _, f := range all {
			e := timeline.Event{Shape: timeline.Tried, Weight: weights[f.Grade], Words: findingWords(f)}
			switch {
			case f.Code == judge.Burst:
				e.Shape = timeline.Burst
			case f.Code == judge.Changed:
				e.Shape = timeline.Changed
			case f.Outcome.Right():
				e.Shape = timeline.Used
			}
			for _, m := range f.Moments {
				e.From, e.To, e.Count = m.First, m.Last, m.Count
				if !yield(e) {
					return
				}
			}
		}
	}
}

// useWords are what uses are called that are in no finding.
var useWords = map[judge.Sort]string{
	judge.FromDevice: "from the device", judge.FromUsual: "from a usual place", judge.FromElsewhere: "from elsewhere, no finding",
	judge.FromNowhere: "let in, with no address in the log", judge.WasRefused: "refused", judge.WasUnclear: "without an answer about the value",
}

// usesOf are when uses of some sorts were.
func usesOf(all []judge.Use, sorts ...judge.Sort) iter.Seq[timeline.Event] {
	return func(yield func(timeline.Event) bool) {
		for _, use := range all {
			for _, u := range use.Untold {
				if !slices.Contains(sorts, u.Sort) {
					continue
				}
				for _, m := range u.Moments {
					if !yield(timeline.Event{Span: timeline.Span{From: m.First, To: m.Last}, Count: m.Count, Words: useWords[u.Sort]}) {
						return
					}
				}
			}
		}
	}
}

// sorts are those of uses, in the order in which a row names them.
var sorts = []judge.Sort{judge.FromDevice, judge.FromUsual, judge.FromElsewhere, judge.FromNowhere, judge.WasRefused, judge.WasUnclear}

// inRow puts findings before uses that are none.
func inRow(x, y string) int {
	use := func(words string) int {
		return slices.IndexFunc(sorts, func(s judge.Sort) bool { return useWords[s] == words })
	}
	return cmp.Or(cmp.Compare(use(x), use(y)), strings.Compare(x, y))
}

// drawn draws as many rows as a page holds, and says how many it does not.
func (b *evidenceBuild) drawn() (out []lane, more string) {
	size := 0
	for _, r := range b.rows {
		if len(out) == maxRows || size > maxRowBytes {
			break
		}
		r.finish(&b.drawing, b.Campaign != "")
		size += len(r.Draw) + len(r.Near)
		out = append(out, r.lane)
	}
	if left := b.rows[len(out):]; len(left) > 0 {
		signs := 0
		for _, r := range left {
			if r.grade != "" {
				signs++
			}
		}
		more = Plural(len(left), "row more is", "rows more are") + " not drawn"
		if signs > 0 {
			more += ", and " + Plural(signs, "of them has", "of them have") + " signs of use"
		}
		more += "; the picture above counts them, and -o json has each."
	}
	return out, more
}

// useBars are the rows of bars: how each looks, and what is in it.
func useBars() iter.Seq2[string, []judge.Sort] {
	return func(yield func(string, []judge.Sort) bool) {
		_ = yield("solid", []judge.Sort{judge.FromDevice}) &&
			yield("hollow", []judge.Sort{judge.FromUsual, judge.FromElsewhere, judge.FromNowhere}) &&
			yield("thin", []judge.Sort{judge.WasRefused, judge.WasUnclear})
	}
}

// turns are the steps of a rotation.
func turns(c judge.Credential) (out []timeline.Event) {
	for i, at := range []time.Time{c.Begun, c.Set, c.Rotated} {
		if !at.IsZero() {
			out = append(out, turn(i+1, at))
		}
	}
	return out
}

// turn is one of them, by its weight: the later, the heavier.
func turn(weight int, at time.Time) timeline.Event {
	shape, words := timeline.Begun, begunWords
	switch weight {
	case 2:
		shape, words = timeline.Set, setWords
	case 3:
		shape, words = timeline.Dead, deadWords
	}
	return timeline.Event{Span: timeline.Span{From: at, To: at}, Count: 1, Shape: shape, Weight: weight, Words: words}
}

// The steps of a rotation, in the picture.
const (
	begunWords = "rotation begun"
	setWords   = "new value set"
	deadWords  = "stolen value dead"
)

func (b *evidenceBuild) silent() string {
	if b.quiet == 0 {
		return ""
	}
	line := "No record of " + Plural(b.quiet, "credential", "credentials") + " of the roll"
	if b.Campaign != "" {
		line += fmt.Sprintf(" (%d of them dead since)", b.dead)
	}
	return line + ". That does not say that they were not used: see what no log covers."
}
