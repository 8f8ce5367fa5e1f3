// Package gate keeps new values from being set where they could not be used:
// while Vault does not take what is set (Gate), and at a directory where one
// that was set does not work (Brake). Neither knows how a credential is
// rotated: each is told who wants in, and what became of it.
package gate

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// Gate keeps new values from being set while Vault does not take writes: what
// is set and cannot be activated cuts its consumers off. It is shut by a write
// that Vault did not take and opens when Vault has taken one again. All batches
// of a process go through one; nil is always open.
//
// However Vault fails, and for however long, no more credentials are set and
// not activated than a directory has connections: each of them is in a slot of
// its own (Rotator.Slots) when the gate shuts, and those that are behind it
// count.
type Gate struct {
	vault Writable

	mu      sync.Mutex
	shut    bool
	why     *protocol.Stop     // of the last failure
	asked   time.Time          // when Vault was last asked in vain
	counted time.Time          // when the debts were last looked at in vain
	inside  map[string]entered // neither activated nor given up yet
	owed    map[string]debt    // set, and not activated because of Vault
	changed chan struct{}      // closed when any of these is another

	settings time.Time // when a secret was last seen to delete what the listing said it would keep
}

// Writable is what the gate asks of Vault. *ownmount.Store is the real one.
type Writable interface {
	// Probe writes to a place of our own.
	Probe(ctx context.Context) error
	// MayWrite asks for our rights on live paths at their versions.
	MayWrite(ctx context.Context, paths []credential.Path, versions []int) error
	// EndsSoon says why our login will not last for as long as need, or is nil.
	EndsSoon(need time.Duration) *protocol.Stop
	// Throttled reports whether a rate limit turned us away a moment ago.
	Throttled() bool
	ReadLive(ctx context.Context, p credential.Path, version int) (vault.Live, error)
}

// Places are the live paths that take part in a rotation, and their versions.
type Places struct {
	Paths    []credential.Path
	Versions []int
}

// entered is a credential that was let in.
type entered struct {
	at     time.Time
	looked bool // its rights were asked for
}

// debt is a credential whose consumers are cut off.
type debt struct {
	Places // as they were then
	why    DebtKind
	since  time.Time
}

// DebtKind is why Vault did not take a write.
type DebtKind int

// Kinds of debt.
const (
	General  DebtKind = iota // Vault took no write, whoever's it was
	Specific                 // Vault did not take this write, and perhaps takes another
	Denied                   // a right on this path is missing: others are asked about before
	isolated                 // as Specific, and one that was let in after it was activated
)

// RoomToActivate is what Set, Verify and Activate may take when servers are
// slow. Begun with less, they could be broken off in between.
const RoomToActivate = 30 * time.Second

const (
	// askAgain is how long the answer holds that Vault takes no writes.
	askAgain = time.Second
	// waitsFor is how long a credential waits for one that tries Vault.
	waitsFor = 30 * time.Second
	// debtTTL is how long a debt counts that is not met again. Each pass meets
	// it again, and retry_max is five minutes by default; another worker or
	// campaign may have paid it.
	debtTTL = 15 * time.Minute
	// debtFirst is how long nothing is tried but to activate what is set.
	// Longer than from one pass to the next, and not for ever: its directory
	// may be down by now.
	debtFirst = time.Minute
)

// NewGate gives an open gate.
func NewGate(v Writable) *Gate {
	return &Gate{vault: v, inside: map[string]entered{}, owed: map[string]debt{}, changed: make(chan struct{})}
}

// Enter lets a credential to Set, or says why not: nothing was changed then.
// Whoever was let in leaves by leave, activated or failed.
func (g *Gate) Enter(ctx context.Context, id string, at Places, slots int) *protocol.Stop {
	if g == nil {
		return nil
	}
	patience, cancel := context.WithTimeout(ctx, waitsFor)
	defer cancel()
	for {
		if ends := g.vault.EndsSoon(RoomToActivate); ends != nil {
			return notSet(ends)
		}
		verdict, changed := g.turn(id, slots)
		switch verdict {
		case goIn:
			if vault.Oddly(at.Paths) {
				return g.look(ctx, id, at) // the look before the campaign could not ask for these
			}
			return nil
		case goInIfAllowed:
			return g.look(ctx, id, at)
		case tryVault:
			return g.try(ctx, id, at)
		case askDebts:
			if !g.paid(ctx) {
				return notSet(g.reason())
			}
		case sentAway:
			return notSet(g.reason())
		case waits:
			select {
			case <-changed:
			case <-patience.Done():
				return notSet(g.reason())
			}
		}
	}
}

type verdict int

const (
	goIn          verdict = iota
	goInIfAllowed         // after a look at our rights on its paths
	tryVault              // as the one that finds out whether Vault takes writes again
	askDebts              // as many as there are slots are cut off: are they still?
	sentAway
	waits
)

