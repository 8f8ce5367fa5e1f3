// Package timeline draws when things were: times go in, inline SVG comes out.
// It is pure, and takes no name from outside: names stand beside the drawing,
// in the page of whoever asks for it.
package timeline

import (
	"cmp"
	"iter"
	"slices"
	"time"
)

// Span is a stretch of time.
type Span struct{ From, To time.Time }

// Axis is the time that a drawing shows, from left to right.
type Axis struct {
	From, To time.Time
	Ticks    []Tick
	zone     *time.Location
	most     int // ticks that have room
}

// Tick is a time on the axis. Date is written below it where it is another than
// that of the tick before.
type Tick struct {
	At         time.Time
	Text, Date string
}

// reachAtLeast is how far before and behind what matters an axis goes at most
// for the sake of what else is there, if what matters is not longer itself.
const reachAtLeast = 30 * 24 * time.Hour

// NewAxis holds all of core, and of the others what is no farther from it than
// core is long, or a month: one line with a wrong year must not make all else
// too small to see. Others may be nil. It is no shorter than least.
func NewAxis(core []Span, others iter.Seq[Span], zone *time.Location, least time.Duration) Axis {
	a := Axis{zone: zone}
	if others == nil {
		others = func(func(Span) bool) {}
	}
	if len(core) == 0 {
		for s := range others {
			core = []Span{s}
			break
		}
	}
	from, to := extent(core)
	reach := max(to.Sub(from), reachAtLeast)
	earliest, latest := from.Add(-reach), to.Add(reach)
	for o := range others {
		for _, t := range []time.Time{o.From, o.To} {
			if !t.Before(earliest) && !t.After(latest) {
				from, to = earlier(from, t), later(to, t)
			}
		}
	}
	if short := least - to.Sub(from); short > 0 {
		from, to = from.Add(-short/2), to.Add(short/2)
	}
	margin := to.Sub(from) / 40
	a.From, a.To = from.Add(-margin).In(zone), to.Add(margin).In(zone)
	return a.Ticked(mostTicks)
}

// Ticked is the same axis with so many ticks at most, for a drawing that is
// less wide.
func (a Axis) Ticked(most int) Axis {
	a.Ticks, a.most = ticks(a.From, a.To, most), most
	return a
}

func extent(all []Span) (from, to time.Time) {
	for i, s := range all {
		if i == 0 {
			from, to = s.From, s.To
		}
		from, to = earlier(from, s.From), later(to, s.To)
	}
	return from, to
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// X is where a time is on the axis, from 0 to 1. What is before it is 0, and
// what is behind it 1.
func (a Axis) X(t time.Time) float64 {
	whole := a.To.Sub(a.From)
	if whole <= 0 {
		return 0
	}
	return min(1, max(0, float64(t.Sub(a.From))/float64(whole)))
}

// The words that ticks have: the finer, and what is written where it changes.
type labels struct{ text, date string }

// pace is how ticks follow each other: so many of a unit of the calendar.
type pace struct {
	about  time.Duration
	months int
	days   int
	labels
}

const day = 24 * time.Hour

var (
	byShort = labels{"15:04:05", "2 Jan 2006"}
	byTime  = labels{"15:04", "2 Jan 2006"}
	byDay   = labels{"2 Jan", "2006"}
	byMonth = labels{"Jan", "2006"}
	byYear  = labels{"2006", ""}
)

var paces = []pace{
	{about: time.Second, labels: byShort}, {about: 2 * time.Second, labels: byShort}, {about: 5 * time.Second, labels: byShort},
	{about: 10 * time.Second, labels: byShort}, {about: 30 * time.Second, labels: byShort},
	{about: time.Minute, labels: byTime}, {about: 2 * time.Minute, labels: byTime}, {about: 5 * time.Minute, labels: byTime}, {about: 10 * time.Minute, labels: byTime},
	{about: 15 * time.Minute, labels: byTime}, {about: 30 * time.Minute, labels: byTime}, {about: time.Hour, labels: byTime}, {about: 2 * time.Hour, labels: byTime},
	{about: 3 * time.Hour, labels: byTime}, {about: 6 * time.Hour, labels: byTime}, {about: 12 * time.Hour, labels: byTime},
	{about: day, days: 1, labels: byDay}, {about: 2 * day, days: 2, labels: byDay}, {about: 7 * day, days: 7, labels: byDay}, {about: 14 * day, days: 14, labels: byDay},
	{about: 30 * day, months: 1, labels: byMonth}, {about: 61 * day, months: 2, labels: byMonth}, {about: 91 * day, months: 3, labels: byMonth}, {about: 182 * day, months: 6, labels: byMonth},
	{about: 365 * day, months: 12, labels: byYear}, {about: 730 * day, months: 24, labels: byYear}, {about: 1826 * day, months: 60, labels: byYear}, {about: 3652 * day, months: 120, labels: byYear},
}

// mostTicks have room beside each other; on a phone every second is written.
const mostTicks = 9

// ticks are round times of the calendar between two times, in their zone.
func ticks(from, to time.Time, most int) (out []Tick) {
	i := slices.IndexFunc(paces, func(p pace) bool { return to.Sub(from) <= time.Duration(most)*p.about })
	if i < 0 {
		i = len(paces) - 1
	}
	p := paces[i]
	date := ""
	for n := range 100_000 {
		at := p.nth(from, n)
		if at.After(to) || len(out) > 2*most {
			break
		}
		// Where clocks go forward, two steps of the calendar are one time.
		if at.Before(from) || len(out) > 0 && !at.After(out[len(out)-1].At) {
			continue
		}
		t := Tick{At: at, Text: at.Format(p.text)}
		if now := at.Format(p.date); p.date != "" && now != date {
			t.Date, date = now, now
		}
		out = append(out, t)
	}
	return out
}

// nth is the nth round time from the one before a time.
func (p pace) nth(from time.Time, n int) time.Time {
	y, m, d := from.Date()
	switch {
	case p.months > 0:
		first := (y*12 + int(m) - 1) / p.months * p.months
		return time.Date(0, time.Month(1+first+n*p.months), 1, 0, 0, 0, 0, from.Location())
	case p.days > 0:
		if p.days%7 == 0 {
			d -= (int(from.Weekday()) + 6) % 7 // weeks begin on Monday
		}
		return time.Date(y, m, d+n*p.days, 0, 0, 0, 0, from.Location())
	}
	// From the whole hour, or the day, that the first one is in.
	h := 0
	if p.about < time.Hour {
		h = from.Hour()
	}
	return time.Date(y, m, d, h, 0, n*int(p.about/time.Second), 0, from.Location())
}

func compareFirst(a, b Event) int {
	return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To), cmp.Compare(b.Weight, a.Weight), cmp.Compare(a.Shape, b.Shape), cmp.Compare(a.Words, b.Words))
}
