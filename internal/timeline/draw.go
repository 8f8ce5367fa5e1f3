package timeline

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"strings"
	"time"
)

// CSS is the style sheet of drawings. It takes its colours from variables, and
// has its own where a page sets none.
//
//go:embed timeline.css
var CSS string

// Shapes are the drawn forms of all marks. A page has them once.
//
//go:embed shapes.svg
var shapes string

// Shapes is what a page holds once, before its first drawing.
func Shapes() template.HTML { return template.HTML(shapes) } //nolint:gosec // embedded at build time

// Bar is a row of bars below the line of a drawing.
type Bar struct {
	Class  string // solid, hollow, thin
	Events []Event
	// Tall: the more there is, the higher the bar.
	Tall bool
}

// Gap is a stretch that no log covers, with its number in the page's list; 0
// where the page has none.
type Gap struct {
	Span
	Number int
}

// Point is how many there are from a time on.
type Point struct {
	At    time.Time
	Count int
}

// Fall is how many are left of a number, as time goes by: an area that falls by
// steps. It begins at its first point, and its last one holds from then on.
// Words say what is counted.
type Fall struct {
	Points []Point
	Words  string
}

// Life is how long a stolen value is good, as far as somebody knows.
type Life struct {
	Dead  time.Time // zero: it is not known to be
	Turns []Event   // begun, set, dead
}

// Track is one drawing over the axis, from top to bottom: what falls, marks,
// the life of a value, coverage, bars.
type Track struct {
	Bands []Span      // behind everything
	Lines []time.Time // through everything
	Fall  *Fall
	Marks []Event
	Life  *Life
	// Covered and Gaps are drawn if Log is set.
	Log     bool
	Covered []Span
	Gaps    []Gap
	Bars    []Bar
	// Solid are spans with words in them.
	Solid []Span
}

// Heights of what a track has, in pixels.
const (
	marksHigh = 28
	lifeHigh  = 16
	logHigh   = 18
	barHigh   = 10
	tallHigh  = 26
	headHigh  = 34
	solidHigh = 18
	fallHigh  = 92
)

// picture writes one SVG.
type picture struct {
	strings.Builder
	Axis
	y    int
	said []Part
}

func percent(x float64) string { return fmt.Sprintf("%.2f%%", 100*x) }

// hatch fills what no record is of. A style sheet that names it would not pass
// for one that loads nothing.
const hatch = ` fill="url(#tl-hatch)"`

func (p *picture) rect(class string, x, end float64, y, high int, title string) {
	fill := ""
	if class == "tl-gap" {
		fill = hatch
	}
	fmt.Fprintf(p, `<rect class="%s" x="%s" width="%s" y="%d" height="%d"%s>`, class, percent(x), percent(end-x), y, high, fill)
	if title != "" {
		fmt.Fprintf(p, `<title>%s</title>`, template.HTMLEscapeString(title))
	}
	p.WriteString("</rect>")
}

func (p *picture) line(class string, x, end float64, y, bottom int) {
	fmt.Fprintf(p, `<line class="%s" x1="%s" x2="%s" y1="%d" y2="%d"/>`, class, percent(x), percent(end), y, bottom)
}

// Words of a tick stand behind it where they have room before the right edge,
// and else before it, where those of the tick before end, too. These are parts
// of an axis with room for mostTicks.
const roomOfOne, roomOfTwo = 0.16, 0.2

// Head is the axis itself, with its dates.
func (a Axis) Head(bands []Span) template.HTML {
	p := &picture{Axis: a}
	p.ground(bands, nil, headHigh)
	wider := mostTicks / float64(cmp.Or(a.most, mostTicks))
	edge, before := 1-roomOfOne*wider, 0.0
	for i, t := range a.Ticks {
		x, class := a.X(t.At), "tl-tick"
		tight := x-before < roomOfTwo*wider
		before = x
		if x > edge && i > 0 && tight && t.Date == "" {
			continue // its words would lie on those before it; its line stays
		}
		if i%2 == 1 {
			class += " tl-wide"
		}
		anchor, dx := "start", 4
		if x > edge {
			anchor, dx = "end", -4
		}
		fmt.Fprintf(p, `<text class="%s" text-anchor="%s" x="%s" dx="%d" y="13">%s</text>`, class, anchor, percent(x), dx, t.Text)
		if t.Date != "" {
			fmt.Fprintf(p, `<text class="tl-date" text-anchor="%s" x="%s" dx="%d" y="27">%s</text>`, anchor, percent(x), dx, t.Date)
		}
	}
	return p.svg(headHigh, "from "+p.stamp(a.From)+" to "+p.stamp(a.To))
}

