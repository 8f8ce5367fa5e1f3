package judge

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"rollcall/internal/evidence/event"
)

// A burst is BurstOf refused logins and more, none of them more than BurstGap
// behind the one before: from one address, or of one account from several.
const (
	BurstOf  = 10
	BurstGap = 2 * time.Minute

	maxTrails = 50_000 // addresses and accounts that are followed at a time
	maxNames  = 1_000  // told apart in one burst
	maxBursts = 10_000

	maxLiveTrails = 5_000 // the same, of logs that are followed for weeks
	maxLiveNames  = 64
	// manyAccounts and manyAddresses are no one consumer's.
	manyAccounts  = 5
	manyAddresses = 3
)

type bursts struct {
	byAddress *simplelru.LRU[trailKey, *trail]
	byAccount *simplelru.LRU[trailKey, *trail]
	found     []burst
	more      int

	names int // told apart in one burst
	// grew is told of a burst with each login of it, as it goes on; nil where
	// bursts are told when they are over.
	grew func(b burst, t *trail, seen Sighting)
}

type trailKey struct {
	address netip.Addr
	server  string
	account name
}

// trail is a row of refused logins that is not over.
type trail struct {
	count       int
	first, last time.Time
	accounts    set[name]
	addresses   set[netip.Addr]
	seen        []Sighting
	letIn       *Sighting
	indicator   string
	said        int    // of count, whose address is what the client says
	ofDevice    int    // of count, whose line the device itself wrote
	ofUsual     int    // of count, from a place that is said to be usual
	letInBy     place  // whose place letIn is
	toldAs      string // of one that goes on
}

type burst struct {
	trailKey
	trail
	ofAccount bool
}

func newBursts() *bursts {
	b := &bursts{names: maxNames}
	b.byAddress, _ = simplelru.NewLRU(maxTrails, func(k trailKey, t *trail) { b.end(k, t, false) })
	b.byAccount, _ = simplelru.NewLRU(maxTrails, func(k trailKey, t *trail) { b.end(k, t, true) })
	return b
}

// liveBursts are told as they go on. Names are kept as digests: they are in a
// file of weeks, and people type passwords where names go.
func liveBursts(grew func(b burst, t *trail, seen Sighting)) *bursts {
	b := &bursts{names: maxLiveNames, grew: grew}
	b.byAddress, _ = simplelru.NewLRU[trailKey, *trail](maxLiveTrails, nil)
	b.byAccount, _ = simplelru.NewLRU[trailKey, *trail](maxLiveTrails, nil)
	return b
}

func (b *bursts) add(e event.Event, n name, at place, named bool, indicator string) {
	if !e.Outcome.Bad() && !e.Outcome.Right() {
		return
	}
	if b.grew != nil && n.folded != "" {
		n = name{folded: digestOf(n)}
	}
	near := b.address(e.Address)
	for i := range 1 + len(e.Others) {
		from := e.Address
		if i > 0 {
			from = e.Others[i-1]
		}
		if from = b.address(from); from.IsValid() {
			b.follow(b.byAddress, trailKey{address: from, server: e.Server}, from, e, n, at, named, indicator)
		}
	}
	if n.folded != "" {
		b.follow(b.byAccount, trailKey{account: n, server: e.Server}, near, e, n, at, named, indicator)
	}
}

// address is one as it is followed.
func (b *bursts) address(a netip.Addr) netip.Addr {
	if b.grew != nil {
		return networkOf(a)
	}
	return a
}

// digestOf stands for a name.
func digestOf(n name) string {
	sum := sha256.Sum256([]byte(string(n.form) + "\x00" + n.folded))
	return hex.EncodeToString(sum[:8])
}

func (b *bursts) follow(all *simplelru.LRU[trailKey, *trail], k trailKey, from netip.Addr, e event.Event, n name, at place, named bool, indicator string) {
	t, ok := all.Get(k)
	if ok && (e.At.Sub(t.last) > BurstGap || t.first.Sub(e.At) > BurstGap) {
		all.Remove(k)
		ok = false
	}
	if e.Outcome.Right() {
		if ok && t.count >= BurstOf && t.accounts.has(n) && t.letIn == nil {
			s := sightingOf(e, true).own()
			t.letIn, t.letInBy = &s, at
			b.told(k, t, s)
		}
		return
	}
	if !ok {
		t = &trail{first: e.At, last: e.At, indicator: indicator}
		k.account, k.server = k.account.own(), strings.Clone(k.server)
		all.Add(k, t)
	}
	t.count++
	if slices.Contains(e.Doubts, event.BySaying) {
		t.said++
	}
	if at == usual {
		t.ofUsual++
	}
	if slices.Contains(e.Doubts, event.OfDevice) {
		t.ofDevice++
	}
	if e.At.After(t.last) {
		t.last = e.At
	}
	if e.At.Before(t.first) {
		t.first = e.At
	}
	if t.accounts.len() < b.names && !t.accounts.has(n) {
		t.accounts.add(n.own())
	}
	if t.addresses.len() < b.names && from.IsValid() {
		t.addresses.add(from)
	}
	if len(t.seen) < mostSightings {
		t.seen = append(t.seen, sightingOf(e, named).own())
	}
	if b.grew != nil {
		b.told(k, t, sightingOf(e, named))
	}
}

// told says that a burst goes on, where somebody is to know.
func (b *bursts) told(k trailKey, t *trail, seen Sighting) {
	if is := (burst{k, *t, k.account.folded != ""}); b.grew != nil && is.enough() {
		b.grew(is, t, seen)
	}
}

// enough reports whether it is a burst.
func (b burst) enough() bool {
	return b.count >= BurstOf && (!b.ofAccount || b.addresses.len() >= manyAddresses)
}

func (b *bursts) end(k trailKey, t *trail, ofAccount bool) {
	is := burst{k, *t, ofAccount}
	switch {
	case !is.enough():
		return
	case len(b.found) >= maxBursts:
		b.more++
		return
	}
	is.accounts.forget()
	is.addresses.forget()
	b.found = append(b.found, is)
}

func (b *bursts) finish() []burst {
	for b.byAddress.Len() > 0 {
		b.byAddress.RemoveOldest()
	}
	for b.byAccount.Len() > 0 {
		b.byAccount.RemoveOldest()
	}
	slices.SortStableFunc(b.found, func(x, y burst) int { return x.first.Compare(y.first) })
	return b.found
}
