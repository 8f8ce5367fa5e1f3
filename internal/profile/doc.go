// Package profile reads what a type of device can hold (its profile), and the
// answers that people give to it, and says of each line which credentials of a
// roll it is about. It does no I/O: a profile is data that somebody else has
// read.
package profile

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in a file.
type Problem struct {
	Line int // 1-based; 0 means the file as a whole
	Text string
}

// Mistakes is everything that is wrong with one file. No text repeats a value
// that could be a secret.
type Mistakes struct {
	File string
	List []Problem
}

// Error is one "file:line: text" for each problem.
func (m *Mistakes) Error() string {
	out := make([]string, 0, len(m.List))
	for _, p := range m.List {
		if p.Line == 0 {
			out = append(out, m.File+": "+p.Text)
			continue
		}
		out = append(out, fmt.Sprintf("%s:%d: %s", m.File, p.Line, p.Text))
	}
	return strings.Join(out, "\n")
}

// asError is nil if nothing is wrong.
func (m *Mistakes) asError() error {
	if len(m.List) == 0 {
		return nil
	}
	slices.SortStableFunc(m.List, func(a, b Problem) int { return a.Line - b.Line })
	m.List = slices.Compact(m.List)
	return m
}
