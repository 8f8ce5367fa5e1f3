package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"rollcall/internal/authority"
	"rollcall/internal/vault/ownmount"
)

// A rehearsal that lives writes its record again every beat. Whether it does is
// seen by waiting, so that no two clocks are compared.
const (
	beat = 2 * time.Second
	wait = 7 * time.Second
)

// keepAlive writes the record again and again. If somebody else has taken it
// away, alive ends: what it made is being removed.
func (r *Rehearsal) keepAlive(ctx context.Context, rec ownmount.RehearsalRecord) (alive context.Context, stop func()) {
	alive, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(beat)
		defer tick.Stop()
		for {
			select {
			case <-alive.Done():
				return
			case <-tick.C:
				now, err := r.Store.KeepRehearsal(alive, rec)
				if err != nil && alive.Err() == nil {
					cancel()
					return
				}
				rec = now
			}
		}
	}()
	return alive, func() {
		cancel()
		<-done
	}
}

// Leftovers removes what earlier rehearsals left that do not live any more, and
// says of which. An error says what is still there.
func (r *Rehearsal) Leftovers(ctx context.Context) (removed []string, err error) {
	before, err := r.Store.Rehearsals(ctx)
	if err != nil || len(before) == 0 {
		return nil, err
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(wait):
	}
	now, err := r.Store.Rehearsals(ctx)
	if err != nil {
		return nil, err
	}
	var left []error
	for _, rec := range now {
		if !sameRecord(before, rec) {
			continue // it lives, or began meanwhile
		}
		if err := r.removeLeft(ctx, rec); err != nil {
			left = append(left, fmt.Errorf("what the rehearsal of %s at %s left could not be removed: %w", rec.At.Format(time.RFC3339), rec.Authority, err))
			continue
		}
		removed = append(removed, strings.TrimSpace(rec.Authority+" "+rec.Account))
	}
	return removed, errors.Join(left...)
}

func sameRecord(before []ownmount.RehearsalRecord, now ownmount.RehearsalRecord) bool {
	for _, b := range before {
		if b.ID == now.ID {
			return b.Version == now.Version
		}
	}
	return false
}

func (r *Rehearsal) removeLeft(ctx context.Context, rec ownmount.RehearsalRecord) error {
	in := r.Spec.Rehearsal(rec.Authority)
	if rec.Account == "" {
		return r.remove(ctx, rec, in, nil, false, rec.Live.Mount != "")
	}
	if rec.Account != authority.Bogus+"-"+rec.ID {
		return fmt.Errorf("its record names another account than its own; look at %s/%s in Vault", r.Store.Mount(), ownmount.RehearsalsFolder)
	}
	if rec.Under != "" {
		in.Under = rec.Under // the file's may be another one by now
	}
	if !in.Makes() {
		return fmt.Errorf("the campaign file does not say any more where its account %s was made: remove it by hand, or put rehearsal back", rec.Account)
	}
	system, err := r.Kinds.System(r.Spec, rec.Authority)
	if err != nil {
		return err
	}
	can, ok := system.(authority.Rehearser)
	if !ok {
		return fmt.Errorf("nothing can be removed at %s", rec.Authority)
	}
	return r.remove(ctx, rec, in, can, true, rec.Live.Mount != "")
}

// remove takes the account away first, then its live path, then what is staged
// and the record: as long as the record is there, all else is found again.
func (r *Rehearsal) remove(ctx context.Context, rec ownmount.RehearsalRecord, in authority.Rehearsal, system authority.Rehearser, account, live bool) error {
	if account && in.Makes() {
		if err := system.RemoveBogus(ctx, in, rec.Account); err != nil {
			return err
		}
	}
	own := rec.Live.Mount == r.Store.Mount()
	switch {
	case !live || own:
	case !authority.IsBogus(path.Base(rec.Live.Path)):
		return fmt.Errorf("its record names a live path that is none of a rehearsal: %s", rec.Live)
	default:
		if err := r.Store.RemoveLive(ctx, rec.Live); err != nil {
			return err
		}
	}
	return r.Store.EndRehearsal(ctx, rec.ID)
}
