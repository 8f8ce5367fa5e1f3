// Package judge holds what logs say against the roll of a campaign: which
// credentials were used from where, what was tried, and which part of the time
// the logs cover. It is pure: events go in, findings come out.
package judge

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"rollcall/internal/evidence/event"
)

// Credential is one of the roll.
type Credential struct {
	ID        string
	Name      string
	Authority string
	// Accounts are what logs may call it.
	Accounts []Account
	// Unnamed: what its logins are called is not known beyond Accounts, for the
	// roll is of a ledger that does not say it.
	Unnamed bool
	// Rotated is when the stolen value was proved dead; zero where it was not,
	// or nobody knows.
	Rotated time.Time
	// Begun is when the value that replaces it was announced, and Set when a
	// server took it; zero where that was not, or nobody knows.
	Begun, Set time.Time
}

// Account is a name as logs have it.
type Account struct {
	Form event.Form
	Name string
	// Guess: another account may be called so. A use by this name is in doubt.
	Guess bool
}

// HashOf is what a hash of Vault's audit device is made of.
type HashOf struct {
	Credential int // index in Options.Credentials
	What       string
}

// What a hash is of.
const (
	OfValue = "value"
	OfRole  = "role-id"
)

// Options are what is known beside the logs.
type Options struct {
	Windows     []Window
	DeviceName  string         // of whose campaign file it is
	Campaign    string         // whose roll it is; empty where it was listed afresh
	Device      []netip.Prefix // addresses of the device
	DeviceNames []string       // of the device, where a log has names
	Contained   time.Time      // since when it is; zero where nobody says
	Usual       []netip.Prefix // from where credentials are used, as the operator says
	Indicators  *Indicators
	Credentials []Credential
	Hashes      map[string][]HashOf
	// Fold makes one text of all spellings of an account; whole is false where
	// it is not written as such accounts are.
	Fold func(form event.Form, account string) (folded string, whole bool)
	Now  time.Time
}

// Judge takes events in any order. It keeps counts of what is alike, never the
// events.
type Judge struct {
	o       Options
	byName  map[name][]int
	guessed map[guess]bool
	seen    map[key]*group
	learned learned
	rooms   rooms
	tooMany int
	// usualPlaces are learned, of all credentials.
	usualPlaces int
	bursts      *bursts
}

type name struct {
	form   event.Form
	folded string
}

// guess is a name by which a credential is perhaps called.
type guess struct {
	name
	credential int
}

// key is what makes events alike.
type key struct {
	credential int // index, or -1: it is not on the roll
	account    name
	authority  string // of the log, for what the device used and is not on the roll
	from
	phase   Phase
	outcome event.Outcome
	value   int // the credential whose value was offered, or -1
	change  event.Change
	target  string
	group   string
	// perhaps: nothing says whether the account is this one or another
	// domain's.
	perhaps bool
	// indicator is one that a name met: other names may come from the same
	// address, and from none.
	indicator string
	named     bool // it is the device by its name alone
	lockOut   bool // the server says that it locks it out, and not that it is
	stolen    bool // it was right, and is the value that was proved dead
	crowd     crowd
}

// from is where somebody came from: an address, or one of several.
type from struct {
	address netip.Addr
	also    string // the others; ", ?" is one that could not be read
}

func (f from) String() string { return f.address.String() + f.also }

// unread reports whether one of the addresses could not be read: then nobody
// knows that it is a usual one.
func (f from) unread() bool { return strings.HasSuffix(f.also, unreadOther) }

const unreadOther = ", ?"

// fromOf is where an event is from.
func fromOf(e event.Event) from {
	f := from{address: e.Address}
	if len(e.Others) == 0 && !e.OthersUnread {
		return f
	}
	for _, a := range e.Others {
		f.also += ", " + a.String()
	}
	if e.OthersUnread {
		f.also += unreadOther
	}
	return f
}

