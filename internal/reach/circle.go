package reach

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// A login to Vault whose old value is retired and whose new one cannot be
// written has cut its consumers off. So one is set only when each other login
// that could read the place of its new value is closed. Of logins that read
// each other's places one has to be first; then each of them must have been
// looked at, and nothing may keep any of them from being set but the others.
// What each waits for is noted in Vault, where every worker reads it.

// An auth mount may give one policy to thousands of accounts. So a note that
// would name many says instead that the login waits for every one of the roll
// that is open, and names those that it does not wait for. Where both are more
// than maxAwaited it waits for all of them.
const (
	fewAwaited = 50
	maxAwaited = 500
	everyLogin = "*"
)

// awaits are the ids of the logins that have to be closed before the new value
// of c can be written where it is read.
func (o *Reach) awaits(ctx context.Context, c credential.Credential) (ids []string) {
	asked := map[string]bool{c.ID: true}
	add := func(logins []credential.Credential) {
		for _, login := range logins {
			if !asked[login.ID] && o.openLately(ctx, login) {
				ids = append(ids, login.ID)
			}
			asked[login.ID] = true
		}
	}
	for _, place := range o.places(c)[1:] {
		add(o.readers[place])
	}
	add(o.unknown)
	add(o.shut)
	return ids
}

// openLately is whether another login is not closed, as it was seen a moment
// ago.
func (o *Reach) openLately(ctx context.Context, login credential.Credential) bool {
	if _, lately := o.of.has(o.campaign, login.ID); lately {
		return false
	}
	if at, ok := o.wasOpen.Load(login.ID); ok && time.Since(at.(time.Time)).Abs() < o.of.LookAfter {
		return true
	}
	closed, _, err := o.of.closed(ctx, o.campaign, login)
	if err == nil && closed {
		return false
	}
	o.wasOpen.Store(login.ID, time.Now().Round(0))
	return true
}

// Stand is rotation.Reach's.
func (o *Reach) Stand(ctx context.Context, c credential.Credential, may func() error) error {
	awaits := o.awaits(ctx, c)
	if len(awaits) == 0 {
		return nil
	}
	if err := may(); err != nil {
		return err
	}
	// Noted first, and the others' read then: of two that do so at the same
	// time one at least sees the other.
	if err := o.note(ctx, c, awaits); err != nil {
		return err
	}
	noted, err := o.noted(ctx, awaits)
	if err != nil {
		return err
	}
	if noted.by[c.ID] = (waits{ids: awaits}); noted.circle(c.ID) {
		return nil
	}
	return o.settled(ctx, c, o.awaiting(ctx, c, notBegunFor("another login to Vault of the roll, which is not dead yet, could read where its new value goes, or what it could read cannot be found out; and it is not about to be set itself (its own reason says what is the matter with it, or it has not been looked at yet)")))
}

// awaiting has the stop of a login say which others it waits for, where they
// are few.
func (o *Reach) awaiting(ctx context.Context, c credential.Credential, stop *protocol.Stop) *protocol.Stop {
	if !c.ReachesVault() {
		return stop
	}
	ids := o.awaits(ctx, c)
	var refs credential.Refs
	for _, id := range ids {
		at, listed := o.at[id]
		if !listed || len(ids) > fewAwaited {
			return stop
		}
		refs = append(refs, at)
	}
	stop.Awaits = refs
	return stop
}

// StandAside notes the same of a login of which nothing is staged, because
// what another one could read cannot be found out: that one need not wait for
// it to be closed. Where another campaign has said so nothing is noted: that
// one may have it in hand first, and its others may have gone by it.
func (o *Reach) StandAside(ctx context.Context, c credential.Credential) error {
	vaults := func() (time.Time, bool) { return o.of.store.ServerTime(ctx) }
	if b, err := o.of.store.ReadBeforeSet(ctx, c.ID); err != nil || b.Campaign != o.campaign && b.Stands(b.Campaign, time.Now().Round(0), vaults) {
		return err
	}
	return o.note(ctx, c, o.awaits(ctx, c))
}

// Aside is rotation.Reach's.
func (o *Reach) Aside(ctx context.Context, c credential.Credential) {
	o.of.Aside(ctx, o.campaign, c.ID)
}

func (o *Reach) note(ctx context.Context, c credential.Credential, awaits []string) error {
	b := ownmount.BeforeSet{Campaign: o.campaign, Awaits: awaits}
	if len(awaits) > fewAwaited {
		but := o.openBut(ctx, c.ID, awaits)
		switch few := len(but) <= maxAwaited; {
		case few && len(but) < len(awaits):
			b.Awaits, b.But = []string{everyLogin}, but
		case len(awaits) > maxAwaited:
			b.Awaits = []string{everyLogin}
		}
	}
	err := o.of.store.NoteBeforeSet(ctx, c.ID, b)
	if err == nil {
		b.Noted = time.Now().Round(0)
		o.of.noted.Store(c.ID, notedAt{b, b.Noted})
	}
	return err
}

