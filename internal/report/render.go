package report

import (
	"fmt"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// ANSI SGR codes (ECMA-48, 8.3.117), from the 16 colours that every terminal
// theme makes readable on its background.
const (
	sgrReset  = "\x1b[0m"
	sgrBold   = "\x1b[1m"
	sgrDim    = "\x1b[2m"
	sgrRed    = "\x1b[31m"
	sgrGreen  = "\x1b[32m"
	sgrYellow = "\x1b[33m"
)

// piece is text in one colour. Widths are counted before colour is added.
type piece struct{ text, sgr string }

type canvas struct {
	b      strings.Builder
	width  int
	colour bool
}

// line writes pieces up to the width, and a newline.
func (c *canvas) line(pieces ...piece) {
	left := c.width
	for _, p := range pieces {
		text := cut(p.text, left)
		left -= Columns(text)
		if c.colour && p.sgr != "" && text != "" {
			text = p.sgr + text + sgrReset
		}
		c.b.WriteString(text)
	}
	c.b.WriteByte('\n')
}

// mostLines of the screen that one thing takes.
const mostLines = 2

// broken writes head, and text behind it in as many lines as it needs, but not
// more than a few: the last is cut.
func (c *canvas) broken(head piece, pieces ...piece) {
	text := ""
	for _, p := range pieces {
		text += p.text
	}
	if Columns(head.text)+Columns(text) <= c.width {
		c.line(append([]piece{head}, pieces...)...)
		return
	}
	indent := strings.Repeat(" ", Columns(head.text))
	lines := strings.Split(strings.TrimSuffix(Wrap(text, indent, c.width), "\n"), "\n")
	if len(lines) > mostLines {
		lines[mostLines-1] += " " + strings.TrimSpace(strings.Join(lines[mostLines:], " "))
		lines = lines[:mostLines]
	}
	for i, line := range lines {
		first := piece{indent, ""}
		if i == 0 {
			first = head
		}
		c.line(first, piece{strings.TrimPrefix(line, indent), pieces[0].sgr})
	}
}

// RenderProgress draws the campaign for a terminal. Every line fits the width;
// each ends with a newline. It moves no cursor: the caller draws over the last
// frame, whose lines it counts.
func RenderProgress(p Progress, width int, colour bool) string {
	c := &canvas{width: max(width, 20), colour: colour}
	t := p.total()
	elapsed := ""
	if !p.StartedAt.IsZero() {
		elapsed = "  " + span(p.Now.Sub(p.StartedAt))
	}
	c.line(piece{"Rollcall ", sgrBold}, piece{Clean(p.Device), sgrBold}, piece{"  " + string(p.Phase), phaseColour(p.Phase)},
		piece{elapsed, ""}, piece{rateAndETA(p, "  "), sgrDim})
	c.line()
	c.counters(t, p.Finds)
	c.line()
	label, digits := p.columns()
	for _, w := range p.Waves {
		c.wave(w, label, digits)
	}
	if len(p.Recent) > 0 {
		c.line()
	}
	for _, d := range p.Recent {
		took := ""
		if d.Took > 0 {
			took = "  " + span(d.Took)
		}
		room := c.width - Columns("  ✓ dead  "+took)
		c.line(piece{"  ✓ dead  ", sgrGreen}, piece{cut(Clean(d.Name), room), ""}, piece{took, sgrDim})
	}
	if len(p.Reasons) > 0 {
		c.line()
	}
	for _, r := range p.Reasons {
		where := ""
		if r.Server != "" {
			where = "  " + Clean(r.Server)
		}
		if !r.Until.IsZero() {
			where = "  until " + r.Until.Format("15:04:05Z07:00") + where
		}
		sgr := sgrYellow
		if r.Reason == protocol.ReasonOldAccepted {
			sgr = sgrRed
		}
		c.broken(piece{fmt.Sprintf("  ! %d open  ", r.Count), sgr}, piece{adviceFor(r.Reason).Title, ""}, piece{where, sgrDim})
	}
	for _, l := range p.LeftOut {
		c.broken(piece{"  ! left out  ", sgrYellow}, piece{Clean(l.Name()), ""}, piece{"  by " + Clean(l.Actor+": "+l.Reason), sgrDim})
	}
	c.tasks(p.Tasks)
	c.warnings(p.Warnings)
	return c.b.String()
}

// tasks are those that wait for people, a line each: overdue ones first.
func (c *canvas) tasks(all []StatusTask) {
	const most = 5
	n := 0
	for _, late := range []bool{true, false} {
		for _, t := range all {
			if t.State == string(dead) || t.OpenedAt == "" || t.Overdue != late {
				continue
			}
			if n++; n > most {
				continue
			}
			sgr := ""
			if late {
				sgr = sgrRed
			}
			c.broken(piece{"  ! person  ", sgrYellow}, piece{Clean(TaskLine(t)), sgr})
		}
	}
	if n > most {
		c.line(piece{"  ! person  ", sgrYellow}, piece{fmt.Sprintf("and %d more: rollcall tasks", n-most), ""})
	}
}

// warnings are a few lines: the last screen has all of them, whole.
func (c *canvas) warnings(list []credential.Finding) {
	const most = 3
	for _, w := range list[:min(most, len(list))] {
		c.broken(piece{"  ! warning  ", sgrYellow}, piece{Clean(w.Detail), ""})
	}
	if n := len(list) - most; n > 0 {
		c.line(piece{"  ! warning  ", sgrYellow}, piece{fmt.Sprintf("and %d more", n), ""})
	}
}

func (c *canvas) counters(t WaveProgress, finds int) {
	deadColour := sgrGreen
	if t.Dead == 0 {
		deadColour = ""
	}
	pieces := []piece{{fmt.Sprintf("  %d of %d dead", t.Dead, t.Listed), sgrBold + deadColour}}
	if t.OnSome > 0 {
		pieces = append(pieces, piece{fmt.Sprintf(", %d on some only", t.OnSome), sgrYellow})
	}
	pieces = append(pieces, piece{fmt.Sprintf("   %d in work", t.InWork), ""})
	if n := t.Open + t.Exceptions; n > 0 {
		pieces = append(pieces, piece{fmt.Sprintf("   %d open", n), sgrYellow})
	} else {
		pieces = append(pieces, piece{"   0 open", ""})
	}
	if finds > 0 {
		pieces = append(pieces, piece{"   " + Plural(finds, "finding", "findings"), sgrYellow})
	}
	c.line(pieces...)
}

// wave draws one bar: dead on all servers, dead on some, open, in work,
// waiting. Whatever is not zero gets a cell if there is one, and only a
// finished wave has a full bar.
func (c *canvas) wave(w WaveProgress, label, digits int) {
	counts := fmt.Sprintf("  %*d/%-*d", digits, w.Dead, digits, w.Listed)
	cells := max(5, min(48, c.width-label-4-Columns(counts)-4))
	bad := w.Open + w.Exceptions
	n := shares(cells, w.Listed, w.Dead-w.OnSome, w.OnSome, bad, w.InWork)
	mark := piece{"", ""}
	switch {
	case w.done() && w.Exceptions == 0 && w.OnSome == 0:
		mark = piece{" ✓", sgrGreen}
	case bad > 0 || w.OnSome > 0:
		mark = piece{" !", sgrYellow}
	}
	c.line(piece{"  " + pad(cut(w.Name, label), label) + "  ", ""},
		piece{strings.Repeat("█", n[0]), sgrGreen}, piece{strings.Repeat("▌", n[1]), sgrGreen}, piece{strings.Repeat("▓", n[2]), sgrYellow},
		piece{strings.Repeat("▒", n[3]), sgrDim}, piece{strings.Repeat("░", cells-n[0]-n[1]-n[2]-n[3]), sgrDim},
		piece{counts, ""}, mark)
}

// shares divides cells in proportion to parts of a whole.
func shares(cells, whole int, parts ...int) []int {
	out := make([]int, len(parts))
	left := cells
	for i, p := range parts {
		if whole == 0 || p == 0 {
			continue
		}
		out[i] = min(left, max(1, p*cells/whole))
		left -= out[i]
	}
	return out
}

// columns are the widths of the waves' names and of their largest count.
func (p Progress) columns() (label, digits int) {
	for _, w := range p.Waves {
		label = max(label, Columns(w.Name))
		digits = max(digits, len(fmt.Sprint(w.Listed)))
	}
	return min(label, 20), digits
}

// WaveName is the wave's name in the campaign file, or else its number, which
// for people begins at 1.
func WaveName(wave int, names map[int]string) string {
	if name := names[wave]; name != "" {
		return Clean(name)
	}
	return fmt.Sprintf("wave %d", wave+1)
}

// rateAndETA is how fast it goes and how long that takes, each behind sep.
func rateAndETA(p Progress, sep string) string {
	if p.Phase == ledger.Closed || p.still() || p.Rate <= 0 {
		return ""
	}
	s := fmt.Sprintf("%s%.3g/s", sep, p.Rate)
	if left, ok := p.eta(); ok {
		s += sep + "about " + span(left) + " left"
	}
	return s
}

func phaseColour(ph ledger.Phase) string {
	switch ph {
	case ledger.Paused, ledger.Aborting:
		return sgrYellow
	case ledger.Closed:
		return sgrGreen
	}
	return ""
}
