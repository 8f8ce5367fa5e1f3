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
	// Before says why a login must not be set at all, or nil: what reads the place of its new
	// value, or the staging place, will not be closed by a rotation.
	Before(ctx context.Context, c credential.Credential) *protocol.Stop
	// Within says why the new value of c must not be written where it is read, or nil.
	Within(ctx context.Context, c credential.Credential) *protocol.Stop
}

// beforeSet keeps a login as it is whose new value could not be activated afterwards: its old
// value would be retired by then, and its consumer would have no login.
func (j *job) beforeSet(ctx context.Context) *protocol.Stop {
	if j.Reach == nil || !j.Authority.RetiresFirst(j.c) {
		return nil
	}
	return j.Reach.Before(ctx, j.c)
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
// live on, or perhaps orphans, is never closed: they read what it could read. Batch tokens that it
// gave when it was listed do so whatever it gives by now.
func (j *job) closed(ctx context.Context) error {
	if !j.Authority.RetiresFirst(j.c) {
		return nil
	}
	if j.c.Batch {
		j.noteDetail(credential.Finding{Code: credential.FindingBatchTokens,
			Detail: "it gave batch tokens when it was listed, which Vault can neither list nor revoke: those of the old secret live until they expire"})
	}
	if j.Reach == nil {
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
