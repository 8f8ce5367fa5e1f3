package timeline

import (
	"iter"
	"slices"
)

// Shape says what sort of thing a mark is, without any colour.
type Shape string

// Shapes.
const (
	Used    Shape = "used"    // let in: a diamond
	Tried   Shape = "tried"   // refused: a circle
	Changed Shape = "changed" // something was changed: a square
	Burst   Shape = "burst"   // many refused at once: a triangle
	Begun   Shape = "begun"   // of a rotation
	Set     Shape = "set"
	Dead    Shape = "dead"
)

// Turn reports whether it is a step of a rotation.
func (s Shape) Turn() bool { return s == Begun || s == Set || s == Dead }

// Weights of findings are told by how full a shape is. Of marks that become
// one, the heaviest is shown.
const (
	Hollow = 1
	Half   = 2
	Full   = 3
)

// Event is what happened so many times in a span of time.
type Event struct {
	Span
	Count  int
	Shape  Shape
	Weight int
	// Words say what it is, in our own words: no name from outside.
	Words string
}

// Part is what one mark has of one thing.
type Part struct {
	Words string
	Count int
}

// Mark is one event of a drawing, or several that are too near each other to be
// drawn apart.
type Mark struct {
	X, End float64 // from 0 to 1
	Span
	Count  int
	Shape  Shape
	Weight int
	Parts  []Part
	// Early and Late: it has events from before the axis, or behind it.
	Early, Late bool
	// Crowded: on a narrow screen there is no room for its number.
	Crowded bool
}

const (
	// least is how far apart marks begin, as a share of the axis.
	least = 1.0 / 32
	// room is how far apart they are where a number has room on a phone.
	room = 1.0 / 14
	// gap is how far apart bars are.
	gap = 1.0 / 120
	// column is how far apart columns begin.
	column = 1.0 / 72
)

// Marks puts events in the order of their times, and makes one of those that
// begin too near each other. None is lost.
func (a Axis) Marks(events []Event) []Mark {
	out := a.merge(events, func(m *Mark, x float64) bool { return x < m.X+least })
	for i := range out {
		out[i].Crowded = i > 0 && out[i].X-out[i-1].X < room || i+1 < len(out) && out[i+1].X-out[i].X < room
	}
	return out
}

// Bars does so with what is drawn from its begin to its end.
func (a Axis) Bars(events []Event) []Mark {
	return a.merge(events, func(m *Mark, x float64) bool { return x < m.End+gap })
}

// Columns does so with what is drawn as high as it is many.
func (a Axis) Columns(events []Event) []Mark {
	return a.merge(events, func(m *Mark, x float64) bool { return x < m.X+column })
}

// steps are how finely Thin tells times apart, on the whole axis: more than a
// screen does.
const steps = 4000

// Thin makes one of events that are alike and begin at what is one place on any
// screen: of millions some thousand. None is lost.
func (a Axis) Thin(events iter.Seq[Event]) (out []Event) {
	type key struct {
		step, weight int
		shape        Shape
		words        string
	}
	at := map[key]int{}
	for e := range events {
		k := key{int(steps * a.X(e.From)), e.Weight, e.Shape, e.Words}
		i, ok := at[k]
		if !ok {
			at[k] = len(out)
			out = append(out, e)
			continue
		}
		o := &out[i]
		o.From, o.To, o.Count = earlier(o.From, e.From), later(o.To, e.To), o.Count+e.Count
	}
	return out
}

func (a Axis) merge(events []Event, near func(m *Mark, x float64) bool) (out []Mark) {
	all := slices.Clone(events)
	slices.SortFunc(all, compareFirst)
	for _, e := range all {
		if e.Count <= 0 {
			continue
		}
		x := a.X(e.From)
		if n := len(out); n == 0 || !near(&out[n-1], x) {
			out = append(out, Mark{X: x, End: x, Span: e.Span})
		}
		m := &out[len(out)-1]
		m.End, m.To = max(m.End, a.X(e.To)), later(m.To, e.To)
		m.Count += e.Count
		if e.Weight > m.Weight || m.Shape == "" {
			m.Weight, m.Shape = e.Weight, e.Shape
		}
		m.Early = m.Early || e.From.Before(a.From)
		m.Late = m.Late || e.To.After(a.To)
		m.Parts = add(m.Parts, e.Words, e.Count)
	}
	return out
}

func add(parts []Part, words string, count int) []Part {
	if i := slices.IndexFunc(parts, func(p Part) bool { return p.Words == words }); i >= 0 {
		parts[i].Count += count
		return parts
	}
	return append(parts, Part{words, count})
}
