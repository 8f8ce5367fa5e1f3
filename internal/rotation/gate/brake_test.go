package gate

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/protocol"
)

// braked is a directory with so many connections, at which new values work or
// do not.
type braked struct {
	brake *Brake
	works func(id int) bool
	mu    sync.Mutex
	cut   map[int]bool // set, and not seen to work
	done  map[int]bool
	most  int
	held  int
}

func newBraked(works func(int) bool) *braked {
	return &braked{brake: NewBrake(), works: works, cut: map[int]bool{}, done: map[int]bool{}}
}

// pass begins with those that are set, as a wave does.
func (b *braked) pass(ctx context.Context, n, slots int) {
	var order []int
	for _, first := range []bool{true, false} {
		for i := range n {
			if !b.done[i] && b.cut[i] == first {
				order = append(order, i)
			}
		}
	}
	next := make(chan int)
	var workers sync.WaitGroup
	for range slots {
		workers.Go(func() {
			for i := range next {
				b.one(ctx, i)
			}
		})
	}
	for _, i := range order {
		next <- i
	}
	close(next)
	workers.Wait()
}

func (b *braked) one(ctx context.Context, i int) {
	id := fmt.Sprint(i)
	if stop := b.brake.Enter(ctx, id, false); stop != nil {
		b.mu.Lock()
		b.held++
		b.mu.Unlock()
		return
	}
	defer b.brake.Leave(id)
	b.mu.Lock()
	b.cut[i] = true
	b.most = max(b.most, len(b.cut))
	b.mu.Unlock()
	time.Sleep(10 * time.Millisecond)
	if !b.works(i) {
		b.brake.Verified(id, &protocol.Stop{Reason: protocol.ReasonNewRefused, Detail: "refused"}, true)
		return
	}
	b.brake.Verified(id, nil, false)
	b.mu.Lock()
	delete(b.cut, i)
	b.done[i] = true
	b.mu.Unlock()
}

func TestWhereNoValueWorksOneIsSetAndOneMoreHoweverManyPasses(t *testing.T) {
	for slots := 1; slots <= 8; slots++ {
		synctest.Test(t, func(t *testing.T) {
			mended := false
			b := newBraked(func(int) bool { return mended })
			b.pass(t.Context(), 30, slots)
			require.Len(t, b.cut, 1, "%d slots", slots)
			for range 5 {
				b.pass(t.Context(), 30, slots)
			}
			require.Len(t, b.cut, 2, "%d slots", slots)
			mended = true
			b.pass(t.Context(), 30, slots)
			require.Empty(t, b.cut, "the one that was cut off is tried again in each pass")
			// Some may have asked before it was seen to work, and were sent
			// away.
			b.pass(t.Context(), 30, slots)
			require.Len(t, b.done, 30, "%d slots: the rest follows in the next pass at the latest", slots)
		})
	}
}

func TestAnAccountOfItsOwnKindHoldsUpNobodyElse(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		slots, odd := rapid.IntRange(1, 8).Draw(r, "slots"), rapid.IntRange(0, 29).Draw(r, "odd")
		synctest.Test(t, func(t *testing.T) {
			b := newBraked(func(i int) bool { return i != odd })
			for range 3 {
				b.pass(t.Context(), 30, slots)
			}
			if len(b.done) != 29 {
				r.Fatalf("%d of 29 are done", len(b.done))
			}
		})
	})
}

func TestWhereValuesCeaseToWorkNoMoreAreSetThanAreUnderWayAndOne(t *testing.T) {
	for slots := 1; slots <= 8; slots++ {
		synctest.Test(t, func(t *testing.T) {
			b := newBraked(func(i int) bool { return i < 10 })
			for range 4 {
				b.pass(t.Context(), 60, slots)
			}
			require.Len(t, b.done, 10)
			require.LessOrEqual(t, len(b.cut), slots+1, "%d slots", slots)
		})
	}
}

// What the account's own entry shows to be so for each reset (it must be
// changed) is no odd account.
func TestWhereEachNewValueMustBeChangedNoOtherIsTried(t *testing.T) {
	b := NewBrake()
	for range 3 {
		require.Nil(t, b.Enter(t.Context(), "first", false))
		b.Verified("first", &protocol.Stop{Reason: protocol.ReasonMustChange}, true)
		b.Leave("first")
		stop := b.Enter(t.Context(), "other", false)
		require.Equal(t, protocol.ReasonHeldBack, stop.Reason)
	}
}

func TestInThePlainCaseOnlyTheFirstIsSetAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		b := newBraked(func(int) bool { return true })
		b.pass(t.Context(), 41, 4)
		require.Len(t, b.done, 41)
		require.Zero(t, b.held)
		require.Equal(t, 4, b.most)
		require.Equal(t, 110*time.Millisecond, time.Since(began), "ten rounds of four, after one alone")
	})
}

// What is wrong with an account by itself says nothing of others.
func TestALockOrSilenceAfterSetDoesNotBrake(t *testing.T) {
	b := NewBrake()
	for i, r := range []protocol.Reason{protocol.ReasonUnreachable, protocol.ReasonLocked, protocol.ReasonDisabled, protocol.ReasonRights} {
		id := fmt.Sprint(i)
		require.Nil(t, b.Enter(t.Context(), id, false))
		b.Verified(id, &protocol.Stop{Reason: r}, r.WorksNot())
		b.Leave(id)
	}
	require.Zero(t, b.state.failed)
}
