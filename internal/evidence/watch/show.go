package watch

import (
	"fmt"
	"slices"
	"time"

	"rollcall/internal/plural"
)

// Bounds on what is to be shown.
const (
	mostUnshown  = 16                    // batches that wait for a screen
	showMoment   = 50 * time.Millisecond // reading waits for a screen, once for each batch
	showAgain    = time.Second           // after one that could not be shown
	showPatience = 10 * time.Second      // until a screen that stands still is told
	lastPatience = 5 * time.Second       // for a screen, at the end
)

// screen shows batches one after the other, in a goroutine of its own: one that
// stands still (a pipe that nobody reads) holds up neither reading nor
// receivers.
type screen struct {
	give  chan Batch
	done  chan error
	busy  string // id of the batch that is being shown
	since time.Time
	next  time.Time // not again before
	why   string    // the last one could not be shown
	lost  int       // findings that nobody showed, and receivers were told
}

func newScreen(show func(Batch) error) *screen {
	s := &screen{give: make(chan Batch, 1), done: make(chan error, 1)}
	go func() {
		for b := range s.give {
			s.done <- show(b)
		}
	}()
	return s
}

// toShow has a batch wait for the screen. Where receivers were told of it, the
// oldest make room for it; else nothing is due while there is none.
func (w *watcher) toShow(b Batch) {
	if slices.ContainsFunc(w.state.Unshown, func(u Batch) bool { return u.ID == b.ID }) {
		return
	}
	w.state.Unshown = append(w.state.Unshown, b)
	if n := len(w.state.Unshown) - mostUnshown; n > 0 && w.o.Tell != nil {
		for _, u := range w.state.Unshown[:n] {
			w.screen.lost += len(u.Alerts)
		}
		w.state.Unshown = slices.Delete(w.state.Unshown, 0, n)
	}
}

// full reports whether nothing may become due: nobody could be told of it.
func (w *watcher) full() bool { return w.o.Tell == nil && len(w.state.Unshown) >= mostUnshown }

// show shows what waits, for as long as the screen takes it at once; a screen
// that begins with a batch may take until.
func (w *watcher) show(patience time.Duration) {
	s := w.screen
	for until := time.Now().Add(patience); ; {
		wait := time.Duration(0)
		if s.busy == "" {
			if len(w.state.Unshown) == 0 || w.o.Now().Before(s.next) {
				return
			}
			b := w.state.Unshown[0]
			s.busy, s.since, wait = b.ID, w.o.Now(), max(showMoment, time.Until(until))
			s.give <- b
		} else if patience > 0 {
			wait = time.Until(until)
		}
		if !w.shown(wait) {
			return
		}
	}
}

// shown takes what came of a batch; false where nothing did or it failed.
func (w *watcher) shown(wait time.Duration) bool {
	s := w.screen
	var err error
	select {
	case err = <-s.done:
	default:
		select {
		case err = <-s.done:
		case <-time.After(max(wait, 0)):
			if w.o.Now().Sub(s.since) > showPatience {
				w.cannotShow("it has stood still since " + s.since.UTC().Format(time.RFC3339))
			}
			return false
		}
	}
	id := s.busy
	if s.busy = ""; err != nil {
		s.next = w.o.Now().Add(showAgain)
		w.cannotShow(err.Error())
		return false
	}
	w.state.Unshown = slices.DeleteFunc(w.state.Unshown, func(b Batch) bool { return b.ID == id })
	w.changed, w.nextSave, s.why = true, time.Time{}, ""
	w.over(NotShown, "", "findings are shown again")
	return true
}

func (w *watcher) cannotShow(why string) {
	s := w.screen
	if s.why != why {
		s.why = why
		w.o.Say("WARNING: findings cannot be shown here: %s", why)
	}
	also := ""
	if s.lost > 0 {
		also = fmt.Sprintf("; receivers were told of %s that nobody showed", plural.Count(s.lost, "finding", "findings"))
	}
	if w.has(NotShown, "", "findings cannot be shown on standard output: %s. They are kept, and it is tried again%s", why, also) {
		s.lost = 0
	}
}

// unshown is the error of a watch that ends with something that nobody saw.
func (w *watcher) unshown() error {
	n := len(w.state.Unshown)
	if n == 0 {
		return nil
	}
	return fmt.Errorf("findings could not be shown on standard output: %s: %s kept, and the next watch with this state shows them first", w.screen.why, plural.Count(n, "batch is", "batches are"))
}
