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
	// relist is how often folders are listed anew, and recheck how often a token or a
	// place that was refused is tried again.
	relist  = 250 * time.Millisecond
	recheck = time.Second
	// most is the most values that are kept.
	most = 50_000
)

// Kinds of token that an eavesdropper holds.
const (
	ViaLogin    = "token" // of a login with what was stolen
	ViaSpelling = "token of another spelling"
	ViaChild    = "child token"
	ViaBatch    = "batch token"
	ViaOrphan   = "orphan token"
	ViaNew      = "token of a new value" // of a login with a value that it read
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

// vault is the server, whatever the way of logging in.
func (d *door) vault() doorKey { return doorKey{server: d.key.server, ca: d.key.ca} }

// stolenToken is one token and what it is good for.
type stolenToken struct {
	door    *door
	opener  *vaultOpener
	value   string
	of      *target // the login that it comes from
	via     string
	grown   bool // what can be made with it was made
	alive   bool
	looked  time.Time           // when it was last found dead
	denied  map[place]time.Time // when it was last refused there
	folders map[place]bool      // what its policies name
}

// value is one secret value that was read, once, wherever it lies.
type value struct {
	text   string
	first  Heard
	places []place
	names  []string // accounts that the secret says it belongs to
	roles  []string // role ids beside it
	tried  bool     // as a login to Vault, at once
}

// listen begins to eavesdrop; called again it only changes the pause.
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

// take gets the token of a good login and says whether it is kept: one for
// each login, and another one when that is dead.
func (e *ear) take(d *door, t *target, token string) bool {
	via := ViaLogin
	if t.via == read {
		via = ViaNew
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.on || e.ctx.Err() != nil {
		return false
	}
	for _, have := range e.tokens {
		if have.of == t && have.via == via && have.alive {
			return false
		}
	}
	e.hold(&stolenToken{door: d, value: token, of: t, via: via})
	return true
}

// hold adds a token. The lock is held.
func (e *ear) hold(t *stolenToken) {
	t.alive, t.opener = true, newVaultOpener(t.door)
	t.denied, t.folders = map[place]time.Time{}, map[place]bool{}
	e.tokens = append(e.tokens, t)
	e.listed = time.Time{} // it may see more
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

// pass reads everything once, each secret with one of the tokens that can, in turn.
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

// doubt finds out whether a refusal means the place or the token.
func (e *ear) doubt(ctx context.Context, t *stolenToken, p place) {
	a, _, _ := t.opener.call(ctx, "GET", "auth/token/lookup-self", t.value, nil)
	switch a {
	case refused:
		e.setAlive(t, false)
		// Perhaps the login still gives another one: a thief would not wait.
		if t.via == ViaLogin && t.of.due(time.Now()) {
			e.r.knock(ctx, t.door, t.of)
		}
	case accepted:
		t.denied[p] = time.Now()
	}
}

// askAgain looks at a dead token now and then: Vault may have been asked in a
// moment in which it refused everybody.
func (e *ear) askAgain(ctx context.Context, t *stolenToken) {
	if time.Since(t.looked) < recheck {
		return
	}
	a, _, _ := t.opener.call(ctx, "GET", "auth/token/lookup-self", t.value, nil)
	e.setAlive(t, a == accepted)
}

func (e *ear) setAlive(t *stolenToken, alive bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t.alive, t.looked = alive, time.Now()
}

// tell says once that everything was read.
func (e *ear) tell() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.told || len(e.values) == 0 {
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

func (e *ear) held() []*stolenToken {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.tokens)
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

// sum counts. The lock is held.
func (e *ear) sum() Eavesdropper {
	s := Eavesdropper{Type: typeEavesdropper, Tokens: len(e.tokens), Reads: e.reads, Values: len(e.values),
		Connections: len(e.kept), OwnPasswordSet: e.own}
	logins := map[string]bool{}
	for _, t := range e.tokens {
		logins[t.of.ID] = true
		if t.alive {
			s.TokensAlive++
			s.Alive = append(s.Alive, Held{t.of.ID, t.via, t.door.key.server})
		}
	}
	s.Logins = len(logins)
	for _, p := range e.places {
		if p.version > 0 {
			s.Places++
		}
	}
	for _, v := range e.order {
		if v.first.New {
			s.New++
		}
		if len(v.first.Opens) > 0 {
			s.InForce++
		}
	}
	for _, k := range e.kept {
		if k.open {
			s.ConnectionsOpen++
		}
	}
	return s
}

// report writes what was heard and the sum of it.
func (e *ear) report() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.on {
		return
	}
	for _, v := range e.order {
		if v.first.New || len(v.first.Opens) > 0 {
			e.r.out.write(v.first)
		}
	}
	e.r.out.write(e.sum())
}

func digest(text string) [32]byte { return sha256.Sum256([]byte(text)) }
