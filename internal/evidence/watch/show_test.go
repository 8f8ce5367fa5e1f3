package watch

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/judge"
)

// Without receivers the screen alone tells: nothing becomes due that nobody
// could be told of. With them the oldest make room.
func TestWhatWaitsForAScreenIsBounded(t *testing.T) {
	for _, receivers := range []bool{false, true} {
		o := options(t, logAt(t, ""))
		stands, last := make(chan struct{}), Batch{}
		o.Show = func(b Batch) error { <-stands; last = b; return nil }
		now := time.Now() // it hardly moves: no screen is slow for it
		o.Say, o.Again, o.Quiet = func(string, ...any) {}, time.Hour, time.Hour
		o.Now = func() time.Time { now = now.Add(time.Nanosecond); return now }
		if receivers {
			o.Tell = func(Batch) {}
		}
		lock, err := hold(o.Folder)
		require.NoError(t, err)
		defer lock.Close()
		w := &watcher{o: o, screen: newScreen(o.Show)}
		defer close(w.screen.give)
		require.NoError(t, w.begin(t.Context()))
		for i := range 100 {
			w.has(LinesLost, fmt.Sprint(i), "lines of %d", i)
			w.flush(now)
		}
		require.Len(t, w.state.Unshown, mostUnshown)
		require.Len(t, w.troubles, map[bool]int{true: 0, false: 100 - mostUnshown}[receivers], "they wait")
		close(stands)
		w.show(soon)
		require.Empty(t, w.state.Unshown)
		w.flush(now)
		w.show(soon)
		if !receivers {
			require.Len(t, last.Troubles, 100-mostUnshown)
		}
	}
}

// A screen that stands still is told to receivers, with what they alone have.
func TestAScreenThatStandsStillIsTold(t *testing.T) {
	now := time.Now()
	told := &receivers{}
	stands := make(chan struct{})
	defer close(stands)
	o := options(t, logAt(t, ""))
	o.Show, o.Tell, o.Say = func(Batch) error { <-stands; return nil }, told.tell, func(string, ...any) {}
	o.Now = func() time.Time { return now }
	w := &watcher{o: o, state: &state{Troubles: map[string]*trouble{}}, screen: newScreen(o.Show)}
	defer close(w.screen.give)
	for i := range 20 {
		w.toShow(Batch{ID: fmt.Sprint(i), Alerts: make([]judge.Alert, 1)})
		w.show(0)
	}
	now = now.Add(showPatience + time.Second)
	w.show(0)
	require.Len(t, w.troubles, 1)
	require.Equal(t, NotShown, w.troubles[0].Code)
	require.Contains(t, w.troubles[0].Text, "it has stood still since")
	require.Contains(t, w.troubles[0].Text, "receivers were told of 4 findings that nobody showed")
}
