package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/inventory"
	"rollcall/internal/ledger"
	"rollcall/internal/report"
	"rollcall/internal/vault/ownmount"
	"rollcall/workflows"
)

// tryMore has what is picked tried before the others of a campaign that is held
// behind what was tried first. Where that is being tried already, it is
// followed.
func (s *session) tryMore(ctx context.Context, running *workflows.Status) error {
	whose := running.Campaign + s.startedBy(ctx, running.Campaign)
	if s.asBegun(ctx, running) {
		s.say("rejoining campaign %s, which was begun with that", whose)
		return nil
	}
	if !running.Held && !running.Trying {
		return fmt.Errorf("campaign %s runs already, and is not held behind what was tried first: what is tried first is picked when one begins, or while it is held; nothing was done. `rollcall run` goes on with it, `rollcall abort` ends it", whose)
	}
	t, err := s.trialOf(ctx, running)
	if err != nil {
		return fmt.Errorf("%w; nothing was done", err)
	}
	picked, err := t.pick(s.first)
	if err != nil {
		return fmt.Errorf("campaign %s: %w; nothing was done", running.Campaign, err)
	}
	if running.Trying {
		if other := t.notTried(picked); len(other) > 0 {
			return fmt.Errorf("campaign %s is trying what was picked before, and %s is not of that: it can be tried next, once the campaign is held; nothing was done", whose, someOf(other))
		}
		s.say("rejoining campaign %s, which is trying that", whose)
		s.tried = t.ids(picked)
		return nil
	}
	s.say("rejoining campaign %s", whose)
	dead, over, todo := t.sorted(picked)
	if len(dead) > 0 {
		s.say("note: dead already: %s", someOf(dead))
	}
	if len(over) > 0 {
		s.say("note: tried already, and come to its end in this campaign: %s (rollcall report says how)", someOf(over))
	}
	if len(todo) == 0 {
		return &exit{exitUnfinished, errors.New("nothing of what was picked is left to try; the others wait, nothing of them was changed. `rollcall run` goes on with them, `rollcall abort` ends the campaign")}
	}
	if err := s.confirmMore(ctx, t, todo); err != nil {
		return &exit{exitUnfinished, err}
	}
	if _, err = s.update(ctx, workflows.UpdateTryFirst, workflows.TryFirst{Refs: t.refs(todo), Actor: actor()}); err != nil {
		return s.refused(ctx, workflows.UpdateTryFirst, err)
	}
	s.tried = t.ids(todo)
	return nil
}

// asBegun reports whether a campaign that is still listing was begun with just
// what is picked now: whoever began it was cut off.
func (s *session) asBegun(ctx context.Context, running *workflows.Status) bool {
	if running.Phase != ledger.Listing {
		return false
	}
	spec, err := s.latestSpec(ctx, running.Campaign)
	begun := &config.Campaign{}
	if err != nil || json.Unmarshal(spec, begun) != nil || begun.First == nil {
		return false
	}
	return reflect.DeepEqual(*begun.First, s.first.Selection)
}

// confirmMore says what would be tried, and what of it cannot come to its end
// there, and has whoever can be asked say yes.
func (s *session) confirmMore(ctx context.Context, t *trial, todo []int) error {
	reach, err := inventory.Preview(ctx, s.store, s.cfg.Vault.Mount, t.roll)
	if err != nil {
		return err
	}
	s.sayKept(t.roll, reach, func(id string) bool { return t.dead[id] || slices.Contains(t.ids(todo), id) })
	cut := *t.roll
	cut.Credentials = nil
	for _, i := range todo {
		cut.Credentials = append(cut.Credentials, t.roll.Credentials[i])
	}
	return s.confirm(ctx, sumOf(s.cfg.Device, changesOf(&cut))+". Tried next, before the others begin: "+someOf(t.names(todo)), s.cfg.Device)
}

// trial is the roll of a running campaign, and what of it was tried first so
// far.
type trial struct {
	roll  *credential.Roll
	at    []credential.Ref // where each of the roll stands
	dead  map[string]bool  // by id
	tried map[credential.Ref]bool
	ended map[credential.Ref]bool // of tried: nothing tries it again
}

