package rotation

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// progress is how far looks came at a door about what a person has changed,
// with these very values. This process alone knows it: another one begins anew.
type progress struct {
	values [sha256.Size]byte      // keyed with what no other process has
	last   time.Time              // when a look came further
	done   map[int]int            // looks, by old value and form
	whole  *protocol.DoorEvidence // of a door that gave its whole proof
}

// progressFor is how long what a door showed counts in a later look.
const progressFor = 12 * time.Hour

// seal keys what progress knows values by.
var seal = func() (key [sha256.Size]byte) { _, _ = rand.Read(key[:]); return key }()

// looks is how often the old value of that number was refused already.
func (p *progress) looks(old int) int {
	if p == nil {
		return 0
	}
	return p.done[old]
}

// looked notes that it was, between two good logins.
func (p *progress) looked(old int) {
	if p != nil {
		p.done[old]++
	}
}

// showed notes what a look came to. Only one that broke off for the account's
// sake goes on where it was; whatever else stopped it, the door is asked anew.
func (p *progress) showed(ev protocol.DoorEvidence, stop *protocol.Stop, now time.Time) {
	p.last = now
	switch {
	case stop != nil && stop.Reason == protocol.ReasonNearLock:
	case stop == nil && ev.Open(ev.Old != protocol.NotAsked) == nil:
		p.whole = &ev
	default:
		p.done, p.whole = map[int]int{}, nil
	}
}

// sealed is what values are known by here; looks tells askings of the same ones
// apart.
func sealed(looks int, value credential.Secret, olds []credential.Secret) [sha256.Size]byte {
	h := hmac.New(sha256.New, seal[:])
	h.Write([]byte{byte(looks)})
	for _, v := range append([]credential.Secret{value}, olds...) {
		sum := sha256.Sum256([]byte(v.Reveal()))
		h.Write(sum[:])
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// progress is that of a door with these values and so many looks, or a new one.
func (r *Refusals) progress(campaign, id, door string, looks int, value credential.Secret, olds []credential.Secret, now time.Time) *progress {
	fresh := &progress{values: sealed(looks, value, olds), last: now, done: map[int]int{}}
	if r == nil {
		return fresh
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	key := [3]string{campaign, id, door}
	if had := r.came[key]; had != nil && had.values == fresh.values && now.Sub(had.last) < progressFor {
		return had
	}
	if r.came == nil {
		r.came = map[[3]string]*progress{}
	}
	r.came[key] = fresh
	return fresh
}

// Forget has a door asked anew about a task.
func (r *Refusals) Forget(campaign, id, door string) {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.came, [3]string{campaign, id, door})
}

// behind is what doors of a task showed that were asked although one before
// them was open, so that each that takes the stolen value is named.
type behind struct {
	values [sha256.Size]byte
	at     time.Time
	ev     map[string]protocol.DoorEvidence
}

// behindFor is how long they are not asked again behind an open door, and one
// that refused the new value not at all: that look is made again soon, and
// nobody counts what it costs the account.
const behindFor = time.Hour

// Behind is what doors of a task showed in a look of the last hour that found
// one before them open, with these very values. asked: there was such a look.
func (a DoorAsker) Behind(id string, value credential.Secret, olds []credential.Secret) (ev map[string]protocol.DoorEvidence, asked bool) {
	if a.Refusals == nil {
		return nil, false
	}
	a.Refusals.mu.Lock()
	defer a.Refusals.mu.Unlock()
	had, has := a.Refusals.behind[[2]string{a.Campaign, id}]
	if !has || had.values != sealed(0, value, olds) || a.Now().Sub(had.at) >= behindFor {
		return nil, false
	}
	return had.ev, true
}

// NoteBehind keeps that for an hour. Nobody changes ev afterwards.
func (a DoorAsker) NoteBehind(id string, value credential.Secret, olds []credential.Secret, ev map[string]protocol.DoorEvidence) {
	if a.Refusals == nil {
		return
	}
	a.Refusals.mu.Lock()
	defer a.Refusals.mu.Unlock()
	if a.Refusals.behind == nil {
		a.Refusals.behind = map[[2]string]behind{}
	}
	a.Refusals.behind[[2]string{a.Campaign, id}] = behind{sealed(0, value, olds), a.Now(), ev}
}
