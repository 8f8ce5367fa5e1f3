package rotation

import (
	"context"
	"errors"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// Reach knows which logins to Vault are still open in the campaign, and what
// they could read.
type Reach interface {
	// Closed says that nothing but the new value of the login logs in any more.
	Closed(id string)
	// Opened takes that back: another value is in force, or something that it
	// minted lives.
	Opened(id string)
	// Before says why a login must not be set at all, or nil: what reads the
	// place of its new value, or the staging place, will not be closed by a
	// rotation.
	Before(ctx context.Context, c credential.Credential) *protocol.Stop
	// Stand notes that nothing keeps a login from being set but others that
	// could read the place of its new value and are not closed yet, and says
	// why it must not be set before they are, or nil: each of them is about to
	// be set too, and waits for this one. Where there is none it asks nothing.
	// may is what else would keep it from being set.
	Stand(ctx context.Context, c credential.Credential, may func() error) error
	// Aside takes back what Stand has noted.
	Aside(ctx context.Context, c credential.Credential)
	// Within says why the new value of c must not be written where it is read,
	// or nil.
	Within(ctx context.Context, c credential.Credential) *protocol.Stop
}

// beforeSet keeps a login as it is whose new value could not be activated
// afterwards: its old value would be retired by then, and its consumer would
// have no login.
func (j *job) beforeSet(ctx context.Context) *protocol.Stop {
	if j.Reach == nil || !j.Authority.RetiresFirst(j.c) {
		return nil
	}
	return j.Reach.Before(ctx, j.c)
}

// standing keeps it so as long as another login is not closed that could read
// its new value. One whose consumers have that already waits for nobody: only
// the account has to get it again.
func (j *job) standing(ctx context.Context, facts protocol.Facts) error {
	if j.Reach == nil || !j.Authority.RetiresFirst(j.c) || facts.Activated {
		return nil
	}
	err := j.Reach.Stand(ctx, j.c, func() error {
		if asks, ok := kind.As[kind.Settable](j.Authority); ok {
			account := j.account
			account.LeftOut, account.Accepted, account.Old = j.LeftOut, j.c.Accepted, j.known()
			return asks.MaySet(ctx, account)
		}
		return nil
	})
	var stop *protocol.Stop
	j.stands = errors.As(err, &stop) && stop.Reason == protocol.ReasonWithinReach
	return err
}

// aside says, where this login did not end as one that is about to be set, that
// it is none.
func (j *job) aside(ctx context.Context) {
	if j.Reach != nil && j.Authority.RetiresFirst(j.c) && !j.stands {
		j.Reach.Aside(ctx, j.c)
	}
}

// withinReach keeps the new value of a login from a place that another one
// could read which is not closed yet. By then its own old value is retired, so
// that two logins that read each other's places do not wait for each other: the
// next pass activates both.
func (j *job) withinReach(ctx context.Context) *protocol.Stop {
	if j.Reach == nil || !j.Authority.RetiresFirst(j.c) || j.activated() {
		return nil
	}
	j.step = protocol.Activate
	return j.Reach.Within(ctx, j.c)
}

// closed makes durable, for the other logins, that this one is retired. One of
// which batch tokens live on, or perhaps orphans, is never closed: they read
// what it could read. Batch tokens that it gave when it was listed do so
// whatever it gives by now.
func (j *job) closed(ctx context.Context) error {
	if !j.Authority.RetiresFirst(j.c) {
		return nil
	}
	j.noteLivesOn()
	if j.c.Batch {
		j.noteDetail(credential.Finding{Code: credential.FindingBatchTokens,
			Detail: "it gave batch tokens when it was listed, which Vault can neither list nor revoke: those of the old secret live until they expire"})
	}
	var livesOn credential.FindingCode
	for _, f := range j.out.Findings {
		if f.Code.LivesOn() && livesOn != credential.FindingBatchTokens {
			livesOn = f.Code
		}
	}
	closed := livesOn == "" && (j.Reach != nil || j.staged.Closed)
	marked := j.withFound(j.staged)
	if j.staged.Closed != closed || j.staged.LivesOn != livesOn || len(marked.Found) != len(j.staged.Found) {
		marked.Closed, marked.LivesOn = closed, livesOn
		err := j.replaceStaged(ctx, marked)
		if !closed {
			j.opened()
		}
		if err != nil {
			return j.notActivated(err)
		}
	}
	if closed && j.Reach != nil {
		j.Reach.Closed(j.c.ID)
	}
	return nil
}

// opened tells the others at once that this one is not closed, or not any more.
func (j *job) opened() {
	if j.Reach != nil {
		j.Reach.Opened(j.c.ID)
	}
}

// noteLivesOn tells what an earlier pass found that lives on, to a pass that
// does not retire again, or finds it gone from where it was: batch tokens can
// neither be listed nor revoked, whatever is minted by now.
func (j *job) noteLivesOn() {
	switch {
	case j.staged.LivesOn == credential.FindingBatchTokens:
		j.noteDetail(credential.Finding{Code: j.staged.LivesOn,
			Detail: "it gave batch tokens when it was retired, which Vault can neither list nor revoke: those of the old secret live until they expire"})
	case j.staged.LivesOn != "" && j.retired == 0:
		j.noteDetail(credential.Finding{Code: j.staged.LivesOn,
			Detail: "when it was retired, by an earlier pass, living tokens were orphans that this login may have made: look at each (auth/token/accessors, those of a path auth/token/create…) and revoke what nobody claims; until a person accepts it the login counts as open"})
	}
}
