package gate

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// weather is a Vault that takes writes, or some, or none, and the credentials
// that are set and not activated.
type weather struct {
	mu        sync.Mutex
	err       vault.ErrorKind        // of every write; "" for none
	lost      func(path string) bool // whose rights on the live paths are gone
	admitted  func(path string) bool // though the rights are there, such a write is refused
	throttled bool
	cut       map[string]bool
	versions  map[string]int
	most      int
	probes    int
	looks     int
}

func (w *weather) fault(kind vault.ErrorKind, path string) *vault.Error {
	return &vault.Error{Op: "activate a new value", Path: "kv/data/" + path, Server: "vault", Kind: kind}
}

func (w *weather) Probe(context.Context) error {
	time.Sleep(10 * time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.probes++
	if w.err != "" {
		return w.fault(w.err, "staging")
	}
	return nil
}

func (w *weather) MayWrite(_ context.Context, paths []credential.Path, _ []int) error {
	time.Sleep(10 * time.Millisecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	if w.err != "" {
		return w.fault(w.err, "sys")
	}
	if w.lost != nil && w.lost(paths[0].Path) {
		return w.fault(vault.PermissionDenied, paths[0].Path)
	}
	return nil
}

func (w *weather) EndsSoon(time.Duration) *protocol.Stop { return nil }

func (w *weather) Throttled() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.throttled
}

func (w *weather) ReadLive(_ context.Context, p credential.Path, _ int) (vault.Live, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != "" {
		return vault.Live{}, w.fault(w.err, p.Path)
	}
	return vault.Live{Version: w.versions[p.Path]}, nil
}

func (w *weather) set(path string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[path] = true
	w.most = max(w.most, len(w.cut))
}

func (w *weather) activate(path string) *vault.Error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.err != "":
		return w.fault(w.err, path)
	case w.lost != nil && w.lost(path):
		return w.fault(vault.PermissionDenied, path)
	case w.admitted != nil && !w.admitted(path):
		return w.fault(vault.NotFound, path)
	}
	delete(w.cut, path)
	w.versions[path]++
	return nil
}

// gated is a directory with slots, worked on in passes as a wave does.
type gated struct {
	*weather
	gate  *Gate
	slots int
	todo  []string
	stops map[string]protocol.Reason
}

func newGated(slots, n int) *gated {
	g := &gated{weather: &weather{cut: map[string]bool{}, versions: map[string]int{}}, slots: slots}
	g.gate = NewGate(g.weather)
	for i := range n {
		path := fmt.Sprintf("apps/svc%02d", i)
		g.versions[path] = 1
		g.todo = append(g.todo, path)
	}
	return g
}

// pass works through what is open, with those first that are cut off.
func (g *gated) pass(ctx context.Context) {
	var order []string
	for _, first := range []bool{true, false} {
		for _, path := range g.todo {
			if g.cut[path] == first {
				order = append(order, path)
			}
		}
	}
	g.stops, g.todo = map[string]protocol.Reason{}, nil
	next := make(chan string)
	var workers sync.WaitGroup
	var mu sync.Mutex
	for range g.slots {
		workers.Go(func() {
			for path := range next {
				if stop := g.one(ctx, path); stop != nil {
					mu.Lock()
					g.stops[path] = stop.Reason
					g.todo = append(g.todo, path)
					mu.Unlock()
				}
			}
		})
	}
	for _, path := range order {
		next <- path
	}
	close(next)
	workers.Wait()
}

func (g *gated) one(ctx context.Context, path string) *protocol.Stop {
	at := Places{Paths: []credential.Path{{Mount: "kv", Path: path, Field: "password"}}}
	g.mu.Lock()
	set := g.cut[path]
	at.Versions = []int{g.versions[path]}
	g.mu.Unlock()
	if !set {
		if stop := g.gate.Enter(ctx, path, at, g.slots); stop != nil {
			return stop
		}
		defer g.gate.Leave(path)
		time.Sleep(rand.N(20 * time.Millisecond))
		g.set(path)
	}
	time.Sleep(rand.N(20 * time.Millisecond))
	if err := g.activate(path); err != nil {
		kind := Specific
		if err.General() {
			kind = General
		} else if err.Kind == vault.PermissionDenied {
			kind = Denied
		}
		g.gate.Failed(path, at, err.Stop(), kind)
		return &protocol.Stop{Reason: protocol.ReasonNotActive}
	}
	g.gate.Activated(path, true)
	return nil
}

