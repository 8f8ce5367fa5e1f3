package inventory

import (
	"context"
	"net/http"
	"sync"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/vault"
)

// An engine of Vault keeps as many passwords as somebody gave it, each in an
// entry of its own that Vault shows one at a time (a list has names alone). So
// they are read beside the rest of a listing, and one that comes within moments
// takes over what was read ahead of it.

// Kept are such readings ahead. Safe for concurrent use; nil shares nothing.
type Kept struct {
	ttl time.Duration // how long after its beginning a reading serves another look

	mu    sync.Mutex
	known map[string]*keptReading // by path of the folder
}

// NewKept gives one for a process, which has one login to Vault.
func NewKept() *Kept { return &Kept{ttl: keptTTL, known: map[string]*keptReading{}} }

// keptTTL is that of a process.
const keptTTL = 5 * time.Second

// keptReading is one reading of a folder, which may be under way.
type keptReading struct {
	began time.Time
	done  chan struct{}

	entries []keptEntry
	known   bool // our login may list all of it
	err     error
}

// keptEntry is one entry of a folder.
type keptEntry struct {
	name  string
	shown bool           // our login may read it
	data  map[string]any // nil: it is gone since it was listed
}

// folder reads the entries of a folder of an engine, of each the fields that
// are asked for.
func (k *Kept) folder(ctx context.Context, l *lister, at string, fields ...string) ([]keptEntry, bool, error) {
	if k == nil {
		return l.readKept(ctx, at, fields)
	}
	r, mine := k.share(at)
	if mine {
		r.entries, r.known, r.err = l.readKept(ctx, at, fields)
		if r.err != nil {
			k.drop(at, r) // whoever waited reads by himself: it may have been broken off
		}
		close(r.done)
		return r.entries, r.known, r.err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	k.drop(at, r) // it serves one look, and takes no memory after that
	if r.err != nil {
		return l.readKept(ctx, at, fields)
	}
	return r.entries, r.known, nil
}

// share gives the reading of a folder, and whether the caller has to make it.
func (k *Kept) share(at string) (r *keptReading, mine bool) {
	// By the wall clock: the other one stands still while a machine is
	// suspended.
	now := time.Now().Round(0)
	k.mu.Lock()
	defer k.mu.Unlock()
	if r := k.known[at]; r != nil && now.Sub(r.began).Abs() < k.ttl {
		return r, false
	}
	r = &keptReading{began: now, done: make(chan struct{})}
	k.known[at] = r
	time.AfterFunc(k.ttl, func() { k.drop(at, r) })
	return r, true
}

// Since is when the oldest reading began that serves a look which begins now.
func (k *Kept) Since(now time.Time) time.Time {
	if k == nil {
		return now
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.known {
		if r.began.Before(now) {
			now = r.began
		}
	}
	return now
}

func (k *Kept) drop(at string, r *keptReading) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known[at] == r {
		delete(k.known, at)
	}
}

// readKept lists a folder and reads what is in it.
func (l *lister) readKept(ctx context.Context, at string, fields []string) ([]keptEntry, bool, error) {
	names, known, err := l.namesBelow(ctx, at, "")
	if err != nil {
		return nil, false, err
	}
	out := make([]keptEntry, len(names))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(looksAtOnce)
	for i, name := range names {
		g.Go(func() (err error) {
			out[i], err = keptIn(gctx, l.vault.API(), at, name, fields)
			return err
		})
	}
	return out, known, g.Wait()
}

func keptIn(ctx context.Context, api *vaultapi.Client, at, name string, fields []string) (keptEntry, error) {
	got, err := vault.ReadSecret(ctx, api, at+"/"+name, nil)
	switch {
	case vault.Answered(err, http.StatusForbidden):
		return keptEntry{name: name}, nil
	case err != nil:
		return keptEntry{}, vaultError("read", at, err) // its text may name a role
	case got == nil:
		return keptEntry{name: name, shown: true}, nil
	}
	e := keptEntry{name: name, shown: true, data: make(map[string]any, len(fields))}
	for _, field := range fields {
		if v, has := got.Data[field]; has {
			e.data[field] = v
		}
	}
	return e, nil
}

// ReadAhead reads what the engines of Vault keep for a listing that begins in a
// moment, while whoever will make it waits for something else. No directory is
// asked. What goes wrong here the listing meets as well.
func (k *Kept) ReadAhead(ctx context.Context, c *config.Campaign, v Vault) {
	l := newLister(ctx, c, Authorities{Kept: k}, v)
	defer l.end()
	if l.engineUses(l.ctx) == nil {
		_ = l.reads.Wait()
	}
}
