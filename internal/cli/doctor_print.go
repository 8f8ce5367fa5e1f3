package cli

import (
	"fmt"
	"io"
	"math"
	"strings"

	"rollcall/internal/report"
)

// notChecked is the mark of what could not be looked at.
const notChecked = "not checked"

// tally counts checks. What could not be looked at is neither in order nor
// wrong.
type tally struct{ checked, wrong, notChecked int }

func (t tally) String() string {
	s := fmt.Sprintf("%d checked, %d wrong", t.checked, t.wrong)
	if t.notChecked > 0 {
		s += fmt.Sprintf(", %d not checked", t.notChecked)
	}
	return s
}

// fewAlike are as many lines as a reader takes in that say the same of
// different things; more are one line.
const fewAlike = 3

// besideLeast is how many columns a text needs beside what it is about. Where
// there are fewer it stands under it.
const besideLeast = 40

// kind is what lines have in common that say the same of different things.
func (r doctorRow) kind() doctorRow {
	r.Detail = ""
	return r
}

// printChecks groups by place, in lines that fit the terminal, and counts.
func (a *app) printChecks(rows []doctorRow) (n tally) {
	width, tty := terminal(a.Out)
	if !tty {
		width = math.MaxInt // a line each, for grep
	}
	return printChecks(a.Out, rows, width)
}

func printChecks(w io.Writer, rows []doctorRow, width int) (n tally) {
	where, widest, marks := "", 0, len("WRONG")
	for _, r := range rows {
		widest = max(widest, report.Columns(r.What))
		if r.NotChecked {
			marks = len(notChecked)
		}
	}
	alike := map[doctorRow]int{}
	for _, r := range rows {
		alike[r.kind()]++
	}
	for _, r := range rows {
		if r.Where != where {
			where = r.Where
			fmt.Fprintln(w, where)
		}
		mark := "ok"
		switch {
		case !r.OK:
			mark = "WRONG"
			n.wrong++
		case r.NotChecked:
			mark = notChecked
			n.notChecked++
		case r.note:
			mark = "note"
		}
		if !r.NotChecked {
			n.checked++
		}
		head := fmt.Sprintf("  %-*s  %-*s  ", marks, mark, widest, r.What)
		under := width-report.Columns(head) < besideLeast
		if under {
			head = fmt.Sprintf("  %-*s  ", marks, mark)
		}
		switch n := alike[r.kind()]; {
		case n < 0:
			continue // its line stands above
		case n > fewAlike && (!r.OK || r.NotChecked):
			alike[r.kind()] = -1
			r.Detail += fmt.Sprintf(" (and %d more of this kind: -o json has all)", n-1)
		}
		if under {
			fmt.Fprint(w, report.Wrap(r.What, head, width))
			head = strings.Repeat(" ", report.Columns(head))
		}
		fmt.Fprint(w, report.Wrap(r.Detail, head, width))
		if !r.OK {
			fmt.Fprint(w, report.Wrap(r.Do, strings.Repeat(" ", report.Columns(head))+"-> ", width))
		}
	}
	return n
}
