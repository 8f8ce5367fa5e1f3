package device

import (
	"context"
	"sync"
	"time"
)

// How often a device is asked while a campaign runs. An answer is believed for
// fresh and asked for again beside the work; what is older than stale is waited
// for.
const (
	fresh = 5 * time.Second
	stale = 20 * time.Second
)

// longest is how long one look at so many places may take.
func longest(places int) time.Duration {
	return 20*time.Second + time.Duration(places/atOnce+1)*2*patience
}

// Watch asks one device again and again while it is looked at, and costs
// whoever looks next to nothing. It is safe for concurrent use.
type Watch struct {
	addresses []string
	ports     []int

	mu     sync.Mutex
	asked  time.Time
	heard  []string
	err    error
	asking chan struct{} // closed when the look that is under way has ended
	seen   []string      // the first answers, for good
	seenAt time.Time
}

// NewWatch is of a device that was silent when it was asked last.
func NewWatch(addresses []string, ports []int, asked time.Time) *Watch {
	return &Watch{addresses: addresses, ports: ports, asked: asked}
}

// Look gives what answers now or a moment ago.
func (w *Watch) Look(ctx context.Context) ([]string, error) {
	w.mu.Lock()
	// By the wall clock: a machine that slept has a device that did not.
	age := time.Since(w.asked.Round(0))
	if age >= 0 && age < fresh {
		defer w.mu.Unlock()
		return w.heard, w.err
	}
	ended := w.begin(ctx)
	if age >= 0 && age < stale {
		defer w.mu.Unlock()
		return w.heard, w.err
	}
	w.mu.Unlock()
	return w.await(ctx, ended)
}

// Now asks once more and waits for it.
func (w *Watch) Now(ctx context.Context) ([]string, error) {
	w.mu.Lock()
	under := w.asking
	w.mu.Unlock()
	if under != nil { // it began before now
		if _, err := w.await(ctx, under); ctx.Err() != nil {
			return nil, err
		}
	}
	w.mu.Lock()
	ended := w.begin(ctx)
	w.mu.Unlock()
	return w.await(ctx, ended)
}

// Seen are the first answers that any look met, and when; none if the device
// was silent all the while.
func (w *Watch) Seen() ([]string, time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen, w.seenAt
}

func (w *Watch) await(ctx context.Context, ended chan struct{}) ([]string, error) {
	select {
	case <-ended:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.heard, w.err
}

// begin starts a look unless one is under way. w.mu is held.
func (w *Watch) begin(ctx context.Context) chan struct{} {
	if w.asking != nil {
		return w.asking
	}
	ended := make(chan struct{})
	w.asking = ended
	// Others wait for it too, whatever becomes of the one who began it.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longest(len(w.addresses)*len(w.ports)))
	go func() {
		defer cancel()
		heard, err := Ask(ctx, w.addresses, w.ports)
		w.mu.Lock()
		defer w.mu.Unlock()
		w.asked, w.heard, w.err, w.asking = time.Now(), heard, err, nil
		if len(heard) > 0 && w.seen == nil {
			w.seen, w.seenAt = heard, w.asked
		}
		close(ended)
	}()
	return ended
}
