package rotation

import (
	"context"
	"errors"
	"time"

	"rollcall/internal/vault/ownmount"
)

// A twin is an activity that timed out and still runs, beside the one that was
// begun in its place. What it sets late is put in force over whatever the other
// one has set since: where that staged another attempt (the first one was
// readable, refused by policy, changed by somebody), it is a value that lies
// nowhere any more. So what a process knows of the staging entry is looked at
// again before it sets, if it is not of this moment: it may have waited since
// for the gate, the brake, or a connection.

// entryTTL is how long the staging entry is taken to be as it was seen. The
// other activity begins a heartbeat time-out after the last sign of life
// (workflows/options.go), and takes a pass to stage another attempt and a
// second one to set it. A call of Vault for each credential would buy what is
// left, which the look at the end of a campaign tells (changed-since-proof).
const entryTTL = 2 * time.Second

// errTwin is no stop: what was seen is looked at again.
var errTwin = errors.New("another process was at the credential since it was looked at; nothing was changed")

// stillOurs looks whether the staging entry is the one that this process goes
// by. Set is to be the next call after it.
func (j *job) stillOurs(ctx context.Context) error {
	if age(j.entryAt, j.Now()) < entryTTL {
		return nil
	}
	asked := j.Now()
	now, found, err := j.Store.ReadStaged(ctx, j.c.ID)
	if err == nil && !j.sameEntry(now, found) {
		err = errTwin
	}
	if err == nil {
		j.entryAt = asked
	}
	return err
}

func (j *job) sameEntry(now ownmount.Staged, found bool) bool {
	return found && now.Version == j.staged.Version
}
