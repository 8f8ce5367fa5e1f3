package rotation

import (
	"context"
	"errors"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// Prepare checks the account, and stages a new value unless one is staged
// already. It changes nothing at the authority and nothing that consumers
// read. Trouble is in Prepared.Stop, never an error: one credential must not
// stop its batch.
func (r *Rotator) Prepare(ctx context.Context, c credential.Credential) Prepared {
	if stop := ProblemStop(c); stop != nil {
		return keptOpen(protocol.Precheck, stop)
	}
	if c.Kind.OnlyEnds() {
		return r.prepareEnd(ctx, c)
	}
	was, err := r.precheck(ctx, c)
	if err != nil {
		return keptOpen(protocol.Precheck, protocol.AsStop(err))
	}
	stagedAt := r.Now()
	staged, fresh, err := r.stage(ctx, c, was)
	if err != nil {
		r.Gate.Refused(err)
		out := keptOpen(protocol.Stage, protocol.AsStop(err))
		if e, ok := errors.AsType[*activatedAt](err); ok {
			out.Elsewhere = e.paths
		}
		return out
	}
	from := was.versions
	if fresh {
		r.Cache.keep(r.Campaign, c.ID, prepared{staged, was.lives, was.account, was.read, was.listed, stagedAt}, r.Now())
	} else {
		from = versions(pathsOf(c, staged), staged.Base)
	}
	return Prepared{Prepared: wire.Prepared{Attempt: staged.Attempt, Fresh: fresh, From: from}}
}
