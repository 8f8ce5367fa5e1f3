package judge

import (
	"net/netip"
	"slices"
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
	// manyAccounts and manyAddresses are no one consumer's.
	manyAccounts  = 5
	manyAddresses = 3
)

type bursts struct {
	byAddress *simplelru.LRU[trailKey, *trail]
	byAccount *simplelru.LRU[trailKey, *trail]
	found     []burst
	more      int
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
	accounts    map[name]bool
	addresses   map[netip.Addr]bool
	seen        []Sighting
	letIn       *Sighting
	indicator   string
}

type burst struct {
	trailKey
	trail
	ofAccount bool
}

func newBursts() *bursts {
	b := &bursts{}
	b.byAddress, _ = simplelru.NewLRU(maxTrails, func(k trailKey, t *trail) { b.end(k, t, false) })
	b.byAccount, _ = simplelru.NewLRU(maxTrails, func(k trailKey, t *trail) { b.end(k, t, true) })
	return b
}

func (b *bursts) add(e event.Event, n name, named bool, indicator string) {
	if !e.Outcome.Bad() && e.Outcome != event.Accepted {
		return
	}
	if e.Address.IsValid() {
		follow(b, b.byAddress, trailKey{address: e.Address, server: e.Server}, e, n, named, indicator)
	}
	if n.folded != "" {
		follow(b, b.byAccount, trailKey{account: n, server: e.Server}, e, n, named, indicator)
	}
}

func follow(b *bursts, all *simplelru.LRU[trailKey, *trail], k trailKey, e event.Event, n name, named bool, indicator string) {
	t, ok := all.Get(k)
	if ok && (e.At.Sub(t.last) > BurstGap || t.first.Sub(e.At) > BurstGap) {
		all.Remove(k)
		ok = false
	}
	if e.Outcome == event.Accepted {
		if ok && t.count >= BurstOf && t.accounts[n] && t.letIn == nil {
			s := sightingOf(e, true)
			t.letIn = &s
		}
		return
	}
	if !ok {
		t = &trail{first: e.At, last: e.At, accounts: map[name]bool{}, addresses: map[netip.Addr]bool{}, indicator: indicator}
		all.Add(k, t)
	}
	t.count++
	if e.At.After(t.last) {
		t.last = e.At
	}
	if e.At.Before(t.first) {
		t.first = e.At
	}
	if len(t.accounts) < maxNames {
		t.accounts[n] = true
	}
	if len(t.addresses) < maxNames && e.Address.IsValid() {
		t.addresses[e.Address] = true
	}
	if len(t.seen) < mostSightings {
		t.seen = append(t.seen, sightingOf(e, named))
	}
}

func (b *bursts) end(k trailKey, t *trail, ofAccount bool) {
	switch {
	case t.count < BurstOf, ofAccount && len(t.addresses) < manyAddresses:
		return
	case len(b.found) >= maxBursts:
		b.more++
		return
	}
	b.found = append(b.found, burst{k, *t, ofAccount})
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
