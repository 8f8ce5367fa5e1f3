package timeline

import (
	"fmt"
	"html/template"
	"strings"
)

// The area of a fall is drawn on this grid, and stretched to its place.
const fallWide, fallTall = 2000, 100

// fall draws an area as high as there are many, with the numbers at both ends.
// What is not zero is never drawn as nothing.
func (p *picture) fall(f Fall) {
	if len(f.Points) == 0 {
		return
	}
	most := 0
	for _, at := range f.Points {
		most = max(most, at.Count)
	}
	level := func(count int) int {
		if count <= 0 || most == 0 {
			return fallTall
		}
		return min(fallTall-4, fallTall-fallTall*count/most)
	}
	first, last := f.Points[0], f.Points[len(f.Points)-1]
	const head = 16 // above the area, for its number
	x, y := int(fallWide*p.X(first.At)), level(first.Count)
	begin := x
	var steps strings.Builder
	fmt.Fprintf(&steps, "M%d %d", x, y)
	for _, at := range f.Points[1:] {
		if to := int(fallWide * p.X(at.At)); to > x {
			fmt.Fprintf(&steps, "H%d", to)
			x = to
		}
		if to := level(at.Count); to != y {
			fmt.Fprintf(&steps, "V%d", to)
			y = to
		}
	}
	end := fallWide
	title := template.HTMLEscapeString(fmt.Sprintf("%s: %d from %s on, %d from %s on", f.Words, first.Count, p.stamp(first.At), last.Count, p.stamp(last.At)))
	fmt.Fprintf(p, `<svg x="0" y="%d" width="100%%" height="%d" viewBox="0 0 %d %d" preserveAspectRatio="none"><title>%s</title><path class="tl-area" d="%[6]sH%[7]dV%[4]dH%[8]dZ"/><path class="tl-fall" d="%[6]sH%[7]d"/></svg>`,
		p.y+head, fallHigh-head-4, fallWide, fallTall, title, steps.String(), end, begin)
	p.number(p.X(first.At), p.y+11, first.Count)
	if last.Count != first.Count {
		high := fallHigh - head - 4
		p.number(1, p.y+head+high*level(last.Count)/fallTall-5, last.Count)
	}
	p.said = append(p.said, Part{f.Words + " at first", first.Count}, Part{f.Words + " at last", last.Count})
	p.y += fallHigh
}

// number writes a number at a place, on the side where there is room.
func (p *picture) number(x float64, y, n int) {
	anchor, dx := "start", 1
	if x > 0.9 {
		anchor, dx = "end", -2
	}
	fmt.Fprintf(p, `<text class="tl-count" text-anchor="%s" x="%s" dx="%d" y="%d">%d</text>`, anchor, percent(x), dx, y, n)
}