func (s *session) trialOf(ctx context.Context, running *workflows.Status) (*trial, error) {
	t := &trial{dead: map[string]bool{}, tried: map[credential.Ref]bool{}, ended: map[credential.Ref]bool{}}
	for _, of := range running.Tried {
		over := slices.ContainsFunc(running.Waves, func(w workflows.WaveStatus) bool { return w.Wave == of.Wave && w.Ended })
		for _, r := range of.Refs {
			t.tried[r], t.ended[r] = true, over
		}
	}
	index, err := s.store.ReadIndex(ctx, running.Campaign)
	if err != nil {
		return nil, err
	}
	t.roll = &credential.Roll{Campaign: index.Campaign, Device: index.Device, Servers: index.Servers}
	for _, w := range index.Waves {
		for len(t.roll.Waves) <= w.Wave {
			t.roll.Waves = append(t.roll.Waves, credential.Wave{})
		}
		t.roll.Waves[w.Wave] = credential.Wave{Name: w.Name, Alone: w.Alone, Hold: w.Hold, Tasks: w.Tasks}
	}
	err = s.store.Current(ctx, index, func(at credential.Ref, c credential.Credential) {
		t.at, t.roll.Credentials = append(t.at, at), append(t.roll.Credentials, c)
	})
	if err != nil {
		return nil, err
	}
	return t, s.store.Fates(ctx, running.Campaign, func(f ownmount.Fate) {
		if !f.DeadAt.IsZero() {
			t.dead[f.ID] = true
		}
	})
}

// pick gives the places in the roll of what a selection takes. What was tried
// is taken only by its name, and a limit counts what is left.
func (t *trial) pick(by selection) ([]int, error) {
	limit := by.Limit
	by.Limit = 0
	picked, err := inventory.First(t.roll, by.Selection)
	if err != nil {
		return nil, err
	}
	if len(by.Only) == 0 {
		if picked = slices.DeleteFunc(picked, func(i int) bool { return t.tried[t.at[i]] }); len(picked) == 0 {
			return nil, errors.New("all that was picked was tried already")
		}
	}
	if limit > 0 {
		picked = picked[:min(limit, len(picked))]
	}
	return picked, nil
}

// sorted are the names of those that are dead and of those that nothing tries
// again, and those that can be tried.
func (t *trial) sorted(picked []int) (dead, over []string, todo []int) {
	for _, i := range picked {
		switch c := t.roll.Credentials[i]; {
		case t.dead[c.ID]:
			dead = append(dead, report.Clean(c.Name))
		case t.ended[t.at[i]]:
			over = append(over, report.Clean(c.Name))
		default:
			todo = append(todo, i)
		}
	}
	return dead, over, todo
}

func (t *trial) notTried(picked []int) (names []string) {
	for _, i := range picked {
		if !t.tried[t.at[i]] {
			names = append(names, report.Clean(t.roll.Credentials[i].Name))
		}
	}
	return names
}

func (t *trial) refs(picked []int) (out credential.Refs) {
	for _, i := range picked {
		out = append(out, t.at[i])
	}
	return out
}

func (t *trial) ids(picked []int) (out []string) {
	for _, i := range picked {
		out = append(out, t.roll.Credentials[i].ID)
	}
	return out
}

func (t *trial) names(picked []int) (out []string) {
	for _, i := range picked {
		out = append(out, t.roll.Credentials[i].Name)
	}
	return out
}

// sayKept says what of what is tried first waits for logins that go later.
func (s *session) sayKept(roll *credential.Roll, reach []credential.Reach, first func(id string) bool) {
	if kept, logins := keptWaiting(roll, reach, first); len(kept) > 0 {
		s.say("note: of what is tried first %s would stay open (within-reach): %s could read the new value, and would go later. Name it too: --only '%s'",
			someOf(kept), someOf(logins), strings.Join(logins[:min(maxOpen, len(logins))], "' --only '"))
	}
}
