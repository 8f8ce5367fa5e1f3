package gate

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"rollcall/internal/protocol"
)

// Brake keeps new values from being set at a directory where one that was set
// did not work: the write server refuses it, or lets nobody do anything with
// it. What keeps one from working (a policy that has each reset password
// changed, a rule that lets accounts log in from one network alone) mostly
// keeps all, and each more is cut off for nothing.
//
// Until a first value was seen to work one credential is set at a time, so that
// the first one shows it. Where values did work before, a single failure may be
// that account's own matter: one other is tried, alone. So it may where the
// server refuses the first one again in another pass: somebody may set his own
// value there each time, who must not hold up all others. All batches of a
// process go through one brake for each directory and kind of a campaign; nil
// never brakes.
type Brake struct {
	mu      sync.Mutex
	state   brakeState
	known   map[string]bool // those whose new value did not work, and was not seen to work since
	why     *protocol.Stop  // of the last failure
	changed chan struct{}   // closed when any of these is another
}

// brakeState is what the decision takes.
type brakeState struct {
	worked bool   // some value was set and seen to work
	again  bool   // one that was refused was tried once more, in vain
	failed int    // how many did not work since then
	alone  string // who is set alone now
}

const (
	firstFails = 1 // where none has worked yet, the first one that does not tells enough
	laterFails = 2
)

// turn decides about one that is to be set. again: what it has was set before
// and does not work, so setting it once more cuts nobody off.
func (s brakeState) turn(again bool) verdict {
	most := firstFails
	if s.worked || s.again {
		most = laterFails
	}
	switch {
	case s.worked && s.failed == 0:
		return goIn
	case s.alone != "":
		return waits
	case !again && s.failed >= most:
		return sentAway
	}
	return tryVault
}

// NewBrake gives a brake of a directory of which nothing is known yet.
func NewBrake() *Brake {
	return &Brake{known: map[string]bool{}, changed: make(chan struct{})}
}

// Enter lets a credential to Set, or says why not: nothing was changed then.
// Whoever was let in leaves by leave.
func (b *Brake) Enter(ctx context.Context, id string, again bool) *protocol.Stop {
	if b == nil {
		return nil
	}
	patience, cancel := context.WithTimeout(ctx, waitsFor)
	defer cancel()
	for {
		verdict, why, changed := b.turn(id, again)
		switch verdict {
		case goIn, tryVault:
			return nil
		case sentAway:
			return heldBack(why)
		}
		select {
		case <-changed:
		case <-patience.Done():
			return &protocol.Stop{Reason: protocol.ReasonInterrupted, Detail: "another credential of its directory is set first, alone, to see whether new values work there; nothing was changed"}
		}
	}
}

func (b *Brake) turn(id string, again bool) (verdict, *protocol.Stop, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	v := b.state.turn(again || b.known[id])
	if v == tryVault {
		b.state.alone = id
	}
	return v, b.why, b.changed
}

// heldBack words why a credential was left as it is.
func heldBack(why *protocol.Stop) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonHeldBack, Server: why.Server, Detail: fmt.Sprintf(
		"a new value that was set at this directory did not work (%s: %s); nothing more is set there until one does, and this one was left as it is", why.Reason, why.Detail)}
}

// Leave is for one that was let in, whatever became of it.
func (b *Brake) Leave(id string) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state.alone == id {
		b.state.alone = ""
		b.wake()
	}
}

// Verified tells what the write server said of a value that was set: err is nil
// where it works. perhapsAll: what keeps this one from working may keep others.
func (b *Brake) Verified(id string, err error, perhapsAll bool) {
	var stop *protocol.Stop
	if b == nil || err != nil && (!errors.As(err, &stop) || !perhapsAll) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil && b.state.worked && b.state.failed == 0 && !b.known[id]:
		return
	case err == nil && b.state.failed > 0 && b.state.alone != id && !b.known[id]:
		b.state.failed = 1 // it was under way before that failure: the next one is still tried alone
	case err == nil:
		b.state.worked, b.state.failed = true, 0
		delete(b.known, id)
	case b.known[id]:
		b.why = stop // it is tried in each pass, and must not hold up the others for that
		b.state.again = b.state.again || stop.Reason == protocol.ReasonNewRefused
	default:
		b.known[id], b.why = true, stop
		b.state.failed++
	}
	b.wake()
}

func (b *Brake) wake() {
	close(b.changed)
	b.changed = make(chan struct{})
}
