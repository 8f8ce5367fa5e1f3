// Package fairqueue hands out the slots of an authority, so that campaigns take
// turns and batches end one after the other.
package fairqueue

import (
	"context"
	"slices"
	"sync"
)

// Queue hands out the slots of an authority: a free one goes to the batch
// of a campaign that came first, and campaigns take turns. So batches end one
// after the other, what was done is recorded as it goes, and while one is at
// the directory the others are at Vault.
type Queue struct {
	slots   int
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

// New gives a queue of so many slots, one at least.
func New(slots int) *Queue {
	return &Queue{slots: max(slots, 1), free: max(slots, 1), last: map[string]int{}}
}

// Join gives a batch its place: behind those of its campaign, and for the first
// of a campaign beside the one that is being served. Batches with one place
// Take turns.
func (q *Queue) Join(campaign string) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.last[campaign] = max(q.last[campaign]+1, q.now)
	return q.last[campaign]
}

// Take waits for a slot; false when ctx or stop ended the wait.
func (q *Queue) Take(ctx context.Context, batch int, stop <-chan struct{}) bool {
	q.mu.Lock()
	if q.free > 0 {
		q.free--
		q.now = max(q.now, batch)
		q.mu.Unlock()
		return true
	}
	w := waiter{batch, make(chan struct{})}
	at, _ := slices.BinarySearchFunc(q.waiting, batch+1, func(have waiter, next int) int { return have.batch - next })
	q.waiting = slices.Insert(q.waiting, at, w)
	q.mu.Unlock()
	select {
	case <-w.slot:
		return true
	case <-ctx.Done():
	case <-stop:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if at = slices.Index(q.waiting, w); at < 0 {
		q.next() // it was given one in this very moment
	} else {
		q.waiting = slices.Delete(q.waiting, at, at+1)
	}
	return false
}

// Slots is how many there are.
func (q *Queue) Slots() int { return q.slots }

// Leave gives a slot back.
func (q *Queue) Leave() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.next()
}

func (q *Queue) next() {
	if len(q.waiting) == 0 {
		q.free++
		return
	}
	q.now = max(q.now, q.waiting[0].batch)
	close(q.waiting[0].slot)
	q.waiting = slices.Delete(q.waiting, 0, 1)
}
