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
// Of a campaign whose ledger is not in dir, but on another machine, the words
// themselves are looked at: Vault keeps them.
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
		if err != nil { // it is elsewhere
			found, err := saidThen(ctx, store, in.Campaign, rec.Campaign, index, seen)
			if err != nil {
				return nil, err
			}
			out = append(out, found...)
			continue
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

// saidThen are words in an earlier campaign that an end is done, of people
// whose login is on this roll. What they came to only that campaign's ledger
// says, which is not here.
func saidThen(ctx context.Context, store *ownmount.Store, campaign, earlier string, index ownmount.RollIndex, seen map[string]bool) (out []credential.Finding, err error) {
	words, err := store.Statements(ctx, earlier)
	if vault.IsDenied(err) {
		return nil, nil // the policies are of a file without tasks
	}
	if err != nil {
		return nil, err
	}
	roll, err := RollOf(ctx, store, campaign)
	if err != nil {
		return nil, err
	}
	for n := range index.Pages {
		page, err := store.ReadPage(ctx, earlier, index.Snapshot, n)
		if err != nil {
			return nil, err
		}
		for _, c := range page {
			if c.Task == nil || seen[c.ID] {
				continue
			}
			seen[c.ID] = true
			told := map[string]bool{}
			for _, w := range words[c.ID] {
				if w.Does != people.Done || w.Malformed() != "" || told[w.Entity+"/"+w.End] {
					continue
				}
				p, err := store.PersonByID(ctx, w.Entity)
				if err != nil {
					return nil, err
				}
				if p == nil || !p.OnRoll(roll) {
					continue
				}
				told[w.Entity+"/"+w.End] = true
				out = append(out, credential.Finding{Code: credential.FindingAttestedThen, Detail: fmt.Sprintf(
					"in campaign %s, whose ledger is not on this machine, %s said at %s that %s is done at the end %s, and has a login that is on this roll or has the name of an account of it: where that ledger has the end as done by this word, whoever stole the login may have said so, and had the new value",
					earlier, p.Name, w.At.UTC().Format(time.RFC3339), c.Name, w.End)})
			}
		}
	}
	return out, nil
}
