package config

import (
	"fmt"
	"slices"
	"strings"
)

// Errors is everything that is wrong with one campaign file, found in one
// reading. Load returns it as *Errors; the caller prints it as it is. No text
// ever repeats a value that could be a secret.
type Errors struct {
	File string    // as it was given to Load
	List []Problem // by line
}

// Problem is one mistake in the file.
type Problem struct {
	Line int // 1-based; 0 means the file as a whole
	Text string
}

// Error is one "file:line: text" for each problem, so that editors jump there.
func (e *Errors) Error() string {
	var b strings.Builder
	for i, p := range e.List {
		if i > 0 {
			b.WriteByte('\n')
		}
		if p.Line == 0 {
			fmt.Fprintf(&b, "%s: %s", e.File, p.Text)
			continue
		}
		fmt.Fprintf(&b, "%s:%d: %s", e.File, p.Line, p.Text)
	}
	return b.String()
}

func (e *Errors) sort() {
	slices.SortStableFunc(e.List, func(a, b Problem) int { return a.Line - b.Line })
	e.List = slices.Compact(e.List)
}
