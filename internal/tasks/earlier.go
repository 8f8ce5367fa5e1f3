package tasks

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/people"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// Of so many earlier campaigns at most so many with tasks are looked through.
const (
	mostEarlier      = 10
	earlierWithTasks = 3
)

// AttestedThen tells words of earlier campaigns, by which a task is dead there,
// of people whose login is on this roll, or has the name of an account of it.
// Those ledgers are looked at that are on this machine, in dir.
func AttestedThen(ctx context.Context, store *ownmount.Store, dir string, in wire.Roll) (out []credential.Finding, err error) {
	all, err := store.Campaigns(ctx, in.Device)
	if err != nil {
		return nil, err
	}
	looked, seen := 0, map[string]bool{}                   // tasks of which a later campaign says more
	for _, rec := range all[:min(len(all), mostEarlier)] { // newest first
		if rec.Campaign == in.Campaign || looked == earlierWithTasks {
			continue
		}
		index, err := store.ReadIndex(ctx, rec.Campaign)
		switch {
		case vault.IsNotFound(err):
			continue
		case err != nil:
			return nil, err
		case !slices.ContainsFunc(index.Waves, func(w credential.WaveIndex) bool { return w.Tasks }):
			continue
		}
		looked++
		r, err := ledger.OpenReader(filepath.Join(dir, rec.Campaign))
		if err != nil {
			continue // it is elsewhere
		}
		state, err := r.State(ctx)
		if err != nil {
			continue // ledger verify says what is the matter with it
		}
		for _, line := range state.Tasks() {
			if line.Task == nil || seen[line.ID] {
				continue
			}
			seen[line.ID] = true
			found, err := doubted(ctx, store, in.Campaign, rec.Campaign, line)
			if err != nil {
				return nil, err
			}
			out = append(out, found...)
		}
	}
	return out, nil
}

// doubted are those words about one task of an earlier campaign.
func doubted(ctx context.Context, store *ownmount.Store, campaign, earlier string, line *ledger.CredentialState) (out []credential.Finding, err error) {
	if line.Outcome != ledger.Dead {
		return nil, nil
	}
	roll, err := RollOf(ctx, store, campaign)
	if err != nil {
		return nil, err
	}
	for _, e := range line.Task.Ends {
		if e.Done == nil {
			continue
		}
		p, err := store.PersonByID(ctx, e.Done.Entity)
		if err != nil {
			return nil, err
		}
		if p == nil {
			p = &people.Person{} // by the logins of then
		}
		if !p.OnRoll(roll) && !slices.ContainsFunc(e.Done.Logins, func(login string) bool { return roll.Logins[strings.ToLower(login)] }) {
			continue
		}
		out = append(out, credential.Finding{Code: credential.FindingAttestedThen, Detail: fmt.Sprintf(
			"campaign %s has %s as dead, at the end %s by the word of %s (%s) of %s, who has a login that is on this roll or has the name of an account of it: whoever stole that may have said so, and had the new value",
			earlier, line.Name, e.End, e.Done.Name, strings.Join(e.Done.Logins, ", "), e.Done.At.UTC().Format(time.RFC3339))})
	}
	return out, nil
}
