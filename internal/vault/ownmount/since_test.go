package ownmount

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

// A path is an account's for as long as it holds what Rollcall put there,
// whatever campaign noted it, and however the secret came to another version.
func TestWhatBecameOfAPathSinceAValueWasActivatedThere(t *testing.T) {
	worker, admin, c := restricted(t, vault.WorkerPolicy)
	later := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy))
	const id = "corp/a"
	at := func(name string) credential.Path {
		return credential.Path{Mount: "kv", Path: name, Field: "password"}
	}
	write := func(p credential.Path, data map[string]any) {
		t.Helper()
		_, err := admin.Put(t.Context(), "test", p.Mount, p.Path, now(t, admin, p).Version, data)
		require.NoError(t, err)
	}
	// rotate is a campaign's part: a value is activated, and noted unless a
	// crash is in between.
	rotate := func(p credential.Path, value string, note bool) vault.Live {
		t.Helper()
		l, err := worker.Activate(t.Context(), p, now(t, worker, p), credential.NewSecret(value), "")
		require.NoError(t, err)
		if note {
			require.NoError(t, worker.RecordActivated(t.Context(), map[string][]Placed{id: {{Path: p, Version: l.Version, Written: l.Written}}}))
		}
		return l
	}
	since := func(p credential.Path) Since {
		t.Helper()
		got, err := later.SinceActivated(t.Context(), id, p, now(t, later, p))
		require.NoError(t, err)
		return got
	}
	remove := func(kind string, p credential.Path) {
		t.Helper()
		_, err := admin.API().Logical().Delete(p.Mount + "/" + kind + "/" + p.Path)
		require.NoError(t, err)
	}

	for name, row := range map[string]struct {
		story func(credential.Path)
		want  Since
	}{
		"nothing was noted": {func(p credential.Path) { write(p, map[string]any{"password": "theirs"}) }, NotActivated},
		"one campaign":      {func(p credential.Path) { rotate(p, "S1", true) }, AsActivated},
		"three campaigns":   {func(p credential.Path) { rotate(p, "S1", true); rotate(p, "S2", true); rotate(p, "S3", true) }, AsActivated},
		"another field was added": {func(p credential.Path) {
			rotate(p, "S1", true)
			write(p, map[string]any{"password": "S1", "host": "b"})
		}, AsActivated},
		"given to another": {func(p credential.Path) {
			rotate(p, "S1", true)
			rotate(p, "S2", true)
			write(p, map[string]any{"password": "another's"})
		}, WrittenSince},
		"given to another, and an earlier value put back": {func(p credential.Path) {
			rotate(p, "S1", true)
			rotate(p, "S2", true)
			write(p, map[string]any{"password": "S1"})
		}, WrittenSince},
		"given to another, for whom a later campaign wrote it": {func(p credential.Path) {
			rotate(p, "S1", true)
			write(p, map[string]any{"password": "another's"})
			l, err := worker.Activate(t.Context(), p, now(t, worker, p), credential.NewSecret("S2"), "")
			require.NoError(t, err)
			require.NoError(t, worker.RecordActivated(t.Context(), map[string][]Placed{"corp/b": {{Path: p, Version: l.Version, Written: l.Written}}}))
		}, Anothers},
		"the field was taken away": {func(p credential.Path) { rotate(p, "S1", true); write(p, map[string]any{"token": "S1"}) }, WrittenSince},
		"deleted, and made anew with as many versions": {func(p credential.Path) {
			rotate(p, "S1", true)
			remove("metadata", p)
			write(p, map[string]any{"password": "another's"})
		}, WrittenSince},
		"deleted, and made anew with more versions": {func(p credential.Path) {
			rotate(p, "S1", true)
			remove("metadata", p)
			write(p, map[string]any{"password": "another's"})
			write(p, map[string]any{"password": "another's", "host": "b"})
		}, WrittenSince},
		"deleted, and made anew with fewer versions": {func(p credential.Path) {
			write(p, map[string]any{"password": "P0"})
			rotate(p, "S1", true)
			remove("metadata", p)
			write(p, map[string]any{"password": "another's"})
		}, WrittenSince},
		"deleted with all that Vault knew": {func(p credential.Path) { rotate(p, "S1", true); remove("metadata", p) }, AsActivated},
		"our version was deleted":          {func(p credential.Path) { rotate(p, "S1", true); remove("data", p) }, AsActivated},
		"another's version was deleted": {func(p credential.Path) {
			rotate(p, "S1", true)
			write(p, map[string]any{"password": "another's"})
			remove("data", p)
		}, WrittenSince},
		"activated once more and not noted": {func(p credential.Path) { rotate(p, "S1", true); rotate(p, "S2", false) }, WrittenSince},
		"the version that was noted is destroyed, and its value written again": {func(p credential.Path) {
			l := rotate(p, "S1", true)
			write(p, map[string]any{"password": "S1", "host": "b"})
			_, err := admin.API().Logical().Write(p.Mount+"/destroy/"+p.Path, map[string]any{"versions": []int{l.Version}})
			require.NoError(t, err)
		}, WrittenSince},
		"noted by a build that kept no version": {func(p credential.Path) {
			rotate(p, "S1", false)
			require.NoError(t, worker.RecordActivated(t.Context(), map[string][]Placed{id: {{Path: p}}}))
		}, NotSaid},
		"and noted with it by the next": {func(p credential.Path) {
			require.NoError(t, worker.RecordActivated(t.Context(), map[string][]Placed{id: {{Path: p}}}))
			rotate(p, "S1", true)
		}, AsActivated},
	} {
		p := at("apps/since/" + name)
		row.story(p)
		require.Equal(t, row.want, since(p), name)
	}

	// Another field of the same secret is another place, and so is another
	// account's.
	p := at("apps/since/one campaign")
	other := p
	other.Field = "token"
	require.Equal(t, NotActivated, since(other))
	got, err := later.SinceActivated(t.Context(), "corp/b", p, now(t, later, p))
	require.NoError(t, err)
	require.Equal(t, NotActivated, got)
}

