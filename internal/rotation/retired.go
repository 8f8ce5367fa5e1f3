package rotation

import "context"

// settle proves that the old value is dead. Where another server keeps it open although
// the write server has done its part, it leaves behind at which change mark of
// the write server that was.
//
// Retiring is a change of the secret at some authorities (Active Directory: one more
// reset), which other servers have to follow in turn. A pass that retired again what the
// one before had retired would so wait for a later change every time, and a server that
// is slower than the passes would never be seen to follow.
func (j *job) settle(ctx context.Context) error {
	j.noteActivated()
	err := j.prove(ctx)
	if err != nil {
		j.rememberRetired(ctx)
	}
	return err
}

// rememberRetired writes the mark that prove read, which is so later than Retire. It is
// no promise, and an error is left alone: where it is missing, as after a crash
// before this call, the next pass retires once more, which does no harm. A rotation
// that ends in one pass never comes here.
func (j *job) rememberRetired(ctx context.Context) {
	if len(j.Authority.Servers()) == 1 || !j.account.Exact || len(j.out.Evidence) == 0 {
		return // nobody has to follow, the mark tells too little, or the write server itself has not refused the old value
	}
	marked := j.staged
	if marked.Retired = j.out.Evidence[0].Changed; marked.Retired != j.staged.Retired {
		_ = j.remark(ctx, marked)
	}
}

// retiredBefore reports whether an earlier pass retired the old value and nothing was
// changed since. Were the old value accepted all the same, prove would meet it.
func (j *job) retiredBefore() bool {
	return j.staged.Retired != "" && j.staged.Retired == j.account.Changed
}

func (j *job) noteActivated() {
	j.out.To = nil
	for _, l := range j.lives {
		j.out.To = append(j.out.To, l.Version)
	}
}
