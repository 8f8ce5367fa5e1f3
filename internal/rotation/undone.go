package rotation

import (
	"context"
	"errors"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// OpenLDAP replicates whole entries, and of two it keeps the one that was touched last. A
// login that it counts (ppolicy) or notes (lastbind) is a touch. One at a server that a reset has
// not reached yet so makes that server's older entry win: there, where it is a replica, and
// everywhere, where it is a provider (2.5 tried). Waiting does not help; setting the same
// value once more, later than that touch, does.

// againMost bounds that in one look: a server on which logins never stop, or whose clock is
// ahead, is left to the next pass.
const againMost = 2

// overruled reports whether a server with that mark has refused the change, and goes on to
// unless the entry is touched later at the write server. Our own logins there are such a touch.
func (j *job) overruled(ctx context.Context, mark, written string) (bool, error) {
	if !protocol.Overruled(mark, written) {
		return false, nil
	}
	now, err := j.Authority.Account(ctx, j.writeServer(), j.c)
	return err == nil && protocol.Overruled(mark, now.Changed), err
}

// setAgain sets the value that is in force on the write server once more, and looks at every
// server again. err is what kept the caller from telling whether that is due.
func (j *job) setAgain(ctx context.Context, server string, err error) error {
	if err != nil {
		return err
	}
	stop := &protocol.Stop{Reason: protocol.ReasonOverruled, Server: server,
		Detail: "this server keeps the older password, because a login there came before the reset did and its entry counts as the newer one; it does not follow by itself, and still accepts the stolen value"}
	if j.again == againMost {
		return stop
	}
	if hindered := j.hindered(j.c, &j.account); hindered != nil {
		return hindered
	}
	j.again++
	j.note(credential.FindingUndone)
	// A server that wants the value in force with a reset gets it.
	err = j.Authority.Set(ctx, j.account, j.staged.Secret, j.staged.Secret)
	var refused *protocol.Stop
	if errors.As(err, &refused) && refused.Reason == protocol.ReasonPolicy {
		stop.Detail += "; the policy does not let bind.dn set the same value again: grant it manage on userPassword, or change any attribute of the entry at the write server"
		return stop
	}
	if err != nil {
		return err
	}
	j.setAt = j.Now()
	j.slow.Delete(server)
	if err := j.verify(ctx, false); err != nil {
		return err
	}
	j.step = protocol.Prove
	return j.prove(ctx)
}

// unlessReverted is asked when the write server refuses the new value after it was set: if
// nobody has set another one, it is looked at again, and set again.
//
// The server may also be one that hands changes on to another (slapo-chain(5)) and gets its
// own back a while later. That is told by an entry that nothing has touched since: what takes
// a reset back is an entry that was touched later.
func (j *job) unlessReverted(ctx context.Context, stop error) error {
	now, waited, err := j.arrived(ctx)
	switch {
	case err != nil:
		return stop
	case waited && !protocol.Reverted(j.staged.Before, now):
		return errors.New("the reset has come back to the server that handed it on; look again")
	case !protocol.Reverted(j.staged.Before, now):
		return j.unlessJustNow(ctx, now, stop)
	case now == j.staged.Before:
		return &protocol.Stop{Reason: protocol.ReasonLagging, Server: j.writeServer(), Detail: "this server has said that the new value is set, and does not show the change itself: " +
			"it hands changes on to another server (a replica with slapo-chain) and gets them back late; the new value waits in staging and is activated once it works here; name the provider as the first of servers"}
	}
	j.note(credential.FindingUndone)
	return errors.New("the reset was taken back; look again")
}

// unlessJustNow asks once more where the change may have come between the refusal and the look at
// the account. It is one wrong login more where it has not, which must not lock the account.
func (j *job) unlessJustNow(ctx context.Context, now string, stop error) error {
	if !protocol.Dated(now) || j.account.Locks > 0 && j.account.Locks <= wrongMost {
		return stop
	}
	answer, err := j.Authority.Try(ctx, j.writeServer(), j.account, j.staged.Secret)
	if err == nil && answer == protocol.Accepted {
		return errors.New("the reset has come back to the server that handed it on; look again")
	}
	return stop
}

// arrived is the write server's change mark, once it is another one than before Set, or after a
// while.
func (j *job) arrived(ctx context.Context) (mark string, waited bool, err error) {
	for pause, deadline := 5*time.Millisecond, time.Now().Add(replicaPatience); ; pause *= 2 {
		now, err := j.Authority.Account(ctx, j.writeServer(), j.c)
		if err != nil || !protocol.Reverted(j.staged.Before, now.Changed) || time.Now().Add(pause).After(deadline) {
			return now.Changed, waited, err
		}
		select {
		case <-time.After(pause):
			waited = true
		case <-ctx.Done():
			return now.Changed, waited, nil
		}
	}
}
