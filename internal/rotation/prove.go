package rotation

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// prove holds every server to the old value's refusal and the new one's
// acceptance. If a replica is not ready yet, it saves the write server's change
// mark from Retire, so that the next pass does not retire again.
//
// At some authorities each Retire is another change of the secret (Active
// Directory: one more reset), which replicas must catch up with. Repeating it
// in every pass would keep a slow replica behind for ever.
func (j *job) prove(ctx context.Context) error {
	j.noteActivated()
	j.noteAside()
	if j.retired == 0 {
		j.afterRetire = j.staged.Retired
		j.noteLivesOn()
	}
	if err := j.retireAndProve(ctx); err != nil {
		j.rememberRetired(ctx)
		return err
	}
	return j.lasting()
}

// retireAndProve asks the servers until they have given the proof. Each look at
// them may say that something is due before the next one.
func (j *job) retireAndProve(ctx context.Context) error {
	for {
		next, err := j.ask(ctx)
		if err != nil {
			return err
		}
		switch next.step {
		case protocol.Outcome:
			return nil
		case protocol.Retire:
			err = j.endOld(ctx)
		case protocol.Set:
			err = j.setAgain(ctx, next.server)
		case protocol.Stage:
			j.note(next.finding)
			err = j.restage(ctx, next.finding)
		default:
			err = &protocol.Stop{Reason: protocol.ReasonInternal, Server: next.server, Detail: fmt.Sprintf("no way to do step %q after the proof", next.step)}
		}
		if err != nil {
			return err
		}
	}
}

// due is what a look at the servers leads to: Outcome, if they have given the
// proof.
type due struct {
	step    protocol.Step
	server  string // which asks for it
	finding credential.FindingCode
}

// ask offers the old value and then the new one to every server. On each it
// costs one refused login for each distinct old value, cleared by the good
// login straight after, so probing locks nobody out.
func (j *job) ask(ctx context.Context) (due, error) {
	j.step = protocol.Prove
	j.out.Evidence = nil
	servers, leftOut := j.asked()
	var written string // the write server's change mark after Set
	for i, server := range servers {
		ev := protocol.Evidence{Server: server, OnlyOne: j.weak() && j.account.OnlyOne}
		if stop := j.Doubts.Of(j.Campaign, server); stop != nil {
			return due{}, stop
		}
		if i > 0 && j.unresponsive.of(server) {
			// Others of the batch have waited for it in vain. It is no less
			// open for that.
			return due{}, protocol.StopFor(protocol.Unreachable, server)
		}
		if len(servers) > 1 || j.weak() || j.account.Exact {
			mark, err := j.markOn(ctx, server, written)
			if err != nil {
				return due{}, err
			}
			if ev.Changed = mark; i == 0 {
				written = mark
			}
			if again, err := j.hasChange(ctx, server, mark, written); again || err != nil {
				return due{step: protocol.Set, server: server}, err
			}
			if i == 0 && j.comesBack() {
				if behind := j.behind(ctx, servers[1:], written); behind != "" {
					return due{}, lagging(behind)
				}
			}
		}
		if next, err := j.askOne(ctx, server, &ev, i == 0); next.step != "" || err != nil {
			return next, err
		}
		j.out.Evidence = append(j.out.Evidence, ev)
	}
	return due{step: protocol.Outcome}, j.conclude(servers, leftOut)
}

// hasChange keeps a server from being asked that does not have the change of
// Set, or has a later one. again: it has refused the change, which is to be
// made once more.
func (j *job) hasChange(ctx context.Context, server, mark, written string) (again bool, err error) {
	if server == j.writeServer() {
		if err := j.asAfterRetire(mark); err != nil {
			return false, err
		}
	}
	if j.account.Exact && mark > written {
		// Not asked: each pass would add one more wrong password there.
		return false, &protocol.Stop{Reason: protocol.ReasonNewRefused, Server: server, Detail: "somebody changed the secret on this server and the write server has not seen it, so the new value is not offered here; find out who did it, and repair replication between the two"}
	}
	if again, err := j.overruled(ctx, mark, written); again || err != nil {
		return again, err
	}
	if mark < written {
		// Not probed: on a replica that lags the new value would be a
		// wrong password, and counting those is how accounts get locked.
		return false, lagging(server)
	}
	return false, nil
}

func lagging(server string) *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonLagging, Server: server, Detail: "this server has not seen the change and still accepts the stolen value"}
}

// askOne takes one server's evidence. write: it is the write server.
func (j *job) askOne(ctx context.Context, server string, ev *protocol.Evidence, write bool) (due, error) {
	if write && j.afterRetire != "" && !j.account.Exact {
		ev.Changed = j.afterRetire // of our own value alone: the look at the end goes by it
	}
	err := j.probe(ctx, server, ev, !write)
	if write && ev.Old == protocol.Accepted {
		return j.outlived(ctx, *ev, err)
	}
	if ev.Old == protocol.Accepted { // and the new one before it
		if stop := j.secondPassword(ctx, server); stop != nil {
			return due{}, stop
		}
	}
	if write {
		j.lastLogin = j.Now()
		j.newRefused(ev.New)
	}
	if err == nil && j.c.HandsOver() {
		err = j.stillAs(ctx, server, ev.Changed)
	}
	return due{}, j.unresponsive.heard(server, err)
}

