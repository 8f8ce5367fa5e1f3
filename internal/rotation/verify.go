package rotation

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// verify holds the write server to the new value before consumers read it. The
// other servers are held to it in prove: consumers cannot wait for a replica
// while the write server already refuses what they have. seen: the look that
// led here has seen that the value works.
func (j *job) verify(ctx context.Context, seen bool) (err error) {
	if seen {
		if j.held, err = j.placesSeen(ctx, false); err != nil {
			return err
		}
		j.step = protocol.Verify
	} else {
		err = j.tryNew(ctx)
	}
	j.Brake.Verified(j.c.ID, err, j.perhapsAll(ctx, err))
	if err == nil {
		j.late.arrived(j.staged)
		j.newRefused(protocol.Accepted)
		j.note(j.suspected)
	}
	return err
}

// tryNew logs in to the write server with the value that was set.
func (j *job) tryNew(ctx context.Context) error {
	j.step = protocol.Verify
	replaced, err := j.replacedSinceSet(ctx)
	if err != nil {
		return err
	}
	if replaced {
		j.newRefused(protocol.Refused)
		return &protocol.Stop{Reason: protocol.ReasonNewRefused, Server: j.writeServer(), Detail: "somebody set another value right after ours, so ours was not offered: one more wrong login would lock the account; consumers still read the old one and the new one is staged"}
	}
	reply, err := j.Authority.Try(ctx, j.writeServer(), j.account, j.staged.Secret)
	j.newRefused(reply)
	switch {
	case err != nil:
		return err
	case reply == protocol.Accepted:
		return nil
	case reply == protocol.Refused:
		err := j.unlessReverted(ctx, &protocol.Stop{Reason: protocol.ReasonNewRefused, Server: j.writeServer(), Detail: "the server took the new value and refuses it; consumers still read the old one and the new one is staged"})
		if stop, ok := errors.AsType[*protocol.Stop](err); ok && stop.Reason == protocol.ReasonNewRefused {
			return j.setAlone(ctx, stop)
		}
		return err
	}
	return protocol.StopFor(reply, j.writeServer())
}

// setAlone sets the staged value once more where somebody has set another one
// since, with nobody logged in as the account: who kept a session would do that
// after each set, and what ends sessions (Retire) comes only once the new value
// was seen to work. refused is what stands where that is not so.
func (j *job) setAlone(ctx context.Context, refused *protocol.Stop) error {
	e, ok := kind.As[kind.Evicting](j.Authority)
	if !ok {
		return refused
	}
	if err := j.stillOurs(ctx); err != nil {
		return err
	}
	account, sent := j.account, j.Now()
	account.LeftOut, account.Accepted = j.LeftOut, j.c.Accepted
	set, err := e.SetAlone(ctx, account, j.staged.Secret)
	if set || err != nil {
		j.late.send(sent, err)
	}
	if why, ok := errors.AsType[*protocol.Stop](err); ok {
		more := *refused // which is what others are held back for
		more.Detail += "; setting it once more was not possible: " + why.Detail
		return &more
	}
	if err != nil || !set {
		return cmp.Or(err, error(refused))
	}
	j.wasSent()
	j.setAt = j.Now()
	j.out.SetAt = j.setAt.UTC().Truncate(time.Millisecond)
	j.noteDetail(credential.Finding{Code: credential.FindingChangedDuring, Detail: "somebody set another value right after ours, as one who is logged in as the account may; all its sessions were ended, and the value was set again"})
	reply, err := j.Authority.Try(ctx, j.writeServer(), j.account, j.staged.Secret)
	j.newRefused(reply)
	switch {
	case err != nil:
		return err
	case reply == protocol.Accepted:
		return nil
	case reply == protocol.Refused:
		return refused
	}
	return protocol.StopFor(reply, j.writeServer())
}

// perhapsAll reports whether what keeps the value that was just set from
// working may keep all from it. An account that somebody has locked, disabled
// or let expire in between shows that itself, and is the only one then; so is
// one that a person has accepted as restricted.
func (j *job) perhapsAll(ctx context.Context, err error) bool {
	var stop *protocol.Stop
	if !errors.As(err, &stop) {
		return false
	}
	switch stop.Reason {
	case protocol.ReasonLocked, protocol.ReasonDisabled, protocol.ReasonExpired:
		now, err := j.Authority.Account(ctx, j.writeServer(), j.c)
		return err == nil && now.State == protocol.Accepted
	case protocol.ReasonRestricted:
		return !slices.Contains(j.c.Accepted, credential.Restricted)
	}
	return stop.Reason.WorksNot()
}

// unlessReverted is asked when the write server refuses the new value after it
// was set: if nobody has set another one, it is looked at again, and set again.
//
// The server may also be one that hands changes on to another (slapo-chain(5))
// and gets its own back a while later. That is told by an entry that nothing
// has touched since: what takes a reset back is an entry that was touched
// later.
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

// unlessJustNow asks once more where the change may have come between the
// refusal and the look at the account. It is one wrong login more where it has
// not, which must not lock the account, nor leave the next pass none: that
// offers the value once more.
func (j *job) unlessJustNow(ctx context.Context, now string, stop error) error {
	if !protocol.Dated(now) || j.account.Locks > 0 && j.account.Locks <= maxWrongLogins+1 {
		return stop
	}
	reply, err := j.Authority.Try(ctx, j.writeServer(), j.account, j.staged.Secret)
	if err == nil && reply == protocol.Accepted {
		return errors.New("the reset has come back to the server that handed it on; look again")
	}
	return stop
}

// arrived is the write server's change mark, once it is another one than before
// Set, or after a while.
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
