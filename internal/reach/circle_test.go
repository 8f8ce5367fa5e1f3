package reach

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
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

// mixed are notes of which some name those that are not waited for.
func mixed(notes map[string][]string, every, closed map[string]bool) waiting {
	w := waiting{map[string]waits{}, map[string]bool{}}
	for id, by := range notes {
		for _, other := range append(slices.Clone(by), id) {
			w.open[other] = !closed[other]
		}
	}
	maps.DeleteFunc(w.open, func(_ string, open bool) bool { return !open })
	for id, by := range notes {
		if !every[id] {
			w.by[id] = waits{ids: by}
			continue
		}
		but := map[string]bool{id: true}
		for other := range w.open {
			if !slices.Contains(by, other) {
				but[other] = true
			}
		}
		w.by[id] = waits{every: true, but: but}
	}
	return w
}

// Whatever the order in which they are looked at: none is set that could not be
// activated, and each is that waits for none that is held.
func TestNoLoginIsSetThatCouldNotBeActivatedAndNoneWaitsForNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		reads, held := estate(t)
		everyOf := map[string]bool{}
		for id := range reads {
			everyOf[id] = rapid.Bool().Draw(t, id+" notes whom it does not wait for")
		}
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
			if mixed(about, everyOf, closed).circle(id) {
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
			seen := map[string]bool{}
			for todo := slices.Clone(reads[id]); len(todo) > 0; todo = todo[1:] {
				if other := todo[0]; !seen[other] {
					if seen[other] = true; held[other] {
						return true
					}
					todo = append(todo, reads[other]...)
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
		for _, every := range []map[string]bool{nil, {"a": true}, {"b": true}, {"b": true, "c": true}, {"a": true, "b": true, "c": true}} {
			require.Equal(t, s.first, mixed(s.notes, every, map[string]bool{}).circle("a"), "%s %v", s.name, every)
		}
	}
}

// One that reads nothing of them, and that nobody will ever set, holds up none
// of very many; and each of them costs little.
func TestVeryManyThatWaitForEachOtherDoNotWaitForOneThatReadsNothing(t *testing.T) {
	const n, stuck = 4000, "vault/userpass/stuck"
	l := &Logins{LookAfter: time.Hour}
	o := &Reach{of: l, campaign: "c", logins: map[string]credential.Credential{stuck: {ID: stuck}}}
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprint("vault/userpass/l", i))
		o.logins[ids[i]] = credential.Credential{ID: ids[i]}
	}
	for id := range o.logins {
		o.wasOpen.Store(id, time.Now().Round(0))
	}
	require.Equal(t, []string{stuck}, o.openBut(t.Context(), ids[0], ids[1:]))
	for _, id := range ids {
		l.noted.Store(id, notedAt{ownmount.BeforeSet{Campaign: "c", Awaits: []string{everyLogin}, But: []string{stuck}}, time.Now().Round(0)})
	}
	began := time.Now()
	noted, err := o.noted(t.Context(), ids[1:])
	require.NoError(t, err)
	noted.by[ids[0]] = waits{ids: ids[1:]}
	require.True(t, noted.circle(ids[0]))
	require.Less(t, time.Since(began), 2*time.Second)
}
