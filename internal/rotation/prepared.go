package rotation

import (
	"math"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/vault"
)

// Hand caches what Prepare read and staged, so that an Apply in the same process
// need not read it again. It is only an optimisation: on a miss (another process
// prepared, the entry was taken or is too old) Apply reads.
//
// It holds only credentials whose staging this process saw answered and of which
// an old value is known. Apply offers that value before it sets a new one, so a
// value that somebody else has set meanwhile is noticed.
//
// Safe for concurrent use; one Hand serves all campaigns of a worker.
type Hand struct {
	kept   *lru.Cache[handKey, inHand]
	proved *lru.Cache[handKey, proved]
}

// proved is an attempt that an Apply of this process proved dead.
type proved struct {
	attempt int
	at      time.Time
}

type handKey struct{ campaign, id string }

// inHand is what Prepare saw.
type inHand struct {
	staged  vault.Staged
	lives   []vault.Live
	account kind.Account
	at      time.Time
}

const (
	handHolds = 30 * time.Second // the intents of a batch take well under a second
	handMost  = 4096             // more than a worker's batches in flight by default

	// provedHolds is less than the time after which a silent Clean is given to
	// another process (the heartbeat time-out of workflows/options.go). Clean follows
	// Apply, so until then nobody else can have cleaned, and no other campaign can
	// have staged: the entry is the one that was proved.
	provedHolds = 5 * time.Second
)

// NewHand gives an empty hand.
func NewHand() *Hand {
	kept, err := lru.New[handKey, inHand](handMost)
	if err != nil {
		panic(err) // only for a size below one
	}
	done, err := lru.New[handKey, proved](handMost)
	if err != nil {
		panic(err)
	}
	return &Hand{kept, done}
}

// Proved notes that an attempt was proved dead. Call it when the Apply of the
// whole batch is over, and not later.
func (h *Hand) Proved(campaign, id string, attempt int, at time.Time) {
	if h != nil {
		h.proved.Add(handKey{campaign, id}, proved{attempt, at})
	}
}

// takeProved reports, once, whether an attempt was proved so lately that its
// staging entry can be nobody else's.
func (h *Hand) takeProved(campaign, id string, attempt int, now time.Time) bool {
	if h == nil {
		return false
	}
	key := handKey{campaign, id}
	p, ok := h.proved.Peek(key)
	h.proved.Remove(key)
	return ok && p.attempt == attempt && age(p.at, now) < provedHolds
}

func (h *Hand) keep(campaign, id string, p inHand) {
	if h == nil || len(p.staged.Old) == 0 {
		return
	}
	// Values that nobody came for do not stay in memory.
	for {
		key, oldest, ok := h.kept.GetOldest()
		if !ok || oldest.fresh(p.at) {
			break
		}
		h.kept.Remove(key)
	}
	h.kept.Add(handKey{campaign, id}, p)
}

// take gives what is kept for an attempt, once.
func (h *Hand) take(campaign, id string, attempt int, now time.Time) (inHand, bool) {
	if h == nil {
		return inHand{}, false
	}
	key := handKey{campaign, id}
	p, ok := h.kept.Peek(key)
	h.kept.Remove(key)
	return p, ok && p.staged.Attempt == attempt && p.fresh(now)
}

func (p inHand) fresh(now time.Time) bool { return age(p.at, now) < handHolds }

// age is by the wall clock, because the monotonic one stands still while a machine is
// suspended. Of what comes from the future nothing is known: it is as old as can be.
func age(at, now time.Time) time.Duration {
	d := now.Round(0).Sub(at.Round(0))
	if d < 0 {
		return math.MaxInt64
	}
	return d
}

// forget drops what is kept: a try that is not the first one looks for itself.
func (h *Hand) forget(campaign, id string) {
	if h != nil {
		h.kept.Remove(handKey{campaign, id})
	}
}

// olds are the values that the paths held when they were read.
func (p inHand) olds(paths []credential.Path) []credential.Secret {
	var out []credential.Secret
	for _, path := range paths {
		out = append(out, p.staged.Old[path.String()])
	}
	return out
}

// inHand takes over what Prepare saw a moment ago in this process, if it is there.
func (j *job) inHand(fresh bool) bool {
	if !fresh {
		j.Hand.forget(j.Campaign, j.c.ID)
		return false
	}
	p, ok := j.Hand.take(j.Campaign, j.c.ID, j.intended, j.Now())
	if !ok {
		return false
	}
	j.staged, j.lives, j.account, j.handed = p.staged, slices.Clone(p.lives), p.account, true
	j.paths, j.inForce = j.c.Paths, credential.Secret{}
	j.out.Attempt, j.out.From = p.staged.Attempt, versions(j.paths, p.staged.Base)
	j.recordedPlaces()
	for _, old := range p.olds(j.c.Paths) {
		j.addOld(old)
	}
	j.oddLast()
	return true
}
