package reach

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// estate draws logins that read each other's places. Some of them can never be
// set.
func estate(t *rapid.T) (reads map[string][]string, held map[string]bool) {
	n := rapid.IntRange(1, 6).Draw(t, "logins")
	reads, held = map[string][]string{}, map[string]bool{}
	for i := range n {
		id := fmt.Sprint("l", i)
		reads[id] = []string{}
		for k := range n {
			if k != i && rapid.Bool().Draw(t, fmt.Sprint(i, " is read by ", k)) {
				reads[id] = append(reads[id], fmt.Sprint("l", k))
			}
		}
		held[id] = rapid.IntRange(0, 4).Draw(t, id+" is held") == 0
	}
	return reads, held
}

// Whatever the order in which they are looked at: none is set that could not be
// activated, and each is that waits for none that is held.
func TestNoLoginIsSetThatCouldNotBeActivatedAndNoneWaitsForNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		reads, held := estate(t)
		notes, set, closed := map[string][]string{}, map[string]bool{}, map[string]bool{}
		open := func(ids []string) (out []string) {
			for _, id := range ids {
				if !closed[id] {
					out = append(out, id)
				}
			}
			return out
		}
		look := func(id string) {
			if held[id] || set[id] {
				return
			}
			awaits := open(reads[id])
			about := map[string][]string{}
			for other, by := range notes {
				if !closed[other] {
					about[other] = open(by)
				}
			}
			about[id] = awaits
			if len(awaits) > 0 {
				notes[id] = awaits
			}
			if circle(id, about) {
				set[id], closed[id] = true, true // set, and retired
			}
		}
		ids := slices.Sorted(func(yield func(string) bool) {
			for id := range reads {
				if !yield(id) {
					return
				}
			}
		})
		for range rapid.IntRange(0, 20).Draw(t, "looks") {
			look(rapid.SampledFrom(ids).Draw(t, "looked at"))
		}
		waitsForHeld := func(id string) bool {
			if held[id] {
				return true
			}
			for other := range reached(id, reads) {
				if held[other] {
					return true
				}
			}
			return false
		}
		for _, id := range ids {
			require.False(t, set[id] && waitsForHeld(id), "%s of %v, held %v", id, reads, held)
		}
		for range 2 * len(ids) {
			for _, id := range ids {
				look(id)
			}
		}
		for _, id := range ids {
			require.Equal(t, !waitsForHeld(id), set[id], "%s of %v, held %v", id, reads, held)
		}
	})
}

func TestOfLoginsThatWaitForEachOtherOneGoesFirst(t *testing.T) {
	for _, s := range []struct {
		name  string
		notes map[string][]string
		first bool
	}{
		{"it waits for nobody", map[string][]string{"a": {}}, true},
		{"the other was not looked at", map[string][]string{"a": {"b"}}, false},
		{"the other waits for it", map[string][]string{"a": {"b"}, "b": {"a"}}, true},
		{"the other waits for nobody, and goes first", map[string][]string{"a": {"b"}, "b": {}}, false},
		{"the other waits for a third too that was not looked at", map[string][]string{"a": {"b"}, "b": {"a", "c"}}, false},
		{"the third waits for nobody", map[string][]string{"a": {"b"}, "b": {"a", "c"}, "c": {}}, false},
		{"a circle of three", map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"a"}}, true},
		{"others have a circle of their own", map[string][]string{"a": {"b"}, "b": {"c"}, "c": {"b"}}, false},
	} {
		require.Equal(t, s.first, circle("a", s.notes), s.name)
	}
}
