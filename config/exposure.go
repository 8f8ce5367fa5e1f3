package config

import (
	"strings"
	"time"
)

// SaysWhen reports whether the file says when the device was in foreign hands.
func (c *Campaign) SaysWhen() bool { return len(c.Exposure) > 0 || c.Containment.Said() }

// InForeignHands reports whether the device was in foreign hands at some time
// between two. A zero from is the beginning of all, a zero until is now. An
// exposure that has no end lasts until the device was contained. Of a file
// without one, that is when it was in foreign hands; and of a file that says
// neither, it is now.
func (c *Campaign) InForeignHands(from, until time.Time) bool {
	all := c.Exposure
	contained := time.Time{}
	if c.Containment.Said() {
		contained = c.Containment.At
	}
	switch {
	case len(all) == 0 && contained.IsZero():
		return until.IsZero()
	case len(all) == 0:
		all = []Interval{{From: contained, To: contained}}
	}
	for _, i := range all {
		end := i.To
		if end.IsZero() && !contained.Before(i.From) {
			end = contained
		}
		if (end.IsZero() || !from.After(end)) && (until.IsZero() || !until.Before(i.From)) {
			return true
		}
	}
	return false
}

// ReadExposed reads what Exposed writes, as ledgers have it. It gives nil where
// a part of it is anything else.
func ReadExposed(text string) (out []Interval) {
	for _, part := range strings.Split(text, ", ") {
		begin, end, ok := strings.Cut(part, " to ")
		from, err := parseWhen(begin, false)
		i := Interval{From: from}
		if ok && err == nil && end != "now" {
			i.To, err = parseWhen(end, true)
		}
		if !ok || err != nil {
			return nil
		}
		out = append(out, i)
	}
	return out
}