type group struct {
	Count       int
	First, Last time.Time
	doubts      []event.Doubt
	others      []netip.Addr
	seen        []Sighting
	spelled     []string // of an account that the device used
	moreSpelled bool
	place       place
	indicator   string
	indicatorAt string
	whole       bool
	// either: it may have been at another time, of another phase.
	either bool
	// clear: at least one event of it is without a doubt.
	clear   bool
	moments moments
}

// place says whose an address is.
type place int

const (
	elsewhere place = iota
	device
	usual
	nowhere // the log has none
)

// New begins.
func New(o Options) *Judge {
	if o.Indicators == nil {
		o.Indicators = &Indicators{}
	}
	j := &Judge{o: o, byName: map[name][]int{}, guessed: map[guess]bool{}, seen: map[key]*group{}, learned: learned{}, rooms: newRooms(len(o.Credentials)), bursts: newBursts()}
	for i, c := range o.Credentials {
		for _, a := range c.Accounts {
			folded, _ := o.Fold(a.Form, a.Name)
			n := nameOf(a.Form, folded)
			at := guess{n, i}
			if !slices.Contains(j.byName[n], i) {
				j.byName[n] = append(j.byName[n], i)
				j.guessed[at] = a.Guess
			}
			j.guessed[at] = j.guessed[at] && a.Guess
		}
	}
	return j
}

// Add takes one event.
func (j *Judge) Add(e event.Event) { j.sort(e, j.count) }

// sort finds out what an event is of, and gives it to take once for each
// credential that it may be of.
func (j *Judge) sort(e event.Event, take func(k key, g group, e event.Event)) {
	if j.isDevice(e.Client) && j.placeOf(e.Address) != device {
		of := e
		if e.NameSaid {
			of.Doubts = append(slices.Clone(e.Doubts), event.BySaidName)
		}
		alone := !e.Address.IsValid() || !e.NameSaid
		j.sortOne(of, true, alone, take)
		if alone {
			return
		}
		// Who says the device's name hides nothing behind it.
	}
	if len(e.Others) == 0 && !e.OthersUnread {
		j.sortOne(e, false, true, take)
		return
	}
	for i, e := range j.apart(e) {
		j.sortOne(e, false, i == 0, take)
	}
}

