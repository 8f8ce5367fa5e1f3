package judge

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/evidence/event"
)

// When what is alike was is kept in little, and none of it is lost, in whatever
// order it comes.
func TestMomentsAreFewInOrderAndLoseNoEvent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		wide := rapid.SampledFrom([]int64{10_000, 3_600_000, 5 * 365 * 86_400_000}).Draw(t, "wide")
		times := rapid.SliceOfN(rapid.Int64Range(-wide, wide), 1, 300).Draw(t, "times")
		other := rapid.Permutation(times).Draw(t, "in another order")
		var m, n moments
		first, last := times[0], times[0]
		for i, ms := range times {
			m.add(time.UnixMilli(ms))
			n.add(time.UnixMilli(other[i]))
			first, last = min(first, ms), max(last, ms)
		}
		all, count := m.list(), 0
		for i, x := range all {
			count += x.Count
			if x.Last.Before(x.First) || i > 0 && !x.First.After(all[i-1].Last) {
				t.Fatalf("%v behind %v", x, all[max(0, i-1)])
			}
		}
		if count != len(times) || len(all) > maxMoments {
			t.Fatalf("%d of %d in %d", count, len(times), len(all))
		}
		if all[0].First.UnixMilli() != first || all[len(all)-1].Last.UnixMilli() != last {
			t.Fatal("it begins and ends where the events do")
		}
		require.Equal(t, all, n.list())
	})
}

// What a picture shows is what the tallies count: each event once, in a finding
// or as a use that is none.
func TestEachUseIsToldOnceInAFindingOrBesideThem(t *testing.T) {
	j := New(options())
	for _, e := range []event.Event{
		at(5, "uid=a,dc=x", "198.51.100.1", event.Accepted), at(11, "uid=a,dc=x", "192.0.2.10", event.Accepted), at(12, "uid=a,dc=x", "203.0.113.1", event.Accepted),
		at(13, "uid=a,dc=x", "198.51.100.1", event.Accepted), at(14, "uid=a,dc=x", "203.0.113.1", event.Refused), at(15, "uid=a,dc=x", "", event.Accepted),
		at(16, "uid=a,dc=x", "203.0.113.1", event.Unknown), at(26, "uid=a,dc=x", "203.0.113.1", event.Refused), at(27, "uid=a,dc=x", "203.0.113.1", event.Refused),
	} {
		j.Add(e)
	}
	r := j.Finish(nil, nil)
	told, untold := 0, map[Sort]int{}
	for _, f := range r.Findings {
		n := 0
		for _, m := range f.Moments {
			n += m.Count
		}
		require.Equal(t, f.Count, n, f.Code)
		told += n
	}
	for _, u := range r.Uses[0].Untold {
		for _, m := range u.Moments {
			untold[u.Sort] += m.Count
		}
	}
	require.Equal(t, 4, told)
	require.Equal(t, map[Sort]int{FromDevice: 1, FromUsual: 2, FromNowhere: 1, WasRefused: 1}, untold)
	u := r.Uses[0]
	require.Equal(t, 9, u.Device.Count+u.Usual.Count+u.Elsewhere.Count+u.Nowhere.Count+u.Refused.Count+u.Unclear.Count)
}

func TestMomentsAreAsFineAsThereIsRoomFor(t *testing.T) {
	var m moments
	for i := range maxMoments {
		m.add(day(1).Add(time.Duration(i) * time.Hour))
	}
	require.Len(t, m.all, maxMoments)
	m.add(day(20))
	require.Greater(t, len(m.all), 4)
	for i := range 10 * maxMoments {
		m.add(day(1).Add(time.Duration(i) * time.Hour))
	}
	require.GreaterOrEqual(t, len(m.all), maxMoments/4)
}