// turn decides about one that wants in, and counts it as inside if it may go
// in.
func (g *Gate) turn(id string, slots int) (verdict, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	cutOff, lately, careful := g.cutOff(id)
	full := cutOff > 0 && len(g.inside)+cutOff >= slots || g.shut && lately
	switch {
	case len(g.inside) > 0 && (g.shut || full || g.vault.Throttled()):
		return waits, g.changed
	case full && time.Since(g.counted) < askAgain, g.shut && time.Since(g.asked) < askAgain:
		return sentAway, nil
	case full:
		g.counted = time.Now()
		return askDebts, nil
	}
	g.inside[id] = entered{time.Now(), g.shut || careful}
	switch {
	case g.shut:
		return tryVault, nil
	case careful:
		return goInIfAllowed, nil
	}
	return goIn, nil
}

// cutOff counts the debts of others than id that may grow. lately says that one
// of them is to be activated first: it is tried with each pass. careful says
// that rights on some paths are missing. A debt that is specific must not hold
// up all others where there is one slot.
func (g *Gate) cutOff(me string) (n int, lately, careful bool) {
	generals := 0
	for id, d := range g.owed {
		switch {
		case id == me:
		case time.Since(d.since) > debtTTL:
			delete(g.owed, id)
		case d.why == Denied:
			careful = true
		case d.why == General:
			generals++
			n++
			lately = lately || time.Since(d.since) < debtFirst
		case d.why == Specific:
			n++
		}
	}
	if n == 1 && generals == 0 {
		n = 0
	}
	return n, lately, careful
}

// try finds out whether Vault takes writes. The gate stays shut until the
// credential that did it is activated.
func (g *Gate) try(ctx context.Context, id string, at Places) *protocol.Stop {
	if err := g.vault.Probe(ctx); err != nil {
		why := protocol.AsStop(err)
		g.change(func() {
			delete(g.inside, id)
			g.why, g.asked = why, time.Now()
		})
		return notSet(why)
	}
	return g.look(ctx, id, at)
}

// look sends away a credential whose paths may not be written.
func (g *Gate) look(ctx context.Context, id string, at Places) *protocol.Stop {
	err := g.vault.MayWrite(ctx, at.Paths, at.Versions)
	if err == nil {
		return nil
	}
	g.Leave(id)
	return notSet(protocol.AsStop(err))
}

// paid forgets the debts of credentials whose paths somebody has written since,
// and reports whether there were any.
func (g *Gate) paid(ctx context.Context) bool {
	g.mu.Lock()
	owed := maps.Clone(g.owed)
	g.mu.Unlock()
	some := false
	for id, d := range owed {
		for i, p := range d.Paths {
			if live, err := g.vault.ReadLive(ctx, p, 0); err == nil && live.Version > d.Versions[i] {
				g.change(func() { delete(g.owed, id) })
				some = true
				break
			}
		}
	}
	return some
}

// Leave is for one that was let in and is not between Set and Activate because
// of Vault.
func (g *Gate) Leave(id string) {
	if g != nil {
		g.change(func() { delete(g.inside, id) })
	}
}

// Activated is for one whose paths hold what is in force; wrote says that Vault
// has just taken it.
func (g *Gate) Activated(id string, wrote bool) {
	if g == nil {
		return
	}
	g.change(func() {
		in := g.inside[id]
		delete(g.inside, id)
		delete(g.owed, id)
		if !wrote {
			return
		}
		g.shut, g.why = false, nil
		for id, d := range g.owed {
			if d.why == Specific && in.at.After(d.since) {
				d.why = isolated
				g.owed[id] = d
			}
		}
	})
}

// Failed is for one that is set and that Vault did not take.
func (g *Gate) Failed(id string, at Places, why *protocol.Stop, kind DebtKind) {
	if g == nil {
		return
	}
	g.change(func() {
		had, met := g.owed[id]
		switch {
		case kind == Denied && g.inside[id].looked:
			kind = Specific // the right was there when it was asked for
		case kind == Specific && met && had.why == isolated:
			kind = isolated
		}
		delete(g.inside, id)
		g.owed[id] = debt{Places: at, why: kind, since: time.Now()}
		g.shut, g.why = g.shut || kind != isolated, why
	})
}

// Refused takes note of a write before Set that Vault did not take.
func (g *Gate) Refused(err error) {
	var e *vault.Error
	if g != nil && errors.As(err, &e) && e.General() {
		g.change(func() { g.shut, g.why = true, e.Stop() })
	}
}

func (g *Gate) reason() *protocol.Stop {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.why != nil {
		return g.why
	}
	return &protocol.Stop{Reason: protocol.ReasonVault, Detail: "others that were set before it could not be activated"}
}

func (g *Gate) change(do func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	do()
	close(g.changed)
	g.changed = make(chan struct{})
}

// notSet words why a credential was left as it is.
func notSet(why *protocol.Stop) *protocol.Stop {
	return &protocol.Stop{Reason: why.Reason, Server: why.Server, Detail: "it was not set, because nobody could read it afterwards: " + why.Detail}
}
