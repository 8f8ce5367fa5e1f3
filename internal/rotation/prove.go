package rotation

import (
	"context"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// prove offers the old value and then the new one to every server. On each it
// costs one refused login for each distinct old value, cleared by the good login straight
// after, so probing locks nobody out.
func (j *job) prove(ctx context.Context) error {
	j.step = protocol.Prove
	j.out.Evidence = nil
	servers, leftOut := j.asked()
	var written string // the write server's change mark after Set
	for i, server := range servers {
		ev := protocol.Evidence{Server: server, OnlyOne: j.weak() && j.account.OnlyOne}
		if stop := j.Doubts.of(j.Campaign, server); stop != nil {
			return stop
		}
		if i > 0 && j.silent.of(server) {
			// Others of the batch have waited for it in vain. It is no less open for that.
			return protocol.StopFor(protocol.Unreachable, server)
		}
		if len(servers) > 1 || j.weak() || j.account.Exact {
			mark, err := j.changeMark(ctx, server, written)
			if err != nil {
				return j.silent.heard(server, err)
			}
			if ev.Changed = mark; i == 0 {
				written = mark
				if err := j.asLeft(mark); err != nil {
					return err
				}
			}
			if j.account.Exact && mark > written {
				// Not asked: each pass would add one more wrong password there.
				return &protocol.Stop{Reason: protocol.ReasonNewRefused, Server: server, Detail: "somebody changed the secret on this server and the write server has not seen it, so the new value is not offered here; find out who did it, and repair replication between the two"}
			}
			if again, err := j.overruled(ctx, mark, written); again || err != nil {
				return j.setAgain(ctx, server, err)
			}
			if mark < written {
				// Not probed: on a replica that lags the new value would be a
				// wrong password, and counting those is how accounts get locked.
				return &protocol.Stop{Reason: protocol.ReasonLagging, Server: server, Detail: "this server has not seen the change and still accepts the stolen value"}
			}
		}
		if i == 0 && j.left != "" && !j.account.Exact {
			ev.Changed = j.left // of our own value alone: the look at the end goes by it
		}
		err := j.probe(ctx, server, &ev, i > 0)
		if i == 0 && ev.Old == protocol.Accepted {
			return j.outlived(ctx, ev, err)
		}
		if ev.Old == protocol.Accepted { // and the new one before it
			if stop := j.secondPassword(ctx, server); stop != nil {
				return stop
			}
		}
		if i == 0 {
			j.lastLogin = j.Now()
		}
		if err == nil && j.c.HandsOver() {
			err = j.stillAs(ctx, server, ev.Changed)
		}
		if err = j.silent.heard(server, err); err != nil {
			return err
		}
		j.out.Evidence = append(j.out.Evidence, ev)
	}
	proof, stop := protocol.Dead(servers, j.out.Evidence, !j.weak(), j.before)
	if stop != nil {
		return stop
	}
	if proof == protocol.ProofMetadata {
		proof = j.Authority.ProofWithoutOld()
	}
	j.out.Proof, j.out.Stop, j.out.Step, j.out.LeftOut = proof, nil, protocol.Prove, leftOut
	j.out.sight = sight{account: j.account, value: j.staged.Secret, mark: j.seen(), set: j.setAt, at: j.lastLogin}
	return nil
}

// seen is the write server's change mark at the logins of the proof, if it is known.
func (j *job) seen() string {
	if j.account.Exact {
		return j.out.Evidence[0].Changed
	}
	if s, ok := kind.As[kind.Seer](j.Authority); ok {
		return s.Seen(j.account)
	}
	return ""
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

// outlived decides what to do about an old value that the write server still
// accepts after it was retired. If the new one works beside it, it is retired
// again or another value is staged. stop is the reason to leave it as it is.
func (j *job) outlived(ctx context.Context, ev protocol.Evidence, stop error) error {
	answer, err := j.Authority.Try(ctx, ev.Server, j.account, j.staged.Secret)
	if err != nil {
		return err
	}
	if answer != protocol.Accepted {
		return j.unlessReverted(ctx, stop)
	}
	if err := j.secondPassword(ctx, ev.Server); err != nil {
		return err
	}
	d := protocol.Next(protocol.Facts{
		Staged: protocol.Ours, NewBinds: answer, OldBinds: ev.Old, OldKnown: true,
		Activated: true, Retired: j.retired, Outlived: j.staged.Outlived,
	})
	switch {
	case d.Stop != nil:
		return withServer(d.Stop, ev.Server)
	case d.Step == protocol.Retire:
		if err := j.retire(ctx); err != nil {
			return err
		}
		return j.prove(ctx)
	}
	j.note(d.Finding)
	return j.restage(ctx, d.Finding)
}

// weak: no old value that we hold was in force before Set, so that its refusal
// now proves nothing.
func (j *job) weak() bool { return len(j.olds) == 0 || j.staged.Asked || j.rationed }

// offered are the old values that the proof offers: none where one refusal locks.
func (j *job) offered() []credential.Secret {
	if j.account.Locks == 1 {
		return nil
	}
	return j.olds
}

// replicaPatience is how long one credential waits for a replica to follow.
// Replication takes milliseconds or is broken; in the latter case only the first
// credentials of a batch wait, and the next pass waits again.
const replicaPatience = time.Second

// changeMark reads the account's change mark on one server, and gives a
// replica a moment to reach want. An account that the server would refuse
// whatever the password stops the proof.
func (j *job) changeMark(ctx context.Context, server, want string) (string, error) {
	for pause, deadline := 5*time.Millisecond, time.Now().Add(replicaPatience); ; pause *= 2 {
		account, err := j.Authority.Account(ctx, server, j.c)
		if err != nil {
			return "", err
		}
		if account.State != protocol.Accepted {
			return "", stopOf(account, server)
		}
		if account.Changed >= want {
			return account.Changed, j.named(account, server)
		}
		if _, slow := j.slow.Load(server); slow {
			return account.Changed, nil
		}
		if time.Now().Add(pause).After(deadline) {
			j.slow.Store(server, true)
			return account.Changed, nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return account.Changed, nil
		}
	}
}

// named holds an account's name on a server against the one under which values are offered.
func (j *job) named(a kind.Account, server string) error {
	if a.Name == j.account.Name {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonInterrupted, Server: server, Detail: renamed}
}

const renamed = "the account was renamed or moved while it was worked on; the next pass reads it again"

// probe offers the old values, each followed by the new one. On a replica the
// new one comes first as well: it clears what wrong logins others have run up
// there, and a replica that does not know it is not offered two wrong ones.
func (j *job) probe(ctx context.Context, server string, ev *protocol.Evidence, newFirst bool) error {
	olds := j.offered()
	newFirst = newFirst || j.account.Locks == 2 // what others have run up leaves no room for ours
	if newFirst && len(olds) > 0 {
		answer, err := j.Authority.Try(ctx, server, j.account, j.staged.Secret)
		if err != nil {
			return err
		}
		if answer != protocol.Accepted {
			return stopUnlessDead(protocol.Evidence{Server: server, New: answer})
		}
	}
	for n := 0; n == 0 || n < len(olds); n++ {
		if n < len(olds) {
			// Taken at its word: what makes a refusal mean something is the good
			// login straight after.
			answer, err := j.Authority.Offer(ctx, server, j.account, olds[n])
			if err != nil {
				return err
			}
			if ev.Old = answer; answer != protocol.Refused {
				return stopUnlessDead(*ev)
			}
		}
		answer, err := j.accepts(ctx, server, n < len(olds))
		if err != nil {
			return err
		}
		if ev.New = answer; answer != protocol.Accepted {
			return stopUnlessDead(*ev)
		}
	}
	ev.At = j.Now().UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z")
	return nil
}

// accepts asks whether the server takes the new value. used says that on this
// server it has logged in and carried out an operation in this look already, so
// that a login is enough.
func (j *job) accepts(ctx context.Context, server string, used bool) (protocol.Answer, error) {
	if !used {
		return j.Authority.Try(ctx, server, j.account, j.staged.Secret)
	}
	return j.offer(ctx, server, j.staged.Secret)
}

// stopUnlessDead words the answer that broke the proof off.
func stopUnlessDead(ev protocol.Evidence) error {
	if _, stop := protocol.Dead([]string{ev.Server}, []protocol.Evidence{ev}, ev.Old != protocol.NotAsked, nil); stop != nil {
		return stop
	}
	return &protocol.Stop{Reason: protocol.ReasonInternal, Server: ev.Server, Detail: "a proof was broken off for no reason"}
}