// isDevice reports whether a log's name of a client is one of the device: the
// whole name, or as a machine says it the first part of it, of which NetBIOS
// has 15 characters.
func (j *Judge) isDevice(client string) bool {
	if client == "" {
		return false
	}
	client = strings.TrimSuffix(strings.TrimLeft(client, `\`), ".")
	for _, name := range j.o.DeviceNames {
		first, _, _ := strings.Cut(name, ".")
		if strings.EqualFold(client, strings.TrimSuffix(name, ".")) || strings.EqualFold(client, first) ||
			len(first) > longestNetBIOS && strings.EqualFold(client, first[:longestNetBIOS]) {
			return true
		}
	}
	return false
}

// longestNetBIOS is the most that a NetBIOS name has of a longer one.
const longestNetBIOS = 15

// apart makes events of one of which several addresses may be the true one.
// Those that the operator calls usual are left aside, as proxies are: it is
// from a usual place where all are. What is left counts as one place, and is
// called by the indicator that is met, or else by the last of it: who asks can
// write what stands before his own address, and nothing behind it. The device's
// among others makes an event of its own: who wrote it himself hides nothing
// behind it, and where it is true the device is seen.
func (j *Judge) apart(e event.Event) (out []event.Event) {
	var own, rest []netip.Addr
	all, met := append([]netip.Addr{e.Address}, e.Others...), false
	for _, a := range slices.Backward(all) {
		_, _, is := j.o.Indicators.met(a)
		switch at := j.placeOf(a); {
		case is && !met:
			rest, met = slices.Insert(rest, 0, a), true
		case is:
			rest = append(rest, a)
		case at == device:
			own = append(own, a)
		case at != usual && at != nowhere:
			rest = append(rest, a)
		}
	}
	of := func(all []netip.Addr, unread bool) {
		is := e
		is.Others, is.OthersUnread = all[1:], unread
		if is.Address = all[0]; is.Address != e.Address {
			is.Port = 0
		}
		out = append(out, is)
	}
	switch {
	case len(rest) > 0:
		of(rest, e.OthersUnread)
	case len(own) == 0 && e.OthersUnread:
		of([]netip.Addr{{}}, true) // from whom is not known
	case len(own) == 0:
		of(all[len(all)-1:], false)
	}
	if len(own) > 0 {
		of(own[:1], false)
	}
	return out
}

// sortOne sorts an event of one place. named says that it is the device's by
// its name, and bursts that it counts in bursts.
func (j *Judge) sortOne(e event.Event, named, bursts bool, take func(k key, g group, e event.Event)) {
	if e.Outcome.NoUse() && !j.o.Indicators.Meets(e.Address, e.Client) {
		return
	}
	folded, whole := j.o.Fold(e.Form, e.Account)
	n := nameOf(e.Form, folded)
	on := j.onRoll(n, e.Authority)
	if role := j.hashed(e.Hashes, OfRole); len(on) == 0 && len(role) > 0 {
		on = role
	}
	value := -1
	if of := j.hashed(e.Hashes, OfValue); len(of) > 0 && !slices.ContainsFunc(of, func(i int) bool { return slices.Contains(on, i) }) {
		value = of[0]
	}
	if len(on) > 1 {
		e.Doubts = append(slices.Clone(e.Doubts), ManyAuthorities)
	}
	if e.Form == event.DN && whole && len(on) == 0 && e.Outcome == event.Refused {
		e.Account = withoutItsName(e.Account)
	}
	at := j.placeOf(e.Address)
	if named {
		at = device
	}
	indicator, indicatorAt, met := j.o.Indicators.met(e.Address)
	byName := ""
	if !met {
		if indicator, indicatorAt, met = j.o.Indicators.metName(e.Client); met {
			byName = indicator
		}
		if met && e.NameSaid {
			e.Doubts = append(slices.Clone(e.Doubts), event.BySaidName)
		}
	}
	if bursts && e.Login && (at != usual || j.bursts.grew == nil) { // a watch has its usual places said
		j.bursts.add(e, n, at, whole || len(on) > 0, indicator)
	}
	if len(on) == 0 {
		switch {
		case indicator != "" || locksOut(e):
		case e.Outcome == event.Failed && e.Change == "", at != device && value < 0:
			return
		case e.Account == "" && !e.Outcome.Bad() && value < 0:
			return // somebody's use, and of nobody who could be told
		}
		on = []int{-1}
	}
	for _, i := range on {
		of := e
		if j.guessed[guess{n, i}] && !slices.Contains(e.Doubts, event.ByName) {
			of.Doubts = append(slices.Clone(e.Doubts), event.ByName)
		}
		g := group{First: e.At, Last: e.At, place: at, indicator: indicator, indicatorAt: indicatorAt, whole: whole}
		k := j.keyOf(i, n, value, at, of)
		k.indicator, k.named = byName, named
		if !e.Or.IsZero() {
			other := of
			other.At, other.Or, other.Doubts = e.Or, time.Time{}, append(slices.Clone(of.Doubts), event.ByHour)
			or := j.keyOf(i, n, value, at, other)
			if or.indicator, or.named = byName, named; or.phase != k.phase { // it makes a difference
				of.Doubts, g.either = other.Doubts, true
				late := g
				late.First, late.Last = other.At, other.At
				take(or, late, other)
			}
		}
		take(k, g, of)
	}
}

// locksOut reports whether an event is one of a lock-out, and no try.
func locksOut(e event.Event) bool { return e.Outcome == event.Locked && !e.Login && e.Change == "" }

// hashed are the credentials of which one of the hashes is made.
func (j *Judge) hashed(hashes []string, what string) (out []int) {
	for _, h := range hashes {
		for _, of := range j.o.Hashes[h] {
			if of.What == what {
				out = append(out, of.Credential)
			}
		}
	}
	return out
}

// ManyAuthorities: accounts of several authorities of the roll are called so,
// and nobody said of which one the log is.
const ManyAuthorities event.Doubt = "authority-not-said"

func (j *Judge) onRoll(n name, authority string) []int {
	all := j.byName[n]
	if authority == "" || n.form == event.VaultLogin {
		return all // a directory's password may log in to Vault too
	}
	var out []int
	for _, i := range all {
		if j.o.Credentials[i].Authority == authority {
			out = append(out, i)
		}
	}
	return out
}

func (j *Judge) keyOf(i int, n name, value int, at place, e event.Event) key {
	k := key{credential: i, from: fromOf(e), outcome: e.Outcome, value: -1, change: e.Change, target: j.entry(e, e.Target), group: j.entry(e, e.Group)}
	if e.Change == event.Modified {
		k.target = "" // of whatever entries: programs write many
	}
	var rotated time.Time
	if i >= 0 {
		rotated = j.o.Credentials[i].Rotated
	} else {
		k.account = n
		if at == device {
			k.authority = e.Authority
		}
	}
	k.lockOut = locksOut(e)
	k.value, k.perhaps = value, i >= 0 && slices.Contains(e.Doubts, event.ByDomain)
	k.phase = j.phase(e.At, rotated)
	if at == device && !j.o.Contained.IsZero() && e.At.After(j.o.Contained) {
		k.phase = Contained
	}
	// A hash is of what was stolen, as the roll had it before the rotation.
	k.stolen = !rotated.IsZero() && e.At.After(rotated) && e.Outcome.Right() && slices.Contains(j.hashed(e.Hashes, OfValue), i)
	return k
}

// entry is what a change is of, as it may be shown. Who was refused may have
// typed a password where the name of the entry goes.
func (j *Judge) entry(e event.Event, name string) string {
	if name == "" || e.Outcome == event.Accepted || e.Form != event.DN {
		return short(name)
	}
	_, whole := j.o.Fold(event.DN, name)
	return Shown(event.DN, name, whole)
}

func (j *Judge) count(k key, fresh group, e event.Event) {
	j.learn(k, &fresh)
	switch {
	case isTally(k, &fresh):
		k.from = from{}
	case j.isOwn(k, &fresh):
		k.from, k.crowd.usual = from{}, true
	}
	g := j.seen[k]
	if g == nil && !j.rooms.take(k, fresh.indicator != "") {
		if k.credential < 0 || k.change != "" {
			j.tooMany++
			return
		}
		known := j.learned[k.credential].has(k.from, k.outcome)
		k.from, k.crowd = from{}, crowd{true, fresh.place, fresh.indicator != "", known}
		g = j.seen[k]
	}
	if g == nil {
		first := fresh // and not fresh itself, which would be made anew each time
		g, first.others = &first, e.Others
		if k.also == "" {
			first.others = nil
		}
		j.seen[k.own()] = g
	}
	g.add(k, e)
}

// add counts one event more.
func (g *group) add(k key, e event.Event) {
	g.Count++
	g.moments.add(e.At)
	if e.At.Before(g.First) {
		g.First = e.At
	}
	if e.At.After(g.Last) {
		g.Last = e.At
	}
	g.clear = g.clear || len(e.Doubts) == 0
	for _, d := range e.Doubts {
		if !slices.Contains(g.doubts, d) {
			g.doubts = append(g.doubts, d)
		}
	}
	named := k.credential >= 0 || g.whole || e.Outcome.Right()
	if g.place == device && (k.credential < 0 || k.perhaps) {
		g.spell(Shown(e.Form, e.Account, named))
	}
	if len(g.seen) < mostSightings {
		g.seen = append(g.seen, sightingOf(e, named).own())
	}
}

// Contained: behind the moment since which the device is said to be contained.
const Contained Phase = "since-containment"

func (j *Judge) placeOf(a netip.Addr) place {
	in := func(all []netip.Prefix) bool {
		return slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	switch {
	case !a.IsValid():
		return nowhere
	case in(j.o.Device):
		return device
	case in(j.o.Usual):
		return usual
	}
	return elsewhere
}
