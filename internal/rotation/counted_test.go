package rotation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// TestWhateverOthersDoWhereTheThirdWrongLoginLocksItIsNotUsWhoLockTheAccount
// has directories that show how many wrong logins lock an account and how many
// there were, with marks as each has them.
func TestWhateverOthersDoWhereTheThirdWrongLoginLocksItIsNotUsWhoLockTheAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, s := range stories {
			if s.world().stubborn {
				continue // who keeps the old value is told by what it accepts
			}
			calls := callsOf(s)
			for at := 1; at <= calls; at++ {
				for _, o := range append(others[:4:4], doesNothing) {
					for _, f := range append([]fault{none}, allFaults...) {
						if (o.name != doesNothing.name) == (f != none) {
							continue
						}
						w := s.world().counts(3)
						w.events[at], w.faults[at] = o.do, f
						what := fmt.Sprintf("%s, before call %d %s, %s", s.name, at, o.name, f)
						if _, dead := w.run(false); dead {
							w.ended()
						} else if !w.stuck() {
							w.fail("it never came to an end")
						}
						if w.lockouts > 0 {
							w.fail("the account was locked by us")
						}
						w.kept(t, what)
					}
				}
			}
		}
	})
}

var doesNothing = struct {
	name string
	do   func(*world)
}{"nobody does anything", func(*world) {}}

// TestNoCourseOfIntrusionsHasTheAccountLockedByUs draws several, with one
// failure at most. A process that is killed forgets what its logins showed, and
// of a login whose answer is lost OpenLDAP's marks do not tell what it was.
func TestNoCourseOfIntrusionsHasTheAccountLockedByUs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := stories[rapid.IntRange(0, len(stories)-1).Draw(r, "story")]
		when, locks := rapid.IntRange(1, 80), rapid.IntRange(3, 5).Draw(r, "locks at")
		faults, events := map[int]fault{}, map[int]func(*world){}
		for range rapid.IntRange(0, 4).Draw(r, "intrusions") {
			events[when.Draw(r, "at")] = others[rapid.IntRange(0, 3).Draw(r, "event")].do
		}
		if rapid.Bool().Draw(r, "a failure") {
			faults[when.Draw(r, "at")] = rapid.SampledFrom([]fault{dropped, replyLost}).Draw(r, "fault")
		}
		each := rapid.IntRange(0, 3).Draw(r, "set again after each of ours, so often")
		var w *world
		dead := false
		synctest.Test(t, func(*testing.T) {
			w = s.world().counts(locks)
			if w.events = events; !w.dated || !slices.Contains(slices.Collect(maps.Values(faults)), replyLost) {
				w.faults = faults
			}
			w.afterSet = func(w *world) {
				if each--; each >= 0 {
					w.strangerSets(fmt.Sprintf("Y%d", each))
				}
			}
			if _, dead = w.run(false); dead {
				w.ended()
			}
		})
		switch {
		case w.lockouts > 0:
			r.Fatalf("%s: the account was locked by us\n%s", s.name, w.story())
		}
		if !dead && !w.stuck() {
			r.Fatalf("%s: it never came to an end\n%s", s.name, w.story())
		}
		if len(w.broken) > 0 {
			r.Fatalf("%s: %v\n%s", s.name, slices.Compact(w.broken), w.story())
		}
	})
}

// mark is a new change mark.
func (w *world) mark() string {
	if !w.dated {
		return fmt.Sprintf("t%04d", w.marks)
	}
	return w.stamp(0) + "Z/" + w.csn(0)
}

// stamp is a time for each change: two of them never fall into one second. What
// was there from the beginning was set long ago.
func (w *world) stamp(after time.Duration) string {
	at := time.Date(2000, 1, 1, 0, 0, 2*w.marks, 0, time.UTC)
	if w.marks == 0 {
		at = at.Add(-24 * time.Hour)
	}
	return at.Add(after).Format("20060102150405")
}

func (w *world) csn(after time.Duration) string {
	w.touches++
	return fmt.Sprintf("%s.%06dZ#000000#000#000000", w.stamp(after), w.touches)
}

// counted is what a login that an OpenLDAP server counts, or that ends a count,
// does to the mark of the entry.
func (w *world) counted(e *entry) {
	if !w.dated || e != w.write() {
		return
	}
	set, _, _ := strings.Cut(e.mark, "/")
	csn := w.csn(time.Second)
	w.spread(func(e *entry) {
		if now, _, _ := strings.Cut(e.mark, "/"); now == set {
			e.mark = set + "/" + csn
		}
	})
}

// counts has the servers lock at a wrong login, and their policy show it: as
// OpenLDAP does it, or as Active Directory, where a change leaves the count.
func (w *world) counts(at int) *world {
	w.maxFails, w.locks = at, at
	w.dated = !w.grace
	for _, s := range w.servers {
		e := s.entries[subject]
		e.showsFails, e.keepsFails = true, w.grace
		if w.dated {
			e.mark = w.mark()
		}
	}
	return w
}
