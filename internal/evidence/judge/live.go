package judge

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"rollcall/internal/evidence/event"
)

// Bounds on what a Live keeps and says.
const (
	// maxKept findings are remembered of each grade, of what was let in and of
	// what was not: what a flood makes pushes out its own alone, and a flood of
	// refused logins hides none that was let in.
	maxKept = 5_000
	// maxWaiting tries are kept of credentials that are not dead yet, by
	// credential and network, and of each the last few; what was let in has as
	// much room again.
	maxWaiting     = 2_000
	mostOfOne      = 4
	mostAtOnce     = 50 // findings of a grade that are told at once
	shortestPace   = time.Second
	longestPace    = time.Minute
	longestSilence = 24 * time.Hour // between two of the same
)

// Live judges events as they come, and says each finding once, then how often
// it came again: at once, then after Again, twice that, up to a day. It tells
// what a stolen value, the device or an indicator's address shows; what is no
// sign of any of these (a refused login from a usual place, a good one where no
// usual places are known) it does not. It is for one goroutine.
type Live struct {
	Again   time.Duration
	o       Options
	j       *Judge
	kept    map[pool]*simplelru.LRU[string, *Kept]
	pace    map[pool]*pace
	waiting map[bool]*simplelru.LRU[string, []event.Event] // true: let in
	bursts  *bursts
	lost    int
	forgot  int
}

// pool is what findings push each other out of.
type pool struct {
	grade Grade
	letIn bool
}

// pools are all, in the order in which they are told.
func pools() (out []pool) {
	for _, g := range grades {
		out = append(out, pool{g, true}, pool{g, false})
	}
	return out
}

func poolOf(f Finding) pool {
	return pool{f.Grade, f.Outcome.Right() || f.Code == Burst && f.Rule == thenLetIn}
}

// pace keeps a pool from being told too fast.
type pace struct {
	next time.Time
	gap  time.Duration
}

// Kept is a finding, and how often it was told.
type Kept struct {
	Key     string        `json:"key"`
	Finding Finding       `json:"finding"`
	Times   int           `json:"times,omitempty"` // it was told
	Told    int           `json:"told,omitempty"`  // of its count
	Next    time.Time     `json:"next,omitzero"`   // when it may be told again
	Wait    time.Duration `json:"wait,omitempty"`
}

// Alert is a finding that is to be told. ID is the same whenever that is done,
// and its Count is all that there was since First.
type Alert struct {
	ID string `json:"id"`
	// Again is how often it was told before, and More how many events there
	// were since.
	Again int `json:"told_before,omitempty"`
	More  int `json:"since_then,omitempty"`
	Finding
}

// Memory is what a Live has to have kept when it begins anew.
type Memory struct {
	Kept    []*Kept                  `json:"kept,omitempty"`
	Waiting map[string][]event.Event `json:"waiting,omitempty"`
	Trails  []Trail                  `json:"trails,omitempty"` // of refused logins
}

// NewLive begins one, with a roll.
func NewLive(o Options, again time.Duration, m Memory, now time.Time) *Live {
	l := &Live{Again: again, o: o, kept: map[pool]*simplelru.LRU[string, *Kept]{}, pace: map[pool]*pace{}, waiting: map[bool]*simplelru.LRU[string, []event.Event]{}}
	for _, g := range pools() {
		l.kept[g], _ = simplelru.NewLRU(maxKept, func(_ string, k *Kept) {
			if k.Finding.Count > k.Told {
				l.lost++
			}
		})
		l.pace[g] = &pace{}
	}
	for _, letIn := range []bool{true, false} {
		l.waiting[letIn], _ = simplelru.NewLRU[string, []event.Event](maxWaiting, nil)
	}
	l.bursts = liveBursts(l.burst)
	l.bursts.remember(m.Trails)
	for _, k := range m.Kept {
		if all := l.kept[poolOf(k.Finding)]; all != nil {
			if k.Next.After(now.Add(k.Wait)) { // the clock went back meanwhile
				k.Next = now.Add(k.Wait)
			}
			all.Add(k.Key, k)
		}
	}
	for key, all := range m.Waiting {
		if len(all) > 0 {
			l.waiting[!all[0].Outcome.Bad()].Add(key, all)
		}
	}
	l.Roll(o.Credentials)
	return l
}

