package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// unanswered counts what this Apply sent without an answer.
type unanswered struct {
	n        int
	last     time.Time
	answered bool // another one was answered
}

// send notes what became of a reset that was sent at a time.
func (u *unanswered) send(at time.Time, err error) {
	var stop *protocol.Stop
	switch {
	case err == nil:
		u.answered = true
	case errors.As(err, &stop) && (notSent(stop) || stop.Reason == protocol.ReasonHeld): // not committed
	default:
		u.n, u.last = u.n+1, at
	}
}

// notSent reports whether a Set was clearly refused, or not begun because no
// login is left to try what it sets.
func notSent(stop *protocol.Stop) bool {
	return stop.Reason.NotSet() || stop.Reason == protocol.ReasonNearLock
}

// mayHaveSent counts what a process may have sent that was killed before it
// could say so. A mark before each Set would cost each credential a write, so
// it is whoever is called again that says it. Where the new value is at its
// places already, that process may have been at Retire, which sends it once
// more at some authorities: that it is in force shows nothing of that.
func (j *job) mayHaveSent(facts protocol.Facts) {
	if !j.Retried && !j.Unheard[j.c.ID] || j.assumed || facts.Fresh {
		return
	}
	j.assumed = true
	j.late.n, j.late.last = j.late.n+1, j.Now()
	j.late.answered = j.late.answered || facts.Activated || j.Authority.RetiresFirst(j.c)
}

// arrived: the value is in force, and it is the one that was sent without an
// answer if there is no other from which it can be. Of two either may be it.
func (u *unanswered) arrived(before ownmount.Staged) {
	if u.n == 1 && !u.answered && before.Late.IsZero() {
		u.n = 0
	}
}

// noteLate makes durable that the staged value was sent and no answer came. It
// is said at the end of an Apply that did not see it arrive: whoever would
// replace the value waits for it (mayReplace), and so does who comes after the
// proof (ownmount.Store.Unstage).
func (j *job) noteLate(ctx context.Context) error {
	if j.late.n == 0 {
		return nil
	}
	return j.noteAlso(ctx, j.staged)
}

// noteAlso writes an entry, and in it what was sent without an answer.
func (j *job) noteAlso(ctx context.Context, entry ownmount.Staged) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lateWrite)
	defer cancel()
	if j.late.n > 0 {
		entry.Late = j.late.last
	}
	err := j.replaceStaged(ctx, entry)
	if e, ok := errors.AsType[*vault.Error](err); ok && e.Kind == vault.Unreachable {
		// One request that is lost costs no wrong login. Where but its answer
		// was lost, the second one meets what the first one wrote.
		if again := j.replaceStaged(ctx, entry); !vault.IsCASMismatch(again) {
			err = again
		}
	}
	if err == nil {
		j.late.n, j.saw = 0, nil
	}
	return err
}

const lateWrite = 10 * time.Second

// mayReplace keeps a staged value from being replaced by another one while it
// may still arrive: it would then be in force, and lie nowhere any more.
func (r *Rotator) mayReplace(ctx context.Context, staged ownmount.Staged) *protocol.Stop {
	now := r.Now()
	left := staged.MayArrive(now, func() (time.Time, bool) { return r.Store.ServerTime(ctx) })
	if left == 0 {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonUnreachable, Server: r.writeServer(), Until: now.Add(left).UTC().Truncate(time.Second).Add(time.Second), Detail: fmt.Sprintf(
		"a reset that was sent at %s got no answer and may still arrive; what it sets is kept until it cannot any more, and nothing was changed", staged.Late.UTC().Format(time.RFC3339))}
}

// errSlept is no stop: what was seen is looked at again.
var errSlept = errors.New("the machine stood still since the account was looked at; nothing was changed")

// maxSlept is what the two clocks may differ by, for one that is set right.
const maxSlept = 5 * time.Second

// slept reports whether the machine was suspended in between: the clock on the
// wall went on, and the one that deadlines go by stood still (clock_gettime(2),
// CLOCK_MONOTONIC).
func slept(from, to time.Time) bool {
	return stoodStill(to.Round(0).Sub(from.Round(0)), to.Sub(from))
}

func stoodStill(wall, ran time.Duration) bool { return wall-ran > maxSlept }
