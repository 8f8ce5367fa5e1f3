package rotation

import (
	"context"
	"errors"

	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// retire ends what the old value still opens, and tells other logins to Vault
// when it did.
func (j *job) retire(ctx context.Context) error {
	if err := j.endOld(ctx); err != nil {
		return j.notActivated(err)
	}
	return j.closed(ctx)
}

func (j *job) endOld(ctx context.Context) error {
	j.step = protocol.Retire
	j.noteActivated()
	account := j.account
	if j.newRight && j.retired == 0 {
		account.Before = j.staged.Before
	}
	account.LeftOut, account.Accepted, account.Old = j.LeftOut, j.c.Accepted, j.known()
	if err := j.stillOurs(ctx); errors.Is(err, errTwin) {
		return err // it may set the value once more; a Vault that does not answer is no twin
	}
	sent := j.Now()
	mark, findings, err := j.Authority.Retire(ctx, account, j.staged.Secret)
	if _, again := errors.AsType[kind.Unanswered](err); again {
		j.late.answered = true // it was in force before, which so shows nothing of this one
		j.late.send(sent, err)
	}
	j.afterRetire, j.leftAt = mark, mark
	for _, f := range findings {
		j.noteDetail(f)
	}
	j.retired++
	return err
}

// rememberRetired writes the mark that Retire gave: no later one, which may be
// of somebody else's change. It is no promise, and an error is left alone:
// where it is missing, as after a crash before this call, the next pass retires
// once more, which does no harm. A rotation that ends in one pass never comes
// here.
func (j *job) rememberRetired(ctx context.Context) {
	if len(j.Authority.Servers()) == 1 && len(j.c.Doors) == 0 || !j.account.Exact || j.afterRetire == "" || len(j.out.Evidence) == 0 {
		return // nobody else has to give a proof, the mark tells too little, or the write server itself has not refused the old value
	}
	marked := j.staged
	if marked.Retired = j.afterRetire; marked.Retired != j.staged.Retired {
		_ = j.replaceStaged(ctx, marked)
	}
}
