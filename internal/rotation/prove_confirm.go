package rotation

import (
	"context"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// Verdict is a credential and what Apply says of it.
type Verdict struct {
	Credential credential.Credential
	*Applied
}

// sight is what a proof saw on the write server. It stays in the process.
type sight struct {
	account kind.Account      // whose logins were the proof; its mark is from before Set
	value   credential.Secret // which logged in
	mark    string            // the change mark when it did, empty if that is not known
	set     time.Time         // when Set was answered; zero if this look did not set
	at      time.Time         // after the last login
}

// Confirm reads the accounts that Apply called dead once more, by their
// immutable ids and many in one call: every login of the proof went by a name,
// and whoever may rename entries can put another one under it. What is not the
// account that was proved, or was changed since, is open again. What this reads
// is the mark that Recheck goes by.
func (r *Rotator) Confirm(ctx context.Context, verdicts []Verdict) {
	var cs []credential.Credential
	for _, v := range verdicts {
		if v.Dead() {
			cs = append(cs, v.Credential)
		}
	}
	if len(cs) == 0 {
		return
	}
	accounts, ok := kind.AccountsAfterSet(ctx, r.Authority, r.writeServer(), cs)
	if !ok {
		return
	}
	for _, v := range verdicts {
		if !v.Dead() {
			continue
		}
		a, found := accounts[v.Credential.ID]
		if err := r.confirm(ctx, v, a, found); err != nil {
			v.Stop, v.Step, v.Proof = protocol.AsStop(err), protocol.Prove, ""
		}
	}
}

func (r *Rotator) confirm(ctx context.Context, v Verdict, now kind.Account, found bool) (err error) {
	if !found {
		if now, err = r.Authority.Account(ctx, r.writeServer(), v.Credential); err != nil {
			return err
		}
	}
	was := v.sight
	switch {
	case now.State == protocol.Locked:
		stop := &protocol.Stop{Reason: protocol.ReasonLocked, Server: r.writeServer(),
			Detail: "the account was locked right after its proof, by consumers or others that go on with an old value: it refuses the new one as well, and in Active Directory a service's clients get no tickets; find who tries it, then unlock it"}
		if len(v.Doors) > 0 {
			stop.Detail += "; its doors were asked meanwhile, with a good login here after each wrong one"
		}
		return stop.LockedUntil(now.LockedUntil)
	case now.State != protocol.Accepted:
		return protocol.StopFor(now.State, r.writeServer())
	case now.Name != was.account.Name:
		return r.another("the account was renamed or moved before its proof ended")
	case !was.set.IsZero() && was.account.Changed != "" && protocol.Compare(was.account.Changed, now.Changed) == protocol.Unchanged:
		return r.another("the account's own entry is as it was before the reset: the proof was another entry's, or replication took the reset back")
	}
	if err := r.unchanged(ctx, v, now); err != nil {
		return err
	}
	for i := range v.Evidence {
		if v.Evidence[i].Server == r.writeServer() {
			v.Evidence[i].Changed = now.Changed
		}
	}
	return nil
}

// another is that the proof was about another entry.
func (r *Rotator) another(what string) error {
	return &protocol.Stop{Reason: protocol.ReasonInterrupted, Server: r.writeServer(),
		Detail: what + "; the next pass reads it by its id. Find out who put another entry under its name"}
}

// unchanged holds the account against what it was at the proof. A login that
// others make moves the mark of some directories, as those of the proof do; so
// where the mark does not tell whether somebody changed the secret after the
// last login, the new value is offered.
func (r *Rotator) unchanged(ctx context.Context, v Verdict, now kind.Account) error {
	was := v.sight
	difference := protocol.Touched
	if was.mark != "" {
		difference = protocol.Compare(was.mark, now.Changed)
	}
	if now.ByItself {
		difference = max(difference, protocol.Touched)
	} else if difference == protocol.Touched && !was.set.IsZero() && was.mark != "" {
		moved, fine := protocol.Between(was.mark, now.Changed)
		if fine && moved <= was.at.Sub(was.set)+answerTakes {
			return nil // our own logins
		}
	}
	if difference == protocol.Touched {
		switch reply, err := r.Authority.Offer(ctx, r.writeServer(), now, was.value); {
		case err != nil:
			return err
		case reply == protocol.Refused:
			difference = protocol.Changed
		case reply != protocol.Accepted:
			return protocol.StopFor(reply, r.writeServer())
		}
	}
	if difference == protocol.Changed {
		v.Findings = append(v.Findings, credential.Finding{Code: credential.FindingChangedAfter})
		return &protocol.Stop{Reason: protocol.ReasonChangedSince, Server: r.writeServer(),
			Detail: "somebody set another password right after the proof; who had logged in before can do that on a connection that is still open: close the account's connections"}
	}
	return nil
}

// answerTakes is how much later than a login's effect its answer may come.
const answerTakes = 50 * time.Millisecond
