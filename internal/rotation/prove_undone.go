package rotation

import (
	"context"
	"errors"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// OpenLDAP replicates whole entries, and of two it keeps the one that was
// touched last. A login that it counts (ppolicy) or notes (lastbind) is a
// touch. One at a server that a reset has not reached yet so makes that
// server's older entry win: there, where it is a replica, and everywhere, where
// it is a provider (2.5 tried). Waiting does not help; setting the same value
// once more, later than that touch, does.

// maxSetAgain bounds that in one look: a server on which logins never stop, or
// whose clock is ahead, is left to the next pass.
const maxSetAgain = 2

// overruled reports whether a server with that mark has refused the change, and
// goes on to unless the entry is touched later at the write server. Our own
// logins there are such a touch.
func (j *job) overruled(ctx context.Context, mark, written string) (bool, error) {
	if !protocol.Overruled(mark, written) {
		return false, nil
	}
	now, err := j.Authority.Account(ctx, j.writeServer(), j.c)
	return err == nil && protocol.Overruled(mark, now.Changed), err
}

// setAgain sets the value that is in force on the write server once more, for a
// server that refused the change. Every server is looked at again after that.
func (j *job) setAgain(ctx context.Context, server string) error {
	stop := &protocol.Stop{Reason: protocol.ReasonOverruled, Server: server,
		Detail: "this server keeps the older password, because a login there came before the reset did and its entry counts as the newer one; it does not follow by itself, and still accepts the stolen value"}
	if j.again == maxSetAgain {
		return stop
	}
	if hindered := j.hindered(ctx, j.c, &j.account); hindered != nil {
		return hindered
	}
	if err := j.stillOurs(ctx); err != nil {
		return err
	}
	j.again++
	j.note(credential.FindingUndone)
	// A server that wants the value in force with a reset gets it.
	sent := j.Now()
	err := j.Authority.Set(ctx, j.account, j.staged.Secret, j.staged.Secret)
	j.late.send(sent, err)
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
	return j.tryNew(ctx)
}