// Memory is what is to be kept.
func (l *Live) Memory() (m Memory) {
	for _, g := range pools() {
		m.Kept = append(m.Kept, l.kept[g].Values()...)
	}
	m.Waiting = map[string][]event.Event{}
	for _, waiting := range l.waiting {
		for _, key := range waiting.Keys() {
			m.Waiting[key], _ = waiting.Peek(key)
		}
	}
	m.Trails = l.bursts.memory()
	return m
}

// Roll takes the roll as it is by now. What was tried before its death was
// known is judged again.
func (l *Live) Roll(all []Credential) {
	l.o.Credentials = all
	l.j = New(l.o)
	l.j.bursts = l.bursts // which go on, whatever the roll is
	dead := map[string]time.Time{}
	for _, c := range all {
		if !c.Rotated.IsZero() {
			dead[c.ID] = c.Rotated
		}
	}
	for _, waiting := range l.waiting {
		for _, key := range waiting.Keys() {
			id, _, _ := strings.Cut(key, "\x00")
			at, ok := dead[id]
			if !ok {
				continue
			}
			tries, _ := waiting.Peek(key)
			waiting.Remove(key)
			for _, e := range tries {
				if e.At.After(at) || e.Or.After(at) {
					l.Add(e)
				}
			}
		}
	}
}

// NameOf is what the roll calls a credential.
func (l *Live) NameOf(id string) string {
	for _, c := range l.o.Credentials {
		if c.ID == id {
			return c.Name
		}
	}
	return ""
}

// Add takes one event.
func (l *Live) Add(e event.Event) { l.j.sort(e, l.take) }

func (l *Live) take(k key, g group, e event.Event) {
	g.add(k, e)
	if k.also != "" {
		g.others = e.Others
	}
	f, ok := l.j.finding(k, &g)
	if !ok || !told(f) {
		l.wait(k, &g, e)
		return
	}
	l.keep(keyText(k, f), f)
}

// burst takes a login of a burst of failures, which goes on.
func (l *Live) burst(b burst, t *trail, seen Sighting) {
	f := b.finding()
	sum := sha256.Sum256([]byte(strings.Join([]string{string(f.Code), string(f.Grade), f.Rule, b.server, network(b.address), b.account.folded}, "\x00")))
	id := hex.EncodeToString(sum[:16])
	if t.toldAs != id {
		t.toldAs = id
		l.keepAll(id, f, f.Count)
		return
	}
	if is, there := l.kept[poolOf(f)].Get(id); there {
		is.Finding.Accounts, is.Finding.Addresses = f.Accounts, f.Addresses
	}
	f.Count, f.First, f.Last, f.Seen = 1, seen.At, seen.At, []Sighting{seen}
	l.keep(id, f)
}

// keep counts one more of a finding, from when it was first seen.
func (l *Live) keep(id string, f Finding) { l.keepAll(id, f, 1) }

func (l *Live) keepAll(id string, f Finding, n int) {
	all := l.kept[poolOf(f)]
	is, there := all.Get(id)
	if !there {
		all.Add(id, &Kept{Key: id, Finding: f})
		return
	}
	is.Finding.Count += n
	if f.First.Before(is.Finding.First) {
		is.Finding.First = f.First
	}
	if f.Last.After(is.Finding.Last) {
		is.Finding.Last = f.Last
	}
	if len(is.Finding.Seen) < mostSightings {
		is.Finding.Seen = append(is.Finding.Seen, f.Seen...)
	}
}

// wait keeps what may be a finding once its credential is known to be dead:
// the ledger says that a moment later than the server's log.
func (l *Live) wait(k key, g *group, e event.Event) {
	if k.credential < 0 || k.change != "" || !e.Outcome.Bad() && g.place != device {
		return
	}
	c := l.o.Credentials[k.credential]
	if !c.Rotated.IsZero() {
		return
	}
	letIn := !e.Outcome.Bad()
	key := fmt.Sprintf("%s\x00%s\x00%v", c.ID, network(e.Address), letIn)
	waiting := l.waiting[letIn]
	tries, _ := waiting.Get(key)
	if len(tries) >= mostOfOne {
		tries = tries[1:]
	}
	if waiting.Add(key, append(slices.Clip(slices.Clone(tries)), ownEvent(e))) {
		l.forgot++
	}
}

