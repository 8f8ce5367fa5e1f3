package rotation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// The listing reads what each path of the roll holds, and Prepare would read it
// again moments later. What somebody changes in between is met all the same:
// Apply offers the value before it sets a new one, and where the account
// refuses it the paths are read again; and Activate compares the version that
// it writes over.

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

// readPrepared reads a path for Prepare. listed is when the listing read it, if
// that is taken for it.
func (r *Rotator) readPrepared(ctx context.Context, c credential.Credential, p credential.Path) (live vault.Live, listed time.Time, err error) {
	if got, ok := r.Cache.takeListed(r.Campaign, p, r.Now()); ok && r.Pass <= 1 {
		return got.live.Of(c.Users), got.read, nil
	}
	live, err = r.read(ctx, c, p, 0)
	return live, time.Time{}, err
}

// stillAsListed reads the paths again where the account did not accept what the
// listing read of one: if somebody has written that since, he may have written
// the value in force, and whose the path is must not be judged without it.
func (j *job) stillAsListed(ctx context.Context) error {
	if !j.listed || !slices.ContainsFunc(j.lives, func(l vault.Live) bool { return !standsFor(l.Value, j.inForce) }) {
		return nil
	}
	for i, p := range j.paths {
		now, err := j.read(ctx, j.c, p, 0)
		if err != nil {
			return err
		}
		if was := j.lives[i]; now.Version != was.Version || !now.Written.Equal(was.Written) {
			return &protocol.Stop{Reason: protocol.ReasonInterrupted, Detail: fmt.Sprintf("somebody wrote path %d of this credential after it was listed; nothing was set, and the next pass reads it", i+1)}
		}
	}
	return nil
}
