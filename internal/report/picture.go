package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"iter"
	"maps"
	"slices"
	"time"

	"rollcall/internal/evidence/judge"
	"rollcall/internal/timeline"
)

var (
	//go:embed picture.html.tmpl
	pictureSource string
	//go:embed picture.css
	pictureCSS string
)

// drawing is what the pictures of a page have alike: the time that they show,
// what lies behind everything, and where the rotation is too small to be seen
// there, the time of the rotation alone.
type drawing struct {
	axis    timeline.Axis
	near    *timeline.Axis // nil where the rotation is seen well enough
	bands   []timeline.Span
	moments []time.Time
	zone    *time.Location
}

// picture is drawings over one axis, one below the other.
type picture struct {
	Class          string
	Head, NearHead template.HTML
	Lanes          []lane
}

// lane is one line of a picture: of something in all, which has a label, or of
// a credential, which has a name.
type lane struct {
	Label, Note     string
	Name, Authority string
	Why             string // what stands first of the credential
	Class           string // how bad that is
	Said            []string
	Draw, Near      template.HTML
}

// legend says which of the signs that a page may have it has.
type legend struct{ Turns, Contained, Exposed, Signs, Bars, Logs, Fall bool }

// lane draws one line over the whole axis.
func (d *drawing) lane(label, note string, t timeline.Track) lane {
	t.Bands, t.Lines = d.bands, d.moments
	return lane{Label: label, Note: note, Draw: d.axis.Draw(t)}
}

// turnLane is one sort of event of all credentials.
type turnLane struct {
	label  string
	events iter.Seq[timeline.Event]
}

const diedLane = "Stolen value dead"

var stepLabels = []string{"Rotation begun", "New value set", diedLane}

// stepLanes are the steps of rotations, a lane for each.
func stepLanes(all iter.Seq[timeline.Event]) (out []turnLane) {
	for weight, label := range stepLabels {
		out = append(out, turnLane{label, func(yield func(timeline.Event) bool) {
			for e := range all {
				if e.Weight == weight+1 && !yield(e) {
					return
				}
			}
		}})
	}
	return out
}

func (d *drawing) marks(l turnLane) (lane, int) {
	events := d.axis.Thin(l.events)
	n := total(events)
	return d.lane(l.label, counted(n), timeline.Track{Marks: append([]timeline.Event{}, events...)}), n
}

// A rotation of minutes is one mark on an axis of months: then it is drawn once
// more, from close. Who comes much later than nineteen of twenty does not make
// that too small as well.
const (
	seenWell  = 0.1
	nearShare = 0.95
	nearTimes = 4

	// Ticks beside a credential, where two drawings share the width.
	besideTicks, nearTicks = 6, 4
)

// approach sets the axis of the rotation, from the times of its events.
func (d *drawing) approach(times []time.Time) {
	if len(times) == 0 {
		return
	}
	slices.SortFunc(times, time.Time.Compare)
	from, to := times[0], times[len(times)-1]
	if most := times[int(nearShare*float64(len(times)-1))]; nearTimes*most.Sub(from) < to.Sub(from) {
		to = most.Add(most.Sub(from) / 4)
	}
	if d.axis.X(to)-d.axis.X(from) > seenWell {
		return
	}
	axis := timeline.NewAxis([]timeline.Span{{From: from, To: to}}, nil, d.zone, nearLeast)
	d.near = &axis
}

// nearLeast is how short the axis of a rotation may be.
const nearLeast = 10 * time.Second

// manySteps is how many marks beside each other are too many to be read: of
// more the lanes of steps show how many there were at a time.
const manySteps = 12

func isStep(events []timeline.Event) bool { return len(events) > 0 && events[0].Shape.Turn() }

// within is whether a near axis shows something.
func within(axis *timeline.Axis, s timeline.Span) bool {
	return !s.To.Before(axis.From) && !s.From.After(axis.To)
}

func only(axis *timeline.Axis, events iter.Seq[timeline.Event]) iter.Seq[timeline.Event] {
	return func(yield func(timeline.Event) bool) {
		for e := range events {
			if within(axis, e.Span) && !yield(e) {
				return
			}
		}
	}
}

