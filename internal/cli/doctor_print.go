package cli

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"rollcall/internal/report"
)

// printChecks groups by place, in lines that fit the terminal, and counts what is wrong.
func (a *app) printChecks(rows []check) (bad int) {
	width, tty := terminal(a.Out)
	if !tty {
		width = math.MaxInt // a line each, for grep
	}
	where, widest := "", 0
	for _, r := range rows {
		widest = max(widest, utf8.RuneCountInString(r.What))
	}
	for _, r := range rows {
		if r.Where != where {
			where = r.Where
			fmt.Fprintln(a.Out, where)
		}
		mark := "ok"
		if !r.OK {
			mark = "WRONG"
			bad++
		}
		head := fmt.Sprintf("  %-5s  %-*s  ", mark, widest, r.What)
		fmt.Fprint(a.Out, report.Wrap(r.Detail, head, width))
		if !r.OK {
			fmt.Fprint(a.Out, report.Wrap(r.Do, strings.Repeat(" ", utf8.RuneCountInString(head))+"-> ", width))
		}
	}
	return bad
}