// Draw is one track. What it shows is its label too, for who does not see it.
func (a Axis) Draw(t Track) template.HTML {
	p := &picture{Axis: a}
	if t.Fall != nil {
		p.fall(*t.Fall)
	}
	if t.Marks != nil {
		p.marks(t.Marks, marksHigh)
	}
	if t.Life != nil {
		p.life(*t.Life)
	}
	if t.Log {
		p.log(t)
	}
	if len(t.Solid) > 0 {
		for _, s := range t.Solid {
			p.rect("tl-exposed", a.X(s.From), max(a.X(s.To), a.X(s.From)+0.004), p.y+3, solidHigh-6, p.stamp(s.From)+" to "+p.stamp(s.To))
			p.said = add(p.said, "stretch in foreign hands", 1)
		}
		p.y += solidHigh
	}
	for _, b := range t.Bars {
		p.bars(b)
	}
	front := p.String()
	p.Reset()
	p.ground(t.Bands, t.Lines, p.y)
	p.WriteString(front)
	var said []string
	for _, part := range p.said {
		said = append(said, fmt.Sprintf("%d × %s", part.Count, part.Words))
	}
	label := strings.Join(said, "; ")
	if label == "" {
		label = "nothing to show"
	}
	return p.svg(p.y, label)
}

func (p *picture) svg(high int, label string) template.HTML {
	return template.HTML(fmt.Sprintf(`<div class="tl-track"><svg class="tl" width="100%%" height="%d" role="img" aria-label="%s">%s</svg></div>`, //nolint:gosec // own words, and escaped
		high, template.HTMLEscapeString(label), p.String()))
}

// beyond is how far what lies behind goes on above and below: the words beside
// a drawing may be higher than it is, and the page cuts the rest off.
const beyond = 400

// ground is what lies behind: the time in foreign hands, and the ticks.
func (p *picture) ground(bands []Span, lines []time.Time, high int) {
	top, high := -beyond, high+beyond
	for _, b := range bands {
		x, end := p.X(b.From), p.X(b.To)
		p.rect("tl-band", x, end, top, high-top, "")
		for _, edge := range []float64{x, end} {
			p.line("tl-edge", edge, edge, top, high)
		}
	}
	for _, t := range p.Ticks {
		p.line("tl-grid", p.X(t.At), p.X(t.At), top, high)
	}
	for _, at := range lines {
		if at.Before(p.From) || at.After(p.To) {
			continue // at the edge it would be at a wrong time
		}
		p.line("tl-moment", p.X(at), p.X(at), top, high)
	}
}

func (p *picture) marks(events []Event, high int) {
	y := p.y + high - 9
	for _, m := range p.Marks(events) {
		if m.End-m.X > least/2 {
			p.line("tl-lasts tl-lasts-"+string(m.Shape), m.X, m.End, y, y)
		}
		p.use(m, y)
		class := "tl-n"
		if m.Crowded {
			class += " tl-wide"
		}
		if text := m.number(); text != "" {
			fmt.Fprintf(p, `<text class="%s" x="%s" y="%d">%s</text>`, class, percent(m.X), y-9, text)
		}
	}
	p.y += high
}

// tell keeps what is drawn, for the label.
func (p *picture) tell(m Mark) {
	for _, part := range m.Parts {
		p.said = add(p.said, part.Words, part.Count)
	}
}

// number is how many a mark stands for, short enough to stand above it.
func (m Mark) number() string {
	text := ""
	switch {
	case m.Count >= 10_000_000:
		text = fmt.Sprintf("%dM", m.Count/1_000_000)
	case m.Count >= 10_000:
		text = fmt.Sprintf("%dk", m.Count/1000)
	case m.Count > 1:
		text = fmt.Sprint(m.Count)
	}
	if m.Early {
		text = "◂" + text
	}
	if m.Late {
		text += "▸"
	}
	return text
}

func (p *picture) words(m Mark) string {
	var parts []string
	for _, part := range m.Parts {
		parts = append(parts, fmt.Sprintf("%d × %s", part.Count, part.Words))
	}
	at := p.stamp(m.From)
	if !m.To.Equal(m.From) {
		at += " to " + p.stamp(m.To)
	}
	return strings.Join(parts, ", ") + ": " + at
}

