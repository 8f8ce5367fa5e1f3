package rotation

import (
	"math"
	"slices"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// PreparedCache keeps what Prepare read and staged, so that an Apply in the
// same process need not read it again. It is only an optimisation: on a miss
// (another process prepared, the entry was taken or is too old) Apply reads.
//
// It holds only credentials whose staging this process saw answered and of
// which an old value is known. Apply offers that value before it sets a new
// one, so a value that somebody else has set meanwhile is noticed.
//
// Safe for concurrent use; one cache serves all campaigns of a worker.
type PreparedCache struct {
	kept   *lru.Cache[cacheKey, prepared]
	proved *lru.Cache[cacheKey, proved]
	paths  *lru.Cache[cacheKey, listedPath]
}

// proved is an attempt that an Apply of this process proved dead.
type proved struct {
	attempt int
	at      time.Time
}

type cacheKey struct{ campaign, id string } // id of a credential, or a path

// prepared is what Prepare saw.
type prepared struct {
	staged  ownmount.Staged
	lives   []vault.Live
	account kind.Account
	at      time.Time // the oldest of it
	listed  bool      // lives are of the listing
}

const (
	preparedTTL = 30 * time.Second // the intents of a batch take well under a second
	maxPrepared = 4096             // more than a worker's batches in flight by default

	// provedTTL is less than the time after which a silent Clean is given to
	// another process (the heartbeat time-out of workflows/options.go). Clean
	// follows Apply, so until then nobody else can have cleaned, and no other
	// campaign can have staged: the entry is the one that was proved.
	provedTTL = 5 * time.Second
)

// NewPreparedCache gives an empty one.
func NewPreparedCache() *PreparedCache {
	kept, err := lru.New[cacheKey, prepared](maxPrepared)
	if err != nil {
		panic(err) // only for a size below one
	}
	done, err := lru.New[cacheKey, proved](maxPrepared)
	if err != nil {
		panic(err)
	}
	paths, err := lru.New[cacheKey, listedPath](maxPaths)
	if err != nil {
		panic(err)
	}
	return &PreparedCache{kept, done, paths}
}

// Proved notes that an attempt was proved dead. Call it when the Apply of the
// whole batch is over, and not later.
func (c *PreparedCache) Proved(campaign, id string, attempt int, at time.Time) {
	if c != nil {
		c.proved.Add(cacheKey{campaign, id}, proved{attempt, at})
	}
}

// takeProved reports, once, whether an attempt was proved so lately that its
// staging entry can be nobody else's.
func (c *PreparedCache) takeProved(campaign, id string, attempt int, now time.Time) bool {
	if c == nil {
		return false
	}
	key := cacheKey{campaign, id}
	p, ok := c.proved.Peek(key)
	c.proved.Remove(key)
	return ok && p.attempt == attempt && age(p.at, now) < provedTTL
}

func (c *PreparedCache) keep(campaign, id string, p prepared, now time.Time) {
	if c == nil || len(p.staged.Old) == 0 {
		return
	}
	// Values that nobody came for do not stay in memory. What is kept first was
	// not read first.
	for {
		key, oldest, ok := c.kept.GetOldest()
		if !ok || oldest.fresh(now) {
			break
		}
		c.kept.Remove(key)
	}
	c.kept.Add(cacheKey{campaign, id}, p)
}

// take gives what is kept for an attempt, once.
func (c *PreparedCache) take(campaign, id string, attempt int, now time.Time) (prepared, bool) {
	if c == nil {
		return prepared{}, false
	}
	key := cacheKey{campaign, id}
	p, ok := c.kept.Peek(key)
	c.kept.Remove(key)
	return p, ok && p.staged.Attempt == attempt && p.fresh(now)
}

func (p prepared) fresh(now time.Time) bool { return age(p.at, now) < preparedTTL }

// age is by the wall clock, because the monotonic one stands still while a
// machine is suspended. Of what comes from the future nothing is known: it is
// as old as can be.
func age(at, now time.Time) time.Duration {
	d := now.Round(0).Sub(at.Round(0))
	if d < 0 {
		return math.MaxInt64
	}
	return d
}

// forget drops what is kept: a try that is not the first one looks for itself.
func (c *PreparedCache) forget(campaign, id string) {
	if c != nil {
		c.kept.Remove(cacheKey{campaign, id})
	}
}

// olds are the values that the paths held when they were read, and what of
// other accounts' opens this one.
func (p prepared) olds(paths []credential.Path, alike []credential.PathVersion) []credential.Secret {
	var out []credential.Secret
	for _, path := range paths {
		out = append(out, p.staged.Old[path.String()])
	}
	for _, at := range alike {
		out = append(out, p.staged.Old[at.String()])
	}
	return out
}

// fromPrepare takes over what Prepare saw a moment ago in this process, if it
// is there.
func (j *job) fromPrepare(fresh bool) bool {
	if !fresh {
		j.Cache.forget(j.Campaign, j.c.ID)
		return false
	}
	p, ok := j.Cache.take(j.Campaign, j.c.ID, j.intended, j.Now())
	if !ok {
		return false
	}
	j.staged, j.lives, j.account, j.handed, j.listed = p.staged, slices.Clone(p.lives), p.account, true, p.listed
	j.paths, j.inForce = j.c.Paths, credential.Secret{}
	j.out.Attempt, j.out.From = p.staged.Attempt, versions(j.paths, p.staged.Base)
	j.recordedPlaces()
	for _, old := range p.olds(j.c.Paths, j.c.Alike) {
		j.addOld(old)
	}
	j.addOthers()
	j.oddLast()
	return true
}
