package intruder

import (
	"sync"
	"sync/atomic"
	"time"
)

// Ways in.
const (
	Login   = "login"   // the stolen credential itself
	Session = "session" // a Vault token that it once gave, or a session of PostgreSQL that it once opened
	read    = "read"    // a value that was read in Vault: never in a result
)

// target is one credential at one server by one way, and what became of it.
type target struct {
	Stolen
	server, via string
	token       string // for a Session; in PostgreSQL a word that stands for it

	mu    sync.Mutex
	sum   Result
	out   bool // refused since the last success
	wrong *failures
	kept  bool   // a session was kept
	alarm *alarm // of its directory; nil where it has none
}

// leisure is the shortest pause between two tries of a value at a service whose
// directory takes it: nothing is learnt from them, and each is a login at two
// servers.
const leisure = 3 * time.Second

// alarm is what the directory of a value says of it. From its first refusal on
// services are tried in haste: how long they go on is what counts then.
type alarm struct {
	asked   atomic.Bool // the directory is tried too
	refused atomic.Bool
}

// calm: the directory has taken the value each time.
func (a *alarm) calm() bool { return a != nil && a.asked.Load() && !a.refused.Load() }

// failures are when a value was refused, at most the last quietAfter times. A
// service passes a login on to the directory behind it, so those of all
// services count for one account. A success at one of them ends nothing then:
// it may have come from a cache.
type failures struct {
	shared bool

	mu sync.Mutex
	at []time.Time
}

func (f *failures) add(at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = append(f.at, at)
	if len(f.at) > quietAfter {
		f.at = f.at[1:]
	}
}

func (f *failures) success() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.shared {
		f.at = nil
	}
}

// next is when one more may be risked.
func (f *failures) next() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return nextTry(f.at)
}

func newTarget(s Stolen, server, via string) *target {
	return &target{Stolen: s, server: server, via: via, wrong: &failures{},
		sum: Result{Type: typeResult, ID: s.ID, Server: server, Via: via}}
}

// keepSession is true once.
func (t *target) keepSession() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := !t.kept
	t.kept = true
	return first
}

func (t *target) result() Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sum
}

// note records one try that began at a time. changed says that the answer is
// another one than before.
func (t *target) note(a answer, detail string, began time.Time) (c Change, changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before, at := t.sum.State, Stamp{began}
	t.sum.Tries++
	t.sum.State, t.sum.Detail = string(a), detail
	switch a {
	case accepted:
		t.sum.Successes++
		t.sum.LastSuccess, t.sum.LastAnswer = at, at
		t.out = false
		t.wrong.success()
	case refused:
		if t.sum.FirstRefusal.IsZero() {
			t.sum.FirstRefusal = at
		}
		if t.Kind == LDAP && t.alarm != nil {
			t.alarm.refused.Store(true)
		}
		t.sum.LastAnswer = at
		t.out = true
		t.wrong.add(began)
	}
	return Change{Type: typeChange, ID: t.ID, Server: t.server, Via: t.via,
		From: before, To: string(a), Detail: detail, At: at}, before != string(a)
}

func (t *target) due(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.out {
		return t.Kind != Service || !t.alarm.calm() || now.Sub(t.sum.LastAnswer.Time) >= leisure
	}
	return !now.Before(t.wrong.next())
}

const (
	// quietAfter is how many refusals in a row are risked within quietTime.
	// With the one wrong password of a proof and the intruder's very last try
	// that makes five, the smallest limit in common use: Vault locks an AppRole
	// after 5 failures within 15 minutes
	// (developer.hashicorp.com/vault/docs/concepts/user-lockout).
	quietAfter = 3
	quietTime  = 15 * time.Minute
)

// nextTry is when a credential may be tried again, given its refusals since
// its last success, oldest first. Accepted ones are tried in every pass,
// refused ones with growing distance, and never more than quietAfter times
// within quietTime: a real intruder, too, keeps below the lock-out limit.
func nextTry(refusals []time.Time) time.Time {
	switch n := len(refusals); n {
	case 0:
		return time.Time{}
	case quietAfter:
		return refusals[0].Add(quietTime)
	default:
		return refusals[n-1].Add(time.Duration(n) * 3 * time.Second)
	}
}
