package rotation

import (
	"context"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Reach knows which logins to Vault are still open in the campaign, and what they could read.
type Reach interface {
	// Closed says that nothing but the new value of the login logs in any more.
	Closed(id string)
	// Within says why the new value of c must not be written where it is read, or nil.
	Within(ctx context.Context, c credential.Credential) *protocol.Stop
}

// withinReach keeps the new value of a login from a place that another one could read which is
// not closed yet. By then its own old value is retired, so that two logins that read each other's
// places do not wait for each other: the next pass activates both.
func (j *job) withinReach(ctx context.Context) *protocol.Stop {
	if j.Reach == nil || !j.Authority.RetiresFirst(j.c) || j.activated() {
		return nil
	}
	j.step = protocol.Activate
	return j.Reach.Within(ctx, j.c)
}

// closed makes durable, for the other logins, that this one is retired. One of which batch tokens
// live on, or perhaps orphans, is never closed: they read what it could read.
func (j *job) closed(ctx context.Context) error {
	if j.Reach == nil || !j.Authority.RetiresFirst(j.c) {
		return nil
	}
	closed := !slices.ContainsFunc(j.out.Findings, func(f credential.Finding) bool { return f.Code.LivesOn() })
	if j.staged.Closed != closed {
		marked := j.staged
		marked.Closed = closed
		if err := j.remark(ctx, marked); err != nil {
			return j.notActivated(err)
		}
	}
	if closed {
		j.Reach.Closed(j.c.ID)
	}
	return nil
}
