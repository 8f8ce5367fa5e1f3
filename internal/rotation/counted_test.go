package rotation

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

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
// failure at most: a process that is killed forgets what its logins showed.
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
			w.faults, w.events = faults, events
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
