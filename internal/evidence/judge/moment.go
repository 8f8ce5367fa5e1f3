package judge

import (
	"cmp"
	"slices"
	"time"
)

// Moment is a short span of time in which events that are alike were.
type Moment struct {
	First, Last time.Time
	Count       int
}

// maxMoments are kept of what is alike. Beyond them those that are near each
// other are counted as one.
const maxMoments = 32

// moments are when events that are alike were, in steps of time that are as
// short as maxMoments allows. The order in which events come makes no
// difference.
type moments struct {
	shift uint // a step is 2^shift milliseconds
	all   []step
}

type step struct {
	first, last int64 // milliseconds
	count       int
}

func (m *moments) add(at time.Time) {
	ms := at.UnixMilli()
	if n := len(m.all); n > 0 && m.all[n-1].first>>m.shift == ms>>m.shift {
		m.all[n-1].take(step{ms, ms, 1}) // mostly it is the latest
		return
	}
	i, found := slices.BinarySearchFunc(m.all, ms>>m.shift, func(s step, key int64) int { return cmp.Compare(s.first>>m.shift, key) })
	if found {
		m.all[i].take(step{ms, ms, 1})
		return
	}
	m.all = slices.Insert(m.all, i, step{ms, ms, 1})
	for len(m.all) > maxMoments {
		m.coarser()
	}
}

func (s *step) take(other step) {
	s.first, s.last, s.count = min(s.first, other.first), max(s.last, other.last), s.count+other.count
}

// coarser doubles the steps.
func (m *moments) coarser() {
	m.shift++
	kept := m.all[:1]
	for _, s := range m.all[1:] {
		if last := &kept[len(kept)-1]; last.first>>m.shift == s.first>>m.shift {
			last.take(s)
		} else {
			kept = append(kept, s)
		}
	}
	m.all = kept
}

func (m *moments) list() (out []Moment) {
	for _, s := range m.all {
		out = append(out, Moment{time.UnixMilli(s.first).UTC(), time.UnixMilli(s.last).UTC(), s.count})
	}
	return out
}

// Sort is what sort of use of a credential of the roll something is.
type Sort string

// Sorts, as the tallies of a Use have them.
const (
	FromDevice    Sort = "from-device"
	FromUsual     Sort = "from-usual-place"
	FromElsewhere Sort = "from-elsewhere"
	FromNowhere   Sort = "without-address"
	WasRefused    Sort = "refused"
	WasUnclear    Sort = "unclear"
)

// Untold are uses of a credential that are in no finding, and when they were.
type Untold struct {
	Sort    Sort
	Moments []Moment
}

func (j *Judge) sortOf(k key, g *group) Sort {
	switch {
	case k.outcome.Bad():
		return WasRefused
	case !k.outcome.Right():
		return WasUnclear
	case g.place == device:
		return FromDevice
	case g.place == nowhere:
		return FromNowhere
	case g.place == usual || k.crowd.usual || isTally(k, g) || j.learned[k.credential].has(k.from, k.outcome):
		return FromUsual
	}
	return FromElsewhere
}

func (u *Use) tally(s Sort) *Tally {
	return map[Sort]*Tally{FromDevice: &u.Device, FromUsual: &u.Usual, FromElsewhere: &u.Elsewhere, FromNowhere: &u.Nowhere, WasRefused: &u.Refused, WasUnclear: &u.Unclear}[s]
}
