package notify

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"rollcall/internal/ledger"
	"rollcall/internal/plural"
)

// watcher tells one campaign.
type watcher struct {
	n    *Notifier
	lock *os.File

	reader *ledger.Reader
	teller *teller
	read   uint64    // entries that teller has
	grew   time.Time // when the last of them was seen
	last   time.Time // of the last entry
	unread string    // why the ledger could not be read

	grown chan struct{} // the ledger has new entries
	hurry chan struct{} // closed when the process stops
	once  sync.Once
	drawn chan struct{} // closed when hurry was seen and the ledger read

	mu      sync.Mutex // of what is below
	box     *outbox
	trouble string        // why the ledger could not be written
	news    chan struct{} // closed and made anew when box changes
	unsaved bool
}

func newWatcher(n *Notifier, box *outbox, lock *os.File) *watcher {
	return &watcher{
		n: n, box: box, lock: lock, teller: newTeller(box.Told, box.Campaign), grew: n.Now(),
		grown: make(chan struct{}, 1), hurry: make(chan struct{}), drawn: make(chan struct{}), news: make(chan struct{}),
	}
}

func (w *watcher) hurryUp() { w.once.Do(func() { close(w.hurry) }) }

func (w *watcher) grewNow(err error) {
	w.mu.Lock()
	w.trouble = ""
	if err != nil {
		w.trouble = err.Error()
	}
	w.mu.Unlock()
	select {
	case w.grown <- struct{}{}:
	default:
	}
}

// run reads and tells until all is told, or ctx or the process ends.
func (w *watcher) run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var senders sync.WaitGroup
	for _, t := range w.box.Told.All() {
		senders.Go(func() { w.serve(ctx, w.n.post(w.box, t)) })
	}
	w.follow(ctx)
	senders.Wait()
	w.mu.Lock()
	if w.box.Ended && len(w.box.Queue) == 0 {
		_ = os.Remove(boxFile(w.n.Dir, w.box.Campaign))
		_ = os.Remove(w.lock.Name())
	}
	w.mu.Unlock()
	_ = w.lock.Close()
}

// follow reads the ledger until it is closed.
func (w *watcher) follow(ctx context.Context) {
	defer close(w.drawn)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		hurried := false
		select {
		case <-w.hurry:
			hurried = true
		default:
		}
		w.take(ctx)
		if hurried || w.over() || ctx.Err() != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-w.hurry:
		case <-w.grown:
		case <-tick.C:
		}
	}
}

func (w *watcher) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.box.Ended
}

// take queues what the ledger gained, or that it gained nothing.
func (w *watcher) take(ctx context.Context) {
	if w.reader == nil {
		r, err := ledger.OpenReader(filepath.Join(w.n.Dir, w.box.Campaign))
		if err != nil {
			if w.n.Now().Sub(w.box.Began) > keep {
				w.queue(nil, true) // and never did
			}
			return
		}
		w.reader = r
	}
	var fresh []Notice
	known := w.box.Next
	ended := false
	err := w.reader.Entries(ctx, w.read, func(index uint64, e ledger.Entry) error {
		w.read = index + 1
		made := w.teller.add(index, e)
		w.last = e.At
		if index < known {
			if index+1 == known {
				w.teller.gathered() // it was queued before
			}
			return nil
		}
		w.grew, ended = w.n.Now(), ended || e.Event == ledger.CampaignClosed
		fresh = append(fresh, made...)
		return nil
	})
	if err != nil {
		if w.unread != err.Error() {
			w.unread = err.Error()
			w.n.Log.Warn("the ledger cannot be read; nobody is told what it says", "campaign", w.box.Campaign, "error", err)
		}
		return
	}
	w.unread = ""
	if found := w.teller.gathered(); found != nil {
		fresh = append(fresh, *found)
	}
	w.queue(fresh, ended || !w.last.IsZero() && w.n.Now().Sub(w.last) > abandoned)
}

