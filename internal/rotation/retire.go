package rotation

import (
	"context"

	"rollcall/internal/protocol"
)

func (j *job) retire(ctx context.Context) error {
	j.step = protocol.Retire
	j.noteActivated()
	account := j.account
	if j.newRight && j.retired == 0 {
		account.Before = j.staged.Before
	}
	account.LeftOut = j.LeftOut
	mark, findings, err := j.Authority.Retire(ctx, account, j.staged.Secret)
	j.left = mark
	for _, f := range findings {
		j.noteDetail(f)
	}
	j.retired++
	return err
}

// retiredBefore reports whether an earlier pass retired the old value and nothing was
// changed since. Were the old value accepted all the same, prove would meet it. Of a login to Vault
// it must be known, too, what became of its tokens.
func (j *job) retiredBefore() bool {
	told := j.Reach == nil || !j.Authority.RetiresFirst(j.c) || j.staged.Closed || j.staged.LivesOn != ""
	return told && j.staged.Retired != "" && j.staged.Retired == j.account.Changed
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
