package rotation

import (
	"context"
	"errors"
	"maps"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
	"rollcall/internal/rotation/gate"
	"rollcall/internal/vault/ownmount"
)

// set gives the account the staged value, if nothing speaks against it: then
// nothing is changed.
func (j *job) set(ctx context.Context, facts protocol.Facts, d protocol.Decision) error {
	j.step = protocol.Intent
	if err := j.mayBeSet(ctx); err != nil {
		return err
	}
	if stop := j.beforeSet(ctx); stop != nil {
		return stop
	}
	return j.send(ctx, facts, d)
}

// send sends it, unless something outside of the account is in the way.
func (j *job) send(ctx context.Context, facts protocol.Facts, d protocol.Decision) error {
	if j.BeforeSet != nil && !facts.Activated && facts.NewBinds != protocol.PasswordExpired {
		if stop := j.BeforeSet(ctx, j.c); stop != nil {
			return stop
		}
	}
	if err := j.standing(ctx, facts); err != nil {
		return err
	}
	if stop := j.Brake.Enter(ctx, j.c.ID, j.staged.Asked && !facts.Fresh); stop != nil {
		return stop
	}
	if stop := j.Gate.Enter(ctx, j.c.ID, j.written(), j.Slots); stop != nil {
		return stop
	}
	if err := j.noteSent(ctx, facts, d); err != nil {
		j.Gate.Refused(err)
		return err
	}
	return j.reset(ctx)
}

// written are the places that Activate writes.
func (j *job) written() (at gate.Places) {
	for i, p := range j.paths {
		if i >= len(j.parts) || j.parts[i] != apart {
			at.Paths, at.Versions = append(at.Paths, p), append(at.Versions, j.lives[i].Version)
		}
	}
	return at
}

// noteSent makes durable, before Set, that the staged value is sent and that
// the old ones were refused. Where there is nothing to say and nobody was at it
// before, as with nearly every credential, it costs nothing.
func (j *job) noteSent(ctx context.Context, facts protocol.Facts, d protocol.Decision) (err error) {
	if j.held, err = j.placesSeen(ctx, true); err != nil {
		return err
	}
	refused := facts.OldKnown && (facts.OldBinds == protocol.Refused || j.rationed)
	places := j.places()
	told := marksTell(j.staged, j.account)
	if !j.reread && !j.staged.Unsent && !(told && j.staged.Refused) && (!refused || j.staged.Asked) && maps.Equal(places, j.staged.Places) {
		if j.fenced = j.fenced || facts.Fresh; j.fenced {
			return nil
		}
		// An attempt before this one may stand still, and call the value unsent
		// later (keepUnsent): not any more, once the entry is another one.
		return j.replaceStaged(ctx, j.staged)
	}
	entry := j.staged
	entry.Unsent, entry.Places = false, j.withAccepted(places)
	if entry.Refused = j.isRefused(entry); told {
		// The value may be in force after a crash, and the wrong logins be
		// those of consumers that it cut off. Where it is not sent after all,
		// noteEnd says it again.
		j.refused = j.refused || j.staged.Refused && !j.worked
		entry.Refused = false
	}
	j.emptySpare(&entry)
	if refused && !entry.Asked {
		entry.Asked, entry.Changed = true, d.Finding
	}
	return j.replaceStaged(ctx, entry)
}

// replaceStaged writes an entry, and goes by it once that is answered. Else j
// has the one of before: some callers go on all the same.
func (j *job) replaceStaged(ctx context.Context, entry ownmount.Staged) error {
	at := j.Now()
	now, err := j.Store.Restage(ctx, j.c.ID, entry)
	if err != nil {
		return err
	}
	j.staged, j.entryAt, j.reread, j.fenced = now, at, false, true
	return nil
}

// reset is the call to the authority.
func (j *job) reset(ctx context.Context) error {
	if end, ok := ctx.Deadline(); ok && time.Until(end) < gate.RoomToActivate {
		return &protocol.Stop{Reason: protocol.ReasonInterrupted, Detail: "too little time was left to set and activate it; nothing was changed"}
	}
	j.step = protocol.Set
	var old credential.Secret
	if n := len(j.olds); n > 0 {
		old = j.olds[0]
		if len(j.accepted) == 0 {
			// Which one is in force was not found out. A server that wants it
			// refuses the wrong one, and the next attempt brings the next.
			old = j.olds[max(0, j.staged.Attempt-1)%n]
		}
	}
	account := j.account
	account.LeftOut, account.Accepted, account.Old = j.LeftOut, j.c.Accepted, j.known()
	if j.newRight {
		account.Before = j.staged.Before
	}
	if err := j.stillOurs(ctx); err != nil {
		return err
	}
	if slept(j.began, time.Now()) {
		return errSlept
	}
	sent := j.Now()
	err := j.Authority.Set(ctx, account, j.staged.Secret, old)
	if spent, ok := errors.AsType[kind.Spent](err); ok {
		// It is in force, and lies nowhere yet but in staging: who has it has
		// nothing once another one is.
		j.late.send(sent, nil)
		j.wasSent()
		j.noteDetail(credential.Finding{Code: credential.FindingStoredAsSent, Detail: spent.Error() + "; another one was set instead. What was written lies where changes are logged or replicated (accesslog, auditlog, backups), and is dead"})
		return j.restage(ctx, credential.FindingStoredAsSent)
	}
	j.late.send(sent, err)
	var stop *protocol.Stop
	if errors.As(err, &stop) && notSent(stop) {
		entry := j.staged
		// A policy also refuses a value that a slow twin has just set, and a
		// role may ask for none only since then; a missing right, or a server
		// that takes no changes, refuses both of us. Where it was not asked in
		// this look, that tells nothing: an earlier reset may have come late,
		// or is still on its way.
		asked := !j.taken && j.late.n == 0 && j.staged.Late.IsZero()
		entry.Unsent = j.unsent || asked && stop.Reason != protocol.ReasonPolicy && stop.Reason != protocol.ReasonNeedsNone
		entry.PolicyRefused = entry.PolicyRefused || stop.Reason == protocol.ReasonPolicy
		j.keepTaken()
		entry.Refused = j.isRefused(entry)
		if entry.Unsent != j.staged.Unsent || entry.PolicyRefused != j.staged.PolicyRefused {
			if noteErr := j.replaceStaged(ctx, entry); noteErr != nil {
				return noteErr
			}
		}
	}
	if stop == nil || !notSent(stop) {
		j.wasSent()
	} else if stop.Reason == protocol.ReasonNearLock {
		j.step = protocol.Intent // nothing was sent, and what is half done an abort brings to its end
	}
	if err == nil {
		j.setAt = j.Now()
		j.out.SetAt = j.setAt.UTC().Truncate(time.Millisecond)
	}
	return err
}
