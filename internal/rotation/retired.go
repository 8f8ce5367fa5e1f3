package rotation

import (
	"context"
	"errors"
	"time"

	"rollcall/internal/credential"
)

// settle proves that the old value is dead. Where another server keeps it open although
// the write server has done its part, it leaves behind with which change mark of
// the write server Retire did its own.
//
// Retiring is a change of the secret at some authorities (Active Directory: one more
// reset), which other servers have to follow in turn. A pass that retired again what the
// one before had retired would so wait for a later change every time, and a server that
// is slower than the passes would never be seen to follow.
func (j *job) settle(ctx context.Context) error {
	j.noteActivated()
	if j.retired == 0 {
		j.left = j.staged.Retired
		j.noteLivesOn()
	}
	err := j.prove(ctx)
	if err != nil {
		j.rememberRetired(ctx)
	}
	return err
}

// rememberRetired writes the mark that Retire gave: no later one, which may be of
// somebody else's change. It is no promise, and an error is left alone: where it is
// missing, as after a crash before this call, the next pass retires once more, which
// does no harm. A rotation that ends in one pass never comes here.
func (j *job) rememberRetired(ctx context.Context) {
	if len(j.Authority.Servers()) == 1 || !j.account.Exact || j.left == "" || len(j.out.Evidence) == 0 {
		return // nobody has to follow, the mark tells too little, or the write server itself has not refused the old value
	}
	marked := j.staged
	if marked.Retired = j.left; marked.Retired != j.staged.Retired {
		_ = j.remark(ctx, marked)
	}
}

// asLeft holds the write server's change mark against the one that Retire left. If
// somebody has changed the secret since, ours may be no more than the one before, which
// is accepted for a while: the caller looks again, and retires theirs.
func (j *job) asLeft(mark string) error {
	if !j.account.Exact || j.left == "" || mark == j.left {
		return nil
	}
	j.note(credential.FindingChangedAfter)
	return errors.New("somebody changed the secret after it was retired; look again")
}

// stillAs looks once more, after the proof on a server, at what is handed over to a
// person: the login may have been with a value that somebody had changed since the look
// before it, and the owner would be sent to fetch one that soon lets nobody in.
func (j *job) stillAs(ctx context.Context, server, mark string) error {
	account, err := j.Authority.Account(ctx, server, j.c)
	if err != nil || account.Changed == mark {
		return err
	}
	j.note(credential.FindingChangedAfter)
	return errors.New("somebody changed the secret while it was proved; look again")
}

// retiredBefore reports whether an earlier pass retired the old value and nothing was
// changed since. Were the old value accepted all the same, prove would meet it. Of a login to Vault
// it must be known, too, what became of its tokens.
func (j *job) retiredBefore() bool {
	told := j.Reach == nil || !j.Authority.RetiresFirst(j.c) || j.staged.Closed || j.staged.LivesOn != ""
	return told && j.staged.Retired != "" && j.staged.Retired == j.account.Changed
}

func (j *job) noteActivated() {
	j.out.To, j.out.Written, j.out.Doomed = nil, nil, j.doomed()
	for i, l := range j.lives {
		if j.parts[i] == apart || !l.Value.Equal(j.staged.Secret) { // left as it is, or not written yet
			l.Version, l.Written = 0, time.Time{}
		}
		j.out.To, j.out.Written = append(j.out.To, l.Version), append(j.out.Written, l.Written)
	}
}
