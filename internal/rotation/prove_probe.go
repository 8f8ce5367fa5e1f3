package rotation

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

// probe offers the old values, each followed by the new one. On a replica the
// new one comes first as well: it clears what wrong logins others have run up
// there, and a replica that does not know it is not offered two wrong ones.
func (j *job) probe(ctx context.Context, server string, ev *protocol.Evidence, newFirst bool) error {
	olds := j.offered()
	newFirst = newFirst || j.account.Locks == 2 // what others have run up leaves no room for ours
	if newFirst && len(olds) > 0 {
		reply, err := j.Authority.Try(ctx, server, j.account, j.staged.Secret)
		if err != nil {
			return err
		}
		if ev.New = reply; reply != protocol.Accepted {
			return stopUnlessDead(protocol.Evidence{Server: server, New: reply})
		}
	}
	for n := 0; n == 0 || n < len(olds); n++ {
		if n < len(olds) {
			// Taken at its word: what makes a refusal mean something is the
			// good login straight after.
			reply, err := j.Authority.Offer(ctx, server, j.account, olds[n])
			if err != nil {
				return err
			}
			if ev.Old = reply; reply != protocol.Refused {
				return stopUnlessDead(*ev)
			}
		}
		if replaced, err := j.replacedBetween(ctx, server, ev.Changed, n < len(olds)); err != nil {
			return err
		} else if replaced {
			ev.New = protocol.Refused // without being asked
			return stopUnlessDead(*ev)
		}
		ev.New = protocol.NotAsked // what it said before the last wrong login is not its last word
		reply, err := j.accepts(ctx, server, n < len(olds))
		if err != nil {
			return err
		}
		if ev.New = reply; reply != protocol.Accepted {
			return stopUnlessDead(*ev)
		}
	}
	ev.At = evidenceTime(j.Now())
	return nil
}

// accepts asks whether the server takes the new value. used says that on this
// server it has logged in and carried out an operation in this look already, so
// that a login is enough.
func (j *job) accepts(ctx context.Context, server string, used bool) (protocol.Reply, error) {
	if !used {
		return j.Authority.Try(ctx, server, j.account, j.staged.Secret)
	}
	return j.offer(ctx, server, j.staged.Secret)
}

// offered are the old values that the proof offers: none where one refusal
// locks. Nor what never was the account's, where the authority shows that
// without a login: each is a wrong one, and where logins are counted the new
// value is looked up, which does not end the count.
func (j *job) offered() []credential.Secret {
	if j.account.Locks == 1 {
		return nil
	}
	if _, shows := kind.As[kind.Lookup](j.Authority); !shows {
		return j.olds
	}
	was := slices.DeleteFunc(slices.Clone(j.olds), func(old credential.Secret) bool {
		return !j.took(old) && (j.apartOnly(old) || slices.ContainsFunc(j.tried, old.Equal))
	})
	if len(was) == 0 && !j.weak() {
		return j.olds
	}
	return was
}

// stopUnlessDead words the answer that broke the proof off.
func stopUnlessDead(ev protocol.Evidence) error {
	if _, stop := protocol.Dead([]string{ev.Server}, []protocol.Evidence{ev}, ev.Old != protocol.NotAsked, nil); stop != nil {
		return stop
	}
	return &protocol.Stop{Reason: protocol.ReasonInternal, Server: ev.Server, Detail: "a proof was broken off for no reason"}
}

// replicaPatience is how long one credential waits by itself for a replica to
// follow, and all together for one that did not lately.
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

// named holds an account's name on a server against the one under which values
// are offered.
func (j *job) named(a kind.Account, server string) error {
	if a.Name == j.account.Name {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonInterrupted, Server: server, Detail: renamed}
}

const renamed = "the account was renamed or moved while it was worked on; the next pass reads it again"

func evidenceTime(at time.Time) string {
	return at.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z")
}

// maxUnanswered is how many proofs in a row may wait in vain for one server. It
// may take the whole of the directory's timeout each time.
const maxUnanswered = 3

// unresponsive counts, by server, how many proofs in a row had no answer.
type unresponsive struct {
	mu sync.Mutex
	by map[string]int
}

// of reports whether a server is not worth waiting for any more in this batch.
func (s *unresponsive) of(server string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by[server] >= maxUnanswered
}

// heard notes how a proof on a server ended, and returns err.
func (s *unresponsive) heard(server string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var stop *protocol.Stop
	if !errors.As(err, &stop) || stop.Reason != protocol.ReasonUnreachable {
		delete(s.by, server)
		return err
	}
	if s.by == nil {
		s.by = map[string]int{}
	}
	s.by[server]++
	return err
}