func (a Axis) stamp(t time.Time) string { return t.In(a.zone).Format("2006-01-02 15:04:05Z07:00") }

// life is the line of a stolen value: thick until it is known to be dead,
// dotted behind that.
func (p *picture) life(l Life) {
	y, end := p.y+lifeHigh/2, 1.0
	if !l.Dead.IsZero() {
		end = p.X(l.Dead)
		p.line("tl-gone", end, 1, y, y)
	}
	p.line("tl-alive", 0, end, y, y)
	for _, m := range p.Marks(l.Turns) {
		p.use(m, y)
	}
	p.y += lifeHigh
}

func (p *picture) use(m Mark, y int) {
	fmt.Fprintf(p, `<use href="#tl-%s-%d" x="%s" y="%d"><title>%s</title></use>`, m.Shape, m.Weight, percent(m.X), y, template.HTMLEscapeString(p.words(m)))
	p.tell(m)
}

// thinnest a gap is drawn: what is too short to be seen is still there.
const thinnest = 0.004

func (p *picture) log(t Track) {
	y, high := p.y+3, logHigh-6
	for _, m := range p.merge(spans(t.Covered, "stretch with lines"), func(m *Mark, x float64) bool { return x < m.End+thinnest }) {
		p.rect("tl-covered", m.X, max(m.End, m.X+0.002), y, high, p.stamp(m.From)+" to "+p.stamp(m.To))
		p.tell(m)
	}
	for i := 0; i < len(t.Gaps); i++ {
		first, last, n := t.Gaps[i], t.Gaps[i], 1
		x, end := p.X(first.From), max(p.X(first.To), p.X(first.From)+thinnest)
		for i+1 < len(t.Gaps) && p.X(t.Gaps[i+1].From) < end+0.001 {
			i, n = i+1, n+1
			last = t.Gaps[i]
			end = max(end, p.X(last.To))
		}
		p.rect("tl-gap", x, end, y-1, high+2, noRecord(gapWords(first, last))+", "+p.stamp(first.From)+" to "+p.stamp(last.To))
		p.said = add(p.said, "stretch without a record", n)
		p.gapText(x, end, gapWords(first, last), y+high-2)
	}
	p.y += logHigh
}

// gapText writes into a gap what it is, as far as there is room.
func (p *picture) gapText(x, end float64, words string, y int) {
	class := "tl-gaptext"
	switch wide := end - x; {
	case wide >= 0.45 || words == "" && wide >= 0.12:
		words = noRecord(words)
	case words == "":
		return
	case wide >= 0.2:
	case wide >= 0.12:
		class += " tl-wide"
	default:
		return
	}
	fmt.Fprintf(p, `<text class="%s" x="%s" y="%d">%s</text>`, class, percent((x+end)/2), y, words)
}

func noRecord(gaps string) string {
	if gaps == "" {
		return "no record"
	}
	return "no record: " + gaps
}

// gapWords names gaps by their numbers, if they have any.
func gapWords(first, last Gap) string {
	if first.Number == 0 {
		return ""
	}
	if first.Number == last.Number {
		return fmt.Sprintf("gap %d", first.Number)
	}
	return fmt.Sprintf("gaps %d to %d", first.Number, last.Number)
}

func spans(all []Span, words string) (out []Event) {
	for _, s := range all {
		out = append(out, Event{Span: s, Count: 1, Words: words})
	}
	return out
}

func (p *picture) bars(b Bar) {
	high := barHigh
	if b.Tall {
		high = tallHigh
	}
	marks := p.Bars(b.Events)
	if b.Tall {
		marks = p.Columns(b.Events)
	}
	most := 0
	for _, m := range marks {
		most = max(most, m.Count)
	}
	for i, m := range marks {
		of, end := high-3, max(m.End, m.X+0.005)
		if b.Tall {
			of = tallOf(m.Count, most, high-3)
			if i+1 < len(marks) {
				end = min(end, marks[i+1].X-0.001)
			}
		}
		p.rect("tl-bar tl-"+b.Class, m.X, end, p.y+high-of, of, p.words(m))
		p.tell(m)
	}
	p.y += high
}

// tallOf grows with each doubling, so that one beside thousands is seen.
func tallOf(count, most, high int) int {
	doublings := func(n int) (d int) {
		for ; n > 1; n /= 2 {
			d++
		}
		return d
	}
	const low = 6
	return low + (high-low)*doublings(count)/max(1, doublings(most))
}
