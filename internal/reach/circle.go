package reach

import (
	"context"
	"slices"
	"sync"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// A login to Vault whose old value is retired and whose new one cannot be
// written has cut its consumers off. So one is set only when each other login
// that could read the place of its new value is closed. Of logins that read
// each other's places one has to be first; then each of them must have been
// looked at, and nothing may keep any of them from being set but the others.
// What each waits for is noted in Vault, where every worker reads it.

// maxAwaited is how many others a note names. One that waits for more waits for
// every login of the roll that is open: an auth mount may give one policy to
// thousands of accounts.
const (
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
	if noted[c.ID] = awaits; circle(c.ID, noted) {
		return nil
	}
	return o.settled(ctx, c, notBegunFor("another login to Vault of the roll, which is not dead yet, could read where its new value goes, or what it could read cannot be found out; and it is not about to be set itself (its own reason says what is the matter with it, or it has not been looked at yet)"))
}

// StandAside notes the same of a login of which nothing is staged, because
// what another one could read cannot be found out: that one need not wait for
// it to be closed.
func (o *Reach) StandAside(ctx context.Context, c credential.Credential) error {
	return o.note(ctx, c, o.awaits(ctx, c))
}

// Aside is rotation.Reach's.
func (o *Reach) Aside(ctx context.Context, c credential.Credential) { o.of.Aside(ctx, c.ID) }

func (o *Reach) note(ctx context.Context, c credential.Credential, awaits []string) error {
	if len(awaits) > maxAwaited {
		awaits = []string{everyLogin}
	}
	b := ownmount.BeforeSet{Campaign: o.campaign, Awaits: awaits}
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

// noted is what those of ids wait for that are about to be set, and what those
// wait for in turn. One that is closed, or no login of this batch (it is dead,
// or a person accepted it), is missing from what others wait for. It ends at
// the first that is not about to be set, for nothing is set then.
func (o *Reach) noted(ctx context.Context, ids []string) (map[string][]string, error) {
	vaults := sync.OnceValues(func() (time.Time, bool) { return o.of.store.ServerTime(ctx) })
	out, asked := map[string][]string{}, map[string]bool{}
	var all []string // of the batch that are open
	every := func() []string {
		if all == nil {
			for id, login := range o.logins {
				if o.openLately(ctx, login) {
					all = append(all, id)
				}
			}
		}
		return all
	}
	for todo := slices.Clone(ids); len(todo) > 0; todo = todo[1:] {
		id := todo[0]
		if asked[id] {
			continue
		}
		asked[id] = true
		b, stands, err := o.stands(ctx, id, vaults)
		if err != nil || !stands {
			return out, err
		}
		awaits := []string{}
		if slices.Contains(b.Awaits, everyLogin) {
			awaits = slices.DeleteFunc(slices.Clone(every()), func(other string) bool { return other == id })
		} else {
			for _, other := range b.Awaits {
				if login, known := o.logins[other]; known && o.openLately(ctx, login) {
					awaits = append(awaits, other)
				}
			}
		}
		out[id] = awaits
		for _, other := range awaits {
			if !asked[other] {
				todo = append(todo, other)
			}
		}
	}
	return out, nil
}

// circle reports whether self may be set although others are not closed: each
// that it waits for, and each that those wait for, is about to be set and
// waits in the end for self. awaits is what each that is about to be set waits
// for; of any other one there is nothing. One that does not wait for self goes
// first, and is closed then.
func circle(self string, awaits map[string][]string) bool {
	waitFor := map[string][]string{} // by login: who waits for it
	first := reached(self, awaits)
	for id := range first {
		by, about := awaits[id]
		if !about {
			return false
		}
		for _, other := range by {
			waitFor[other] = append(waitFor[other], id)
		}
	}
	back := reached(self, waitFor)
	for id := range first {
		if !back[id] && id != self {
			return false
		}
	}
	return true
}

// reached are those that id leads to, and that these lead to in turn.
func reached(id string, to map[string][]string) map[string]bool {
	out := map[string]bool{}
	for todo := []string{id}; len(todo) > 0; todo = todo[1:] {
		for _, next := range to[todo[0]] {
			if !out[next] {
				out[next] = true
				todo = append(todo, next)
			}
		}
	}
	return out
}