// network is an address as strangers count: who has one of IPv6 has the /64 in
// which it is.
func network(a netip.Addr) string {
	if n := networkOf(a); n.Is6() {
		return netip.PrefixFrom(n, 64).String()
	}
	return a.Unmap().String()
}

// networkOf is the first address of that.
func networkOf(a netip.Addr) netip.Addr {
	if a = a.Unmap(); a.Is6() {
		if n, err := a.WithZone("").Prefix(64); err == nil {
			return n.Addr()
		}
	}
	return a
}

// told says which findings are signs of a stolen value, the device or an
// indicator.
func told(f Finding) bool {
	switch f.Code {
	case TriedAfter:
		return f.Rule != "usual-place" && f.Rule != noUsualPlaces
	case UsedElsewhere:
		return f.Rule != noUsualPlaces
	case LockedOut:
		return f.Credential != "" && f.Rule != "usual-place" && f.Rule != noUsualPlaces
	case Changed:
		return f.Rule == "indicator" || f.Rule == "by-device"
	}
	return true
}

// keyText is what makes findings one. Names that strangers type make none of
// their own.
func keyText(k key, f Finding) string {
	letIn := f.Outcome.Right()
	parts := []string{string(f.Code), string(f.Grade), f.Rule, f.Credential, network(k.address), fmt.Sprint(letIn), string(f.Change), f.Target, f.Group, f.ValueOf}
	if f.Outcome == event.ValueRight {
		parts = append(parts, string(f.Outcome))
	}
	if k.indicator != "" {
		parts = append(parts, "indicator", k.indicator)
	}
	if f.Credential == "" && letIn {
		parts = append(parts, string(k.account.form), k.account.folded)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// Due are the findings that are to be told now, the surest first, and how many
// more there are that come later; at the end, all that were not told. Those
// that it gives count as told.
func (l *Live) Due(now time.Time, end bool) (out []Alert, more int) {
	for _, g := range pools() {
		var due []*Kept
		for _, k := range l.kept[g].Values() {
			if k.Finding.Count > k.Told && (end || !now.Before(k.Next)) {
				due = append(due, k)
			}
		}
		p := l.pace[g]
		switch {
		case now.Before(p.next) && !end:
			more += len(due)
			continue
		case len(due) == 0:
			p.gap = 0
			continue
		}
		p.gap = min(max(2*p.gap, shortestPace), longestPace)
		p.next = now.Add(p.gap)
		slices.SortStableFunc(due, func(a, b *Kept) int { return cmp.Or(a.Times-b.Times, a.Finding.First.Compare(b.Finding.First)) })
		most := len(due)
		if !end {
			most = min(most, mostAtOnce)
		}
		more += len(due) - most
		for _, k := range due[:most] {
			out = append(out, l.tell(k, now))
		}
	}
	return out, more
}

// tell makes an alert of a finding.
func (l *Live) tell(k *Kept, now time.Time) Alert {
	a := Alert{ID: fmt.Sprintf("%s-%d-%d", k.Key, k.Finding.First.UnixNano(), k.Times), Again: k.Times, Finding: k.Finding}
	if k.Times > 0 {
		a.More = k.Finding.Count - k.Told
	}
	if k.Wait *= 2; k.Wait == 0 || now.Sub(k.Next) > longestSilence && k.Times > 0 {
		k.Wait = l.Again
	}
	k.Wait = min(k.Wait, longestSilence)
	k.Times, k.Told, k.Next = k.Times+1, k.Finding.Count, now.Add(k.Wait)
	k.Finding.Seen = nil // those that come are told the next time
	return a
}

// Lost are findings that were pushed out before they could be told, since this
// was last asked.
func (l *Live) Lost() (n int) {
	n, l.lost = l.lost, 0
	return n
}

// Forgotten are credentials and networks whose tries were pushed out before it
// was known whether the value is dead, since this was last asked.
func (l *Live) Forgotten() (n int) {
	n, l.forgot = l.forgot, 0
	return n
}
