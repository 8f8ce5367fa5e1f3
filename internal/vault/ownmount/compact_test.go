package ownmount

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

// What is noted of places goes with their number, and not with that of
// campaigns, and nothing that is asked for is lost.
func TestWhatIsNotedOfPlacesDoesNotGrowWithCampaigns(t *testing.T) {
	const places, batch = 10_000, 250
	worker, admin, c := restricted(t, vault.WorkerPolicy)
	size := func() (secrets, bytes int) {
		t.Helper()
		names, err := admin.Names(t.Context(), "test", c.Vault.Mount, PlacesFolder)
		require.NoError(t, err)
		for _, name := range names {
			e, err := admin.Get(t.Context(), "test", c.Vault.Mount, PlacesFolder+"/"+name, 1)
			require.NoError(t, err)
			text, _ := e.Data[pageField].(string)
			bytes += len(text)
		}
		return len(names), bytes
	}
	began := time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC)
	campaign := func(n int) {
		t.Helper()
		for from := 0; from < places; from += batch {
			placed := map[string][]Placed{}
			for i := from; i < from+batch; i++ {
				id := fmt.Sprintf("corp/compact-%036d", i)
				p := credential.Path{Mount: "kv", Path: fmt.Sprintf("apps/compact/%05d", i), Field: "password"}
				placed[id] = []Placed{{Path: p, Version: n, Written: began.Add(time.Duration(n) * time.Hour)}}
			}
			require.NoError(t, worker.RecordActivated(t.Context(), placed))
		}
	}
	campaign(1)
	_, err := worker.ActivatedPlaces(t.Context(), nil)
	require.NoError(t, err)
	firsts := map[string]time.Time{}
	for id, notes := range worker.activated.places {
		firsts[id] = notes[0].first
	}
	_, one := size()
	// A process that knows the list, and is about to read.
	reader := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy))
	for n := 2; n <= 4; n++ {
		campaign(n)
		require.NoError(t, worker.CompactPlaces(t.Context()))
	}
	secrets, all := size()
	require.Less(t, all, 3*one, "of one campaign %d bytes, of four %d", one, all)
	require.Less(t, secrets, places/100+shards)

	// Another one compacts while others note and read.
	other := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy))
	campaign(5)
	done := make(chan error, 2)
	for _, s := range []*Store{worker, other} {
		go func() { done <- s.CompactPlaces(t.Context()) }()
	}
	late := credential.Path{Mount: "kv", Path: "apps/compact/late", Field: "password"}
	require.NoError(t, admin.RecordActivated(t.Context(), map[string][]Placed{"corp/late": {{Path: late, Version: 1, Written: began}}}))
	for range 2 {
		require.NoError(t, <-done)
	}
	_, now := size()
	require.Less(t, now, 3*one, "both may have written all, once")
	for _, s := range []*Store{worker, other, reader, open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy))} {
		_, err := s.ActivatedPlaces(t.Context(), nil)
		require.NoError(t, err)
		for i := range places {
			id := fmt.Sprintf("corp/compact-%036d", i)
			p := credential.Path{Mount: "kv", Path: fmt.Sprintf("apps/compact/%05d", i), Field: "password"}
			note, _ := s.activated.places[id].of(p)
			require.Equal(t, 5, note.latest.Version)
			require.True(t, note.latest.Written.Equal(began.Add(5*time.Hour)))
			require.True(t, note.first.Equal(firsts[id]), "it is as old as its first note: %s, not %s", firsts[id], note.first)
		}
		_, known := s.activated.places["corp/late"].of(late)
		require.True(t, known)
	}
}

// Broken off anywhere, nothing is lost: what is read twice says the same.
func TestNotesThatWereBrokenOffWhileTheyWereCompactedAreAllThere(t *testing.T) {
	worker, admin, c := restricted(t, vault.WorkerPolicy)
	p := credential.Path{Mount: "kv", Path: "apps/compact/broken", Field: "password"}
	at := func(n int) time.Time { return time.Date(2026, 11, 28, n, 0, 0, 0, time.UTC) }
	for n := 1; n <= 3; n++ {
		require.NoError(t, worker.RecordActivated(t.Context(), map[string][]Placed{"corp/broken": {{Path: p, Version: n, Written: at(n)}}}))
	}
	_, err := worker.ActivatedPlaces(t.Context(), nil)
	require.NoError(t, err)
	was, _ := worker.activated.places["corp/broken"].of(p)
	first := was.first
	require.NoError(t, worker.writePlaces(t.Context(), worker.activated.all()), "and then it dies")
	require.NoError(t, worker.RecordActivated(t.Context(), map[string][]Placed{"corp/broken": {{Path: p, Version: 4, Written: at(4)}}}))
	for range 2 {
		names, err := admin.Names(t.Context(), "test", c.Vault.Mount, PlacesFolder)
		require.NoError(t, err)
		later := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy))
		_, err = later.ActivatedPlaces(t.Context(), nil)
		require.NoError(t, err)
		note, _ := later.activated.places["corp/broken"].of(p)
		require.Equal(t, 4, note.latest.Version)
		require.True(t, note.first.Equal(first))
		// And with some of the old ones gone.
		for _, name := range names {
			e, err := admin.Get(t.Context(), "test", c.Vault.Mount, PlacesFolder+"/"+name, 1)
			require.NoError(t, err)
			var lines []placedAt
			text, _ := e.Data[pageField].(string)
			require.NoError(t, json.Unmarshal([]byte(text), &lines))
			if len(lines) == 1 && lines[0].Version < 3 {
				require.NoError(t, admin.Purge(t.Context(), "test", c.Vault.Mount, PlacesFolder+"/"+name))
			}
		}
	}
	// A login that may not delete leaves all as it is.
	operator := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.OperatorPolicy))
	require.NoError(t, operator.CompactPlaces(t.Context()), "nothing is worth it")
	require.True(t, worthCompacting(2, superseded+3, 1) && worthCompacting(shards+1, 10, 10))
	require.False(t, worthCompacting(1, 9000, 1) || worthCompacting(40, 10_000, 10_000))
}
