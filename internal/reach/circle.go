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

// awaits are the ids of the logins that have to be closed before the new value
// of c can be written where it is read.
func (o *Reach) awaits(ctx context.Context, c credential.Credential) (ids []string) {
	add := func(logins []credential.Credential) {
		for _, login := range logins {
			if login.ID != c.ID && !slices.Contains(ids, login.ID) && o.open(ctx, login, c) {
				ids = append(ids, login.ID)
			}
		}
	}
	for _, place := range o.places(c)[1:] {
		add(o.readers[place])
	}
	add(o.unknown)
	add(o.shut)
	return ids
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
	return o.of.store.NoteBeforeSet(ctx, c.ID, ownmount.BeforeSet{Campaign: o.campaign, Awaits: awaits})
}

// noted is what those of ids wait for that are about to be set, and what those
// wait for in turn. One that is closed, or no login of this batch (it is dead,
// or a person accepted it), is missing from what others wait for.
func (o *Reach) noted(ctx context.Context, ids []string) (map[string][]string, error) {
	vaults := sync.OnceValues(func() (time.Time, bool) { return o.of.store.ServerTime(ctx) })
	out, asked := map[string][]string{}, map[string]bool{}
	settled := map[string]bool{}
	isSettled := func(id string) (bool, error) {
		if _, known := settled[id]; !known {
			login, open := o.logins[id]
			if open {
				closed, _, err := o.of.closed(ctx, o.campaign, login)
				if err != nil {
					return false, err
				}
				open = !closed
			}
			settled[id] = !open
		}
		return settled[id], nil
	}
	for todo := slices.Clone(ids); len(todo) > 0; todo = todo[1:] {
		id := todo[0]
		if asked[id] {
			continue
		}
		asked[id] = true
		b, err := o.of.store.ReadBeforeSet(ctx, id)
		if err != nil {
			return nil, err
		}
		if !b.Stands(o.campaign, time.Now().Round(0), vaults) {
			continue
		}
		awaits := []string{}
		for _, other := range b.Awaits {
			done, err := isSettled(other)
			if err != nil {
				return nil, err
			}
			if !done {
				awaits = append(awaits, other)
			}
		}
		out[id] = awaits
		todo = append(todo, awaits...)
	}
	return out, nil
}

// circle reports whether self may be set although others are not closed: each
// that it waits for, and each that those wait for, is about to be set and
// waits in the end for self. awaits is what each that is about to be set waits
// for; of any other one there is nothing. One that does not wait for self goes
// first, and is closed then.
func circle(self string, awaits map[string][]string) bool {
	for id := range reached(self, awaits) {
		if _, about := awaits[id]; !about || !reached(id, awaits)[self] {
			return false
		}
	}
	return true
}

// reached are those that id waits for, and that these wait for in turn.
func reached(id string, awaits map[string][]string) map[string]bool {
	out := map[string]bool{}
	for todo := slices.Clone(awaits[id]); len(todo) > 0; todo = todo[1:] {
		if !out[todo[0]] {
			out[todo[0]] = true
			todo = append(todo, awaits[todo[0]]...)
		}
	}
	return out
}