// outlived decides what to do about an old value that the write server still
// accepts after it was retired. If the new one works beside it, it is retired
// again or another value is staged. stop is the reason to leave it as it is.
func (j *job) outlived(ctx context.Context, ev protocol.Evidence, stop error) (due, error) {
	reply, err := j.Authority.Try(ctx, ev.Server, j.account, j.staged.Secret)
	if err != nil {
		return due{}, err
	}
	j.newRefused(reply)
	if reply != protocol.Accepted {
		return due{}, j.unlessReverted(ctx, stop)
	}
	if err := j.secondPassword(ctx, ev.Server); err != nil {
		return due{}, err
	}
	d := protocol.Next(protocol.Facts{
		NewBinds: reply, OldBinds: ev.Old, OldKnown: true,
		Activated: true, Retired: j.retired, Outlived: j.staged.Outlived,
	})
	if d.Stop != nil {
		return due{}, withServer(d.Stop, ev.Server)
	}
	return due{step: d.Step, server: ev.Server, finding: d.Finding}, nil
}

// conclude is for a look in which every server gave evidence.
func (j *job) conclude(servers, leftOut []string) error {
	proof, stop := protocol.Dead(servers, j.out.Evidence, !j.weak(), j.before)
	if stop != nil {
		return stop
	}
	if proof == protocol.ProofMetadata {
		proof = j.Authority.ProofWithoutOld()
	}
	j.out.Proof, j.out.Stop, j.out.Step, j.out.LeftOut = proof, nil, protocol.Prove, leftOut
	j.out.at = atDoors{account: j.account, new: j.staged.Secret, olds: j.olds, remember: j.rememberRetired}
	j.out.sight = sight{account: j.account, value: j.staged.Secret, mark: j.seen(), set: j.setAt, at: j.lastLogin}
	return nil
}

// asked are the servers that the proof asks, the write server first, and those
// that a person left out of it.
func (r *Rotator) asked() (asked, leftOut []string) {
	for i, s := range r.Authority.Servers() {
		if i > 0 && slices.Contains(r.LeftOut, s) {
			leftOut = append(leftOut, s)
		} else {
			asked = append(asked, s)
		}
	}
	return asked, leftOut
}

// weak: no old value that we hold was in force before Set, so that its refusal
// now proves nothing.
func (j *job) weak() bool { return len(j.olds) == 0 || j.staged.Asked || j.rationed }

// asAfterRetire holds the write server's change mark against the one that
// Retire left. If somebody has changed the secret since, ours may be no more
// than the one before, which is accepted for a while: the caller looks again,
// and retires theirs.
func (j *job) asAfterRetire(mark string) error {
	if !j.account.Exact || j.afterRetire == "" || mark == j.afterRetire {
		return nil
	}
	j.note(credential.FindingChangedAfter)
	return errors.New("somebody changed the secret after it was retired; look again")
}

// stillAs looks once more, after the proof on a server, at what is handed over
// to a person: the login may have been with a value that somebody had changed
// since the look before it, and the owner would be sent to fetch one that soon
// lets nobody in.
func (j *job) stillAs(ctx context.Context, server, mark string) error {
	account, err := j.Authority.Account(ctx, server, j.c)
	if err != nil || account.Changed == mark {
		return err
	}
	j.note(credential.FindingChangedAfter)
	return errors.New("somebody changed the secret while it was proved; look again")
}

// secondPassword is why an old value that is accepted beside the new one is not
// the entry's affair, or nil if another reset may end it: the entry keeps one
// password. Where that is not shown, one reset to another value has to show it.
func (j *job) secondPassword(ctx context.Context, server string) error {
	k, ok := kind.As[kind.Keeper](j.Authority)
	if !ok {
		return nil
	}
	n, err := k.Keeps(ctx, server, j.account)
	if err != nil || n > 1 || n == 0 && (server != j.writeServer() || j.staged.Outlived == 0) {
		return err
	}
	return &protocol.Stop{Reason: protocol.ReasonSecondPassword, Server: server,
		Detail: "the new value was set and is accepted, and so is the stolen one, which the account's entry does not hold any more: it is kept somewhere else, and no reset reaches it; in OpenLDAP that is the rootpw (olcRootPW) of a rootdn with the account's name, elsewhere another system that the server asks; change it there, on every server"}
}

// seen is the write server's change mark at the logins of the proof, if it is
// known.
func (j *job) seen() string {
	if j.account.Exact {
		return j.out.Evidence[0].Changed
	}
	if s, ok := kind.As[kind.Seer](j.Authority); ok {
		return s.Seen(j.account)
	}
	return ""
}

// lasting keeps a credential open whose new value Vault will delete by itself:
// the staged one may be all that is left then.
func (j *job) lasting() error {
	for i, live := range j.lives {
		if j.parts[i] != apart && live.Ends {
			j.out.Proof = ""
			return &protocol.Stop{Reason: protocol.ReasonDeletesItself, Detail: fmt.Sprintf("the old value is dead, and Vault will delete the new one at path %d of this credential by itself (delete_version_after); it is also in staging: set that to 0 on the secret and its mount, and the next campaign writes it again", i+1)}
		}
	}
	return nil
}
