package judge

import (
	"net/netip"
	"slices"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// mostTrails are remembered across a restart, of addresses and of accounts.
const mostTrails = 1_000

// Trail is a row of refused logins that may become a burst or is one, as it is
// kept across restarts. It holds no name that was typed, but what a Sighting
// may show.
type Trail struct {
	Address   netip.Addr   `json:"address,omitzero"`
	Server    string       `json:"server,omitempty"`
	Account   string       `json:"account,omitempty"` // its digest
	Count     int          `json:"count"`
	First     time.Time    `json:"first"`
	Last      time.Time    `json:"last"`
	Accounts  []string     `json:"accounts,omitempty"` // digests
	Addresses []netip.Addr `json:"addresses,omitempty"`
	Seen      []Sighting   `json:"seen,omitempty"`
	LetIn     *Sighting    `json:"let_in,omitempty"`
	Indicator string       `json:"indicator,omitempty"`
	Said      int          `json:"said,omitempty"` // of Count, whose address is what the client says
	OfDevice  int          `json:"of_device,omitempty"`
	ToldAs    string       `json:"told_as,omitempty"`
}

// memory are the trails that may go on: of more than one login, and the newest.
func (b *bursts) memory() (out []Trail) {
	for _, all := range []*simplelru.LRU[trailKey, *trail]{b.byAddress, b.byAccount} {
		var some []Trail
		for _, k := range all.Keys() {
			t, _ := all.Peek(k)
			if t.count < 2 {
				continue
			}
			is := Trail{Address: k.address, Server: k.server, Account: k.account.folded, Count: t.count, First: t.first, Last: t.last, Seen: t.seen, LetIn: t.letIn, Indicator: t.indicator, Said: t.said, OfDevice: t.ofDevice, ToldAs: t.toldAs}
			for n := range t.accounts.each() {
				is.Accounts = append(is.Accounts, n.folded)
			}
			is.Addresses = slices.Collect(t.addresses.each())
			slices.Sort(is.Accounts)
			slices.SortFunc(is.Addresses, netip.Addr.Compare)
			some = append(some, is)
		}
		slices.SortStableFunc(some, func(x, y Trail) int { return y.Last.Compare(x.Last) })
		some = some[:min(len(some), mostTrails)]
		slices.Reverse(some)
		out = append(out, some...)
	}
	return out
}

// remember takes up trails of before a restart.
func (b *bursts) remember(all []Trail) {
	for _, is := range all {
		t := &trail{count: is.Count, first: is.First, last: is.Last, seen: is.Seen, letIn: is.LetIn, indicator: is.Indicator, said: is.Said, ofDevice: is.OfDevice, toldAs: is.ToldAs}
		for _, n := range is.Accounts {
			t.accounts.add(name{folded: n})
		}
		for _, a := range is.Addresses {
			t.addresses.add(a)
		}
		k := trailKey{address: is.Address, server: is.Server, account: name{folded: is.Account}}
		if is.Account != "" {
			b.byAccount.Add(k, t)
		} else {
			b.byAddress.Add(k, t)
		}
	}
}