// notedAt is a note that was read, or written, a moment ago.
type notedAt struct {
	ownmount.BeforeSet
	at time.Time
}

// stands is the note about a login; false if none counts. What counts is taken
// to do so for a moment.
func (o *Reach) stands(ctx context.Context, id string, vaults func() (time.Time, bool)) (b ownmount.BeforeSet, ok bool, err error) {
	if got, ok := o.of.noted.Load(id); ok {
		if n := got.(notedAt); n.Campaign == o.campaign && time.Since(n.at).Abs() < o.of.LookAfter {
			return n.BeforeSet, true, nil
		}
	}
	if b, err = o.of.store.ReadBeforeSet(ctx, id); err != nil || !b.Stands(o.campaign, time.Now().Round(0), vaults) {
		return b, false, err
	}
	o.of.noted.Store(id, notedAt{b, time.Now().Round(0)})
	return b, true, nil
}

// openBut are the logins of the batch that are open, but for self and those of
// awaits.
func (o *Reach) openBut(ctx context.Context, self string, awaits []string) (but []string) {
	named := map[string]bool{self: true}
	for _, id := range awaits {
		named[id] = true
	}
	for id, login := range o.logins {
		if !named[id] && o.openLately(ctx, login) {
			but = append(but, id)
		}
	}
	slices.Sort(but)
	return but
}

// waits is what a login that is about to be set waits for: ids, or every one
// that is open but for some.
type waits struct {
	ids   []string
	every bool
	but   map[string]bool
}

// waiting are those that are about to be set, and those of the batch that are
// open.
type waiting struct {
	by   map[string]waits
	open map[string]bool
}

// noted is what those of ids wait for that are about to be set, and what those
// wait for in turn. One that is closed, or no login of this batch (it is dead,
// or a person accepted it), is missing from what others wait for. It ends at
// the first that is not about to be set, for nothing is set then.
func (o *Reach) noted(ctx context.Context, ids []string) (waiting, error) {
	vaults := sync.OnceValues(func() (time.Time, bool) { return o.of.store.ServerTime(ctx) })
	out := waiting{map[string]waits{}, map[string]bool{}}
	for id, login := range o.logins {
		if o.openLately(ctx, login) {
			out.open[id] = true
		}
	}
	asked, left := map[string]bool{}, maps.Clone(out.open) // left: nobody was seen to wait for them
	var todo []string
	add := func(id string) {
		if delete(left, id); !asked[id] {
			asked[id] = true
			todo = append(todo, id)
		}
	}
	for _, id := range ids {
		add(id)
	}
	for ; len(todo) > 0; todo = todo[1:] {
		id := todo[0]
		b, stands, err := o.stands(ctx, id, vaults)
		if err != nil || !stands {
			return out, err
		}
		w := waits{every: slices.Contains(b.Awaits, everyLogin)}
		if w.every {
			w.but = map[string]bool{id: true}
			for _, other := range b.But {
				w.but[other] = true
			}
			for other := range left {
				if !w.but[other] {
					add(other)
				}
			}
		}
		for _, other := range b.Awaits {
			if out.open[other] {
				w.ids = append(w.ids, other)
				add(other)
			}
		}
		out.by[id] = w
	}
	return out, nil
}

// circle reports whether self may be set although others are not closed: each
// that it waits for, and each that those wait for, is about to be set and
// waits in the end for self. Of one that is not about to be set there is
// nothing. One that does not wait for self goes first, and is closed then.
func (w waiting) circle(self string) bool {
	first, waitFor, every := map[string]bool{}, map[string][]string{}, []string(nil)
	left := maps.Clone(w.open)
	todo := []string{self}
	add := func(id string) {
		if delete(left, id); !first[id] {
			first[id] = true
			todo = append(todo, id)
		}
	}
	for ; len(todo) > 0; todo = todo[1:] {
		id := todo[0]
		by, about := w.by[id]
		if !about {
			return false
		}
		for _, other := range by.ids {
			waitFor[other] = append(waitFor[other], id)
			add(other)
		}
		if by.every {
			every = append(every, id)
			for other := range left {
				if !by.but[other] {
					add(other)
				}
			}
		}
	}
	back, open := map[string]bool{}, 0 // those that wait in the end for self, itself among them; how many of them are open
	enter := func(id string) {
		if !back[id] {
			back[id] = true
			todo = append(todo, id)
			if w.open[id] {
				open++
			}
		}
	}
	enter(self)
	for {
		for ; len(todo) > 0; todo = todo[1:] {
			for _, id := range waitFor[todo[0]] {
				enter(id)
			}
		}
		for _, id := range every {
			no := 0
			for other := range w.by[id].but {
				if back[other] && w.open[other] {
					no++
				}
			}
			if open > no {
				enter(id)
			}
		}
		if len(todo) == 0 {
			break
		}
	}
	for id := range first {
		if !back[id] {
			return false
		}
	}
	return true
}