func (g *gated) turns(do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	do()
}

// Vault may come and go as it likes, and rights with it.
func TestHoweverVaultComesAndGoesNoMoreAreCutOffThanThereAreConnections(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		slots, n := rapid.IntRange(1, 8).Draw(r, "slots"), rapid.IntRange(1, 40).Draw(r, "credentials")
		kinds := rapid.SampledFrom([]vault.ErrorKind{"", "", vault.Sealed, vault.Unreachable, vault.Throttled, vault.TokenExpired})
		synctest.Test(t, func(t *testing.T) {
			g := newGated(slots, n)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan struct{})
			go func() {
				defer close(done)
				for range rapid.IntRange(0, 12).Draw(r, "changes") {
					time.Sleep(time.Duration(rapid.IntRange(1, 3000).Draw(r, "after ms")) * time.Millisecond)
					kind := kinds.Draw(r, "Vault")
					g.turns(func() { g.err, g.throttled = kind, kind == vault.Throttled })
				}
				time.Sleep(time.Second)
				g.turns(func() { g.err, g.throttled = "", false })
			}()
			for pass := 0; len(g.todo) > 0; pass++ {
				if pass > 300 {
					r.Fatalf("%d never came to an end: %v", len(g.todo), g.stops)
				}
				g.pass(ctx)
				time.Sleep(500 * time.Millisecond)
			}
			<-done
			cancel()
			if g.most > slots {
				r.Fatalf("%d were cut off at once, and there are %d connections", g.most, slots)
			}
		})
	})
}

func TestThoseWhosePathsMayBeWrittenGoOnWhereOthersLostARight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated(4, 40)
		g.lost = func(path string) bool { return path[len(path)-1]%2 == 1 }
		g.pass(t.Context())
		g.pass(t.Context())
		require.Len(t, g.todo, 20)
		require.LessOrEqual(t, len(g.cut), 4)
		for path, reason := range g.stops {
			if g.cut[path] {
				require.Equal(t, protocol.ReasonNotActive, reason)
			} else {
				require.Equal(t, protocol.ReasonVaultRights, reason)
			}
		}
		g.lost = nil
		g.pass(t.Context())
		require.Empty(t, g.todo)
	})
}

// Vault's answer to one path says nothing of another, but what it says to each
// may be the same.
func TestAPathThatVaultDoesNotTakeHoldsUpNobodyElse(t *testing.T) {
	for slots := 1; slots <= 4; slots++ {
		synctest.Test(t, func(t *testing.T) {
			g := newGated(slots, 30)
			g.admitted = func(path string) bool { return path != "apps/svc03" }
			for range 3 {
				g.pass(t.Context())
				time.Sleep(2 * time.Second)
			}
			require.Equal(t, []string{"apps/svc03"}, g.todo, "%d slots", slots)

			g = newGated(slots, 30)
			g.admitted = func(string) bool { return false }
			for range 10 {
				g.pass(t.Context())
				time.Sleep(2 * time.Second)
			}
			require.LessOrEqual(t, g.most, max(slots, 2), "%d slots", slots)
		})
	}
}

// In the plain case the gate asks Vault for nothing.
func TestAnOpenGateCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated(4, 40)
		g.pass(t.Context())
		require.Empty(t, g.todo)
		require.Zero(t, g.probes+g.looks)
	})
}

func TestWhileVaultThrottlesOneCredentialIsSetAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated(8, 40)
		g.throttled = true
		g.pass(t.Context())
		require.Empty(t, g.todo)
		require.Equal(t, 1, g.most)
	})
}

// What another worker has activated is no debt of this one.
func TestADebtThatSomebodyElsePaidIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGated(2, 10)
		g.err = vault.Sealed
		g.gate.asked = time.Now().Add(-time.Hour)
		g.pass(t.Context())
		require.Len(t, g.cut, 2)
		g.err = ""
		for path := range g.cut {
			g.versions[path]++
			delete(g.cut, path)
		}
		var rest []string
		for _, path := range g.todo {
			if g.versions[path] == 1 {
				rest = append(rest, path)
			}
		}
		g.todo = rest
		// Whoever comes while one asks about the debts is sent away, and comes
		// again.
		for range 2 {
			time.Sleep(2 * time.Second)
			g.pass(t.Context())
		}
		require.Empty(t, g.todo)
	})
}
