package activities

import (
	"context"
	"slices"
	"sync"
)

// fairQueue hands out the slots of an authority: a free one goes to the batch of a
// campaign that came first, and campaigns take turns. So batches end one after
// the other, what was done is recorded as it goes, and while one is at the
// directory the others are at Vault.
type fairQueue struct {
	slots   int // in all
	mu      sync.Mutex
	free    int
	last    map[string]int // by campaign, the place of its last batch
	now     int            // the place that was served last
	waiting []waiter       // by batch, then in the order of their coming
}

type waiter struct {
	batch int
	slot  chan struct{} // closed when it has one
}

func newFairQueue(slots int) *fairQueue {
	return &fairQueue{slots: max(slots, 1), free: max(slots, 1), last: map[string]int{}}
}

// join gives a batch its place: behind those of its campaign, and for the first
// of a campaign beside the one that is being served. Batches with one place
// take turns.
func (l *fairQueue) join(campaign string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last[campaign] = max(l.last[campaign]+1, l.now)
	return l.last[campaign]
}

// take waits for a slot; false when ctx or stop ended the wait.
func (l *fairQueue) take(ctx context.Context, batch int, stop <-chan struct{}) bool {
	l.mu.Lock()
	if l.free > 0 {
		l.free--
		l.now = max(l.now, batch)
		l.mu.Unlock()
		return true
	}
	w := waiter{batch, make(chan struct{})}
	at, _ := slices.BinarySearchFunc(l.waiting, batch+1, func(have waiter, next int) int { return have.batch - next })
	l.waiting = slices.Insert(l.waiting, at, w)
	l.mu.Unlock()
	select {
	case <-w.slot:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if at = slices.Index(l.waiting, w); at < 0 {
		l.next() // it was given one in this very moment
	} else {
		l.waiting = slices.Delete(l.waiting, at, at+1)
	}
	return false
}

// leave gives a slot back.
func (l *fairQueue) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next()
}

func (l *fairQueue) next() {
	if len(l.waiting) == 0 {
		l.free++
		return
	}
	l.now = max(l.now, l.waiting[0].batch)
	close(l.waiting[0].slot)
	l.waiting = slices.Delete(l.waiting, 0, 1)
}