// A place that is noted again, with another version, is as old as its first
// note: what was known when a campaign was listed is not news to it. A version
// that is known is not noted twice.
func TestAPlaceIsAsOldAsItsFirstNote(t *testing.T) {
	worker, _, c := restricted(t, vault.WorkerPolicy)
	p := credential.Path{Mount: "kv", Path: "apps/since/twice", Field: "password"}
	note := func(versions ...int) {
		t.Helper()
		for _, n := range versions {
			require.NoError(t, worker.RecordActivated(t.Context(), map[string][]Placed{"corp/a": {{Path: p, Version: n, Written: time.Date(2026, 11, 28, 0, 0, n, 7, time.UTC)}}}))
		}
	}
	notes := func() []string {
		names, err := worker.Names(t.Context(), "test", c.Vault.Mount, PlacesFolder)
		require.NoError(t, err)
		return names
	}
	note(1)
	_, err := worker.ActivatedPlaces(t.Context(), nil)
	require.NoError(t, err)
	first, _ := worker.activated.places["corp/a"].of(p)
	began := first.first
	require.False(t, began.IsZero())
	note(2, 2, 1)
	require.NoError(t, worker.RecordActivated(t.Context(), map[string][]Placed{"corp/a": {{Path: p}}}), "nothing new is said")

	later := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy))
	for _, s := range []*Store{worker, later} {
		news, err := s.ActivatedSince(t.Context(), began, []string{"corp/a"})
		require.NoError(t, err)
		require.Empty(t, news)
		note, _ := s.activated.places["corp/a"].of(p)
		got := note.latest
		require.Equal(t, 2, got.Version)
		require.True(t, got.Written.Equal(time.Date(2026, 11, 28, 0, 0, 2, 7, time.UTC)))
	}
	require.Len(t, notes(), 2, "what is known, or older than that, is not written again")

	// What builds before wrote is read as it was, and older builds read what
	// this one writes.
	e, err := worker.Get(t.Context(), "test", c.Vault.Mount, PlacesFolder+"/"+notes()[0], 1)
	require.NoError(t, err)
	var before []struct {
		ID   string          `json:"id"`
		Path credential.Path `json:"path"`
	}
	require.NoError(t, json.Unmarshal([]byte(e.Data[pageField].(string)), &before))
	require.Equal(t, p, before[0].Path)
}

func now(t *testing.T, s *Store, p credential.Path) vault.Live {
	t.Helper()
	l, err := s.ReadLive(t.Context(), p, 0)
	require.NoError(t, err)
	return l
}
