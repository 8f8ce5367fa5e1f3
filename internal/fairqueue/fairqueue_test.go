package fairqueue

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAFreeSlotGoesToTheBatchThatCameFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		first, second, third := l.Join("a"), l.Join("a"), l.Join("a")
		require.True(t, l.Take(t.Context(), third, nil), "nobody else is there")
		var got []int
		for _, batch := range []int{third, second, first, third, first, second} {
			go func() {
				if l.Take(context.Background(), batch, nil) {
					got = append(got, batch)
				}
			}()
			synctest.Wait() // it stands in the line
		}
		for range 6 {
			l.Leave()
			synctest.Wait()
		}
		require.Equal(t, []int{first, first, second, second, third, third}, got)
		l.Leave()
		require.Equal(t, 1, l.free)
	})
}

// A small campaign must not wait until a large one beside it is over.
func TestCampaignsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(1)
		var large []int
		for range 5 {
			large = append(large, l.Join("large"))
		}
		require.True(t, l.Take(t.Context(), large[0], nil))
		served := map[string]int{}
		stand := func(who string, place, times int) {
			go func() {
				for range times {
					if l.Take(context.Background(), place, nil) {
						served[who]++
					}
				}
			}()
			synctest.Wait()
		}
		for _, place := range large {
			stand("large", place, 20)
			stand("large", place, 20)
		}
		for range 10 {
			l.Leave()
			synctest.Wait()
		}
		small := l.Join("small")
		before := served["large"]
		stand("small", small, 5)
		for range 15 {
			l.Leave()
			synctest.Wait()
		}
		require.Equal(t, 5, served["small"])
		require.Equal(t, 10, served["large"]-before, "two stand in its first batch, and one in the small one")
		for range 200 - served["large"] + 5 {
			l.Leave()
			synctest.Wait()
		}
	})
}

func TestWhoGivesUpWaitingTakesNoSlotAlong(t *testing.T) {
	for _, by := range []string{"context", "stop"} {
		synctest.Test(t, func(t *testing.T) {
			l := New(1)
			batch := l.Join("a")
			require.True(t, l.Take(t.Context(), batch, nil))
			ctx, cancel := context.WithCancel(t.Context())
			stop := make(chan struct{})
			var waits sync.WaitGroup
			var had atomic.Int64
			for range 3 {
				waits.Go(func() {
					if l.Take(ctx, batch, stop) {
						had.Add(1)
					}
				})
			}
			synctest.Wait()
			if by == "stop" {
				close(stop)
			} else {
				cancel()
			}
			waits.Wait()
			cancel()
			require.Zero(t, had.Load())
			require.Empty(t, l.waiting)
			l.Leave()
			require.Equal(t, 1, l.free)
		})
	}
}

// TestNoSlotIsLostOrGivenTwice lets batches take, leave and give up at random,
// really at the same time.
func TestNoSlotIsLostOrGivenTwice(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		slots := rapid.IntRange(1, 4).Draw(r, "slots")
		l := New(slots)
		var inside, most atomic.Int64
		var all sync.WaitGroup
		for range rapid.IntRange(1, 5).Draw(r, "batches") {
			batch := l.Join("a")
			for range rapid.IntRange(1, 6).Draw(r, "goroutines") {
				ctx, cancel := context.WithCancel(context.Background())
				quits := rapid.Bool().Draw(r, "quits")
				all.Go(func() {
					defer cancel()
					for range 50 {
						if !l.Take(ctx, batch, nil) {
							return
						}
						n := inside.Add(1)
						for have := most.Load(); n > have && !most.CompareAndSwap(have, n); have = most.Load() {
						}
						inside.Add(-1)
						l.Leave()
					}
				})
				if quits {
					all.Go(cancel)
				}
			}
		}
		all.Wait()
		require.LessOrEqual(r, most.Load(), int64(slots))
		require.Equal(r, slots, l.free)
		require.Empty(r, l.waiting)
	})
}