// queue keeps notices before any is sent.
func (w *watcher) queue(fresh []Notice, ended bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if after := w.box.Told.Notify.Stall; after > 0 && w.n.Now().Sub(w.grew) >= after && w.box.Stalled != w.read && w.read > 0 {
		if stall := w.teller.stall(w.read, w.grew, w.n.Now(), w.trouble); stall != nil {
			if stall.cause != w.box.Cause { // else who was told knows it
				fresh = append(fresh, *stall)
			}
			w.box.Stalled, w.box.Cause = w.read, stall.cause
		}
	}
	if w.read > 0 && !ended && w.still() {
		var wait *Notice
		if wait, w.box.Waited = w.teller.wait(w.read, w.n.Now(), w.box.Waited); wait != nil {
			fresh = append(fresh, *wait)
		}
	}
	if len(fresh) == 0 && w.box.Next == w.read && !ended {
		return
	}
	for _, n := range fresh {
		w.box.add(n)
	}
	w.box.Next, w.box.Ended = w.read, w.box.Ended || ended
	w.changed()
}

// still reports whether nothing was recorded for so long that a campaign that
// waits for people does not go on by itself; a pause is told once it lasts. A
// process that ends asks nothing later.
func (w *watcher) still() bool {
	after := settled
	if w.teller.state.Phase == ledger.Paused {
		after = max(settled, w.box.Told.Notify.Stall)
	} else {
		select {
		case <-w.hurry:
			return true
		default:
		}
	}
	return w.n.Now().Sub(w.grew) >= after
}

// changed keeps the outbox and wakes who waits for it. A disk without room
// keeps nothing: then what is told is told all the same.
func (w *watcher) changed() {
	if err := w.box.save(w.n.Dir); err != nil && !w.unsaved {
		w.unsaved = true
		w.n.Log.Warn("what is to be told cannot be kept; after a crash it may be told twice or not at all", "campaign", w.box.Campaign, "error", err)
	} else if err == nil {
		w.unsaved = false
	}
	close(w.news)
	w.news = make(chan struct{})
}

// serve tells one target, in order, until nothing is left to be told.
func (w *watcher) serve(ctx context.Context, to post) {
	failed, delay := 0, w.n.First
	for {
		n, ok := w.next(ctx, to.Name)
		if !ok {
			return
		}
		// Once told to hurry, one try more.
		last := false
		select {
		case <-w.hurry:
			last = true
		default:
		}
		said, sent := to.send(ctx, n)
		if w.n.Count != nil {
			w.n.Count(string(n.Event), sent)
		}
		if sent || w.n.Now().Sub(n.At) > keep {
			if !sent {
				w.n.Log.Warn("a notice was given up", "campaign", n.Campaign, "target", to.Name, "id", n.ID, "said", said)
			}
			failed, delay = 0, w.n.First
			w.told(n.ID, to.Name)
			continue
		}
		if failed++; failed == tellAfter || last && failed == 1 {
			w.n.Log.Warn("a receiver was not told", "campaign", n.Campaign, "target", to.Name, "id", n.ID, "said", said)
		}
		if failed == tellAfter && w.n.Failed != nil {
			w.n.Failed(ctx, n.Campaign, to.Name, fmt.Sprintf("%s %s, %s", to.Name, said, plural.Count(failed, "time", "times")))
		}
		if last || !w.pause(ctx, delay) {
			return
		}
		delay = min(2*delay, longest)
	}
}

// pause waits before the next try; false if there is none.
func (w *watcher) pause(ctx context.Context, delay time.Duration) bool {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.hurry:
	case <-ctx.Done():
		return false
	}
	return true
}

// next is what a target is to be told, once there is something; false when
// nothing comes any more.
func (w *watcher) next(ctx context.Context, target string) (Notice, bool) {
	for {
		drawn := false
		select {
		case <-w.drawn:
			drawn = true
		default:
		}
		w.mu.Lock()
		n, ok := w.box.head(target)
		news := w.news
		w.mu.Unlock()
		if ok || drawn || ctx.Err() != nil {
			return n, ok && ctx.Err() == nil
		}
		select {
		case <-news:
		case <-w.drawn:
		case <-ctx.Done():
			return Notice{}, false
		}
	}
}

func (w *watcher) told(id, target string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.box.done(id, target)
	w.changed()
}