// closeUp draws the rotation once more, with what of the rest was meanwhile;
// nil where that is not needed.
func (d *drawing) closeUp(before []lane, all ...turnLane) *picture {
	if d.near == nil {
		return nil
	}
	c := &picture{Head: d.near.Head(nil), Lanes: before}
	near, many := make([][]timeline.Event, len(all)), false
	for i, l := range all {
		near[i] = d.near.Thin(only(d.near, l.events))
		many = many || isStep(near[i]) && len(d.near.Marks(near[i])) > manySteps
	}
	for i, l := range all {
		events := near[i]
		n, whole := total(events), totalOf(l.events)
		if n == 0 {
			continue
		}
		note := counted(n)
		if n < whole {
			note = fmt.Sprintf("%d of %d at this time", n, whole)
		}
		t := timeline.Track{Marks: events}
		if many && isStep(events) {
			t = timeline.Track{Bars: []timeline.Bar{{Class: "turn", Tall: true, Events: events}}}
		}
		c.Lanes = append(c.Lanes, lane{Label: l.label, Note: note, Draw: d.near.Draw(t)})
	}
	return c
}

func totalOf(events iter.Seq[timeline.Event]) (n int) {
	for e := range events {
		n += e.Count
	}
	return n
}

// each is the picture of single credentials, which has the rotation from close
// beside the whole.
func (d *drawing) each(lanes []lane) picture {
	p := picture{Class: "each", Head: d.axis.Head(d.bands), Lanes: lanes}
	if d.near != nil {
		p.Class, p.Head, p.NearHead = "each two", d.axis.Ticked(besideTicks).Head(d.bands), d.near.Ticked(nearTicks).Head(nil)
	}
	return p
}

// signRow is a credential in the making, or an account that the roll has not
// got.
type signRow struct {
	lane
	off        bool // the roll has not got it
	fromDevice bool
	grade      judge.Grade // of the heaviest sign of use; empty without
	tries      int         // after its death
	uses       int
	is         judge.Credential
	attested   time.Time // by people's word; zero of all others
	found      []judge.Finding
	used       []judge.Use // one, or none
	tally      map[string]int
}

// finish draws it. rotates: it is known how its rotation goes.
func (r *signRow) finish(d *drawing, rotates bool) {
	switch {
	case r.off:
		r.Why = "not on the roll"
	case r.grade != "":
		r.Why, r.Class = string(r.grade)+" sign of use", map[bool]string{true: "warn", false: "bad"}[r.grade == judge.Possible]
	case r.tries > 0:
		r.Why, r.Class = "tried after its death", "bad"
	}
	for _, words := range slices.SortedFunc(maps.Keys(r.tally), inRow) {
		if r.tally[words] > 0 {
			r.Said = append(r.Said, fmt.Sprintf("%s: %d", words, r.tally[words]))
		}
	}
	track := timeline.Track{Bands: d.bands, Lines: d.moments, Marks: d.axis.Thin(marksOf(r.found...))}
	if rotates && !r.off {
		track.Life = &timeline.Life{Dead: r.is.Rotated, Turns: turns(r.is)}
		switch {
		case !r.attested.IsZero():
			track.Life.Turns = append(track.Life.Turns, attestedTurn(r.attested))
			r.Said = append(r.Said, "said to be changed: "+clock(r.attested.In(d.zone)))
		case r.is.Rotated.IsZero():
			r.Said = append(r.Said, "not known to be dead")
		default:
			r.Said = append(r.Said, "stolen value dead: "+clock(r.is.Rotated.In(d.zone)))
		}
	}
	for class, sorts := range useBars() {
		if events := d.axis.Thin(usesOf(r.used, sorts...)); len(events) > 0 {
			track.Bars = append(track.Bars, timeline.Bar{Class: class, Events: events})
		}
	}
	if d.near == nil {
		r.Draw = d.axis.Draw(track)
		return
	}
	r.Draw = d.axis.Ticked(besideTicks).Draw(track)
	near := d.near.Ticked(nearTicks)
	small := timeline.Track{}
	for _, b := range track.Bars {
		small.Bars = append(small.Bars, timeline.Bar{Class: b.Class}) // as high as what it stands beside
	}
	if track.Marks != nil {
		small.Marks = append([]timeline.Event{}, near.Thin(only(&near, marksOf(r.found...)))...)
	}
	if track.Life != nil {
		small.Life = &timeline.Life{Dead: track.Life.Dead, Turns: slices.Collect(only(&near, slices.Values(track.Life.Turns)))}
	}
	r.Near = near.Draw(small)
}
