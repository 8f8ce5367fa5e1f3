package evidence

import "time"

// order is that of the times of one file's lines.
type order struct {
	first, last time.Time
	on, back    int // lines that are later, and earlier, than the one before
}

func (o *order) see(at time.Time) {
	switch {
	case o.first.IsZero():
		o.first = at
	case at.After(o.last):
		o.on++
	case at.Before(o.last):
		o.back++
	}
	o.last = at
}

// newestFirst reports whether the file as a whole goes back in time. Of several
// machines in one file the clocks differ a little.
func (o *order) newestFirst() bool {
	return o.back > 2*o.on && o.first.Sub(o.last) > backwards
}
