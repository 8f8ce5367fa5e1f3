package rotation

import (
	"math"
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

	stagedAt time.Time // when it was staged
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

const (
	// pathTTL is how long what the listing read of a path is taken to be so. It
	// counts towards preparedTTL as well.
	pathTTL = accountTTL
	// maxPaths bounds the values of a listing that are in memory.
	maxPaths = maxPrepared
)

// listedPath is a path as the listing read it.
type listedPath struct {
	live vault.Live
	read time.Time
}

// Listed notes what a listing read of a path. What is odd about it Prepare is
// to see for itself.
func (c *PreparedCache) Listed(campaign string, p credential.Path, live vault.Live, read time.Time) {
	if c != nil && live.Found && live.Problem == "" {
		c.paths.Add(cacheKey{campaign, p.String()}, listedPath{live, read})
	}
}

// ForgetListed drops what listings read that nobody came for in time.
func (c *PreparedCache) ForgetListed(now time.Time) {
	if c == nil {
		return
	}
	for _, key := range c.paths.Keys() {
		if p, ok := c.paths.Peek(key); ok && age(p.read, now) >= pathTTL {
			c.paths.Remove(key)
		}
	}
}

// takeListed gives, once, what a listing read of a path a moment ago.
func (c *PreparedCache) takeListed(campaign string, p credential.Path, now time.Time) (listedPath, bool) {
	if c == nil {
		return listedPath{}, false
	}
	key := cacheKey{campaign, p.String()}
	got, ok := c.paths.Peek(key)
	c.paths.Remove(key)
	return got, ok && age(got.read, now) < pathTTL
}
