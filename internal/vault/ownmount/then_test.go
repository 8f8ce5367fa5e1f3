package ownmount

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

func TestWhatWasStolenIsWhatWasThereInForeignHands(t *testing.T) {
	worker, admin, _ := restricted(t, vault.WorkerPolicy)
	at := func(name string) credential.Path {
		return credential.Path{Mount: "kv", Path: "apps/then/" + name, Field: "password"}
	}
	// write gives when each value was written.
	write := func(p credential.Path, values ...string) (when []time.Time) {
		for _, v := range values {
			l, err := admin.Activate(t.Context(), p, now(t, admin, p), credential.NewSecret(v), "")
			require.NoError(t, err)
			when = append(when, l.Written)
		}
		return when
	}
	then := func(p credential.Path, exposure ...config.Interval) (lives, lost []int) {
		t.Helper()
		got, err := worker.HeldThen(t.Context(), &config.Campaign{Exposure: exposure}, p, now(t, worker, p))
		require.NoError(t, err)
		for _, l := range got.Lives {
			lives = append(lives, l.Version)
			require.True(t, got.Has(l))
		}
		for _, v := range got.Lost {
			lost = append(lost, v.Version)
		}
		return lives, lost
	}
	during := func(from, to time.Time) config.Interval { return config.Interval{From: from, To: to} }
	long := time.Now().Add(-24 * time.Hour)
	past := during(long, long.Add(time.Hour))

	p := at("a")
	when := write(p, "a", "b", "c", "d")
	lives, lost := then(p, during(when[3].Add(time.Millisecond), time.Time{}))
	require.Equal(t, []int{4}, lives, "nobody wrote since")
	require.Empty(t, lost)
	lives, _ = then(p, during(when[1], when[2].Add(-time.Nanosecond)))
	require.Equal(t, []int{2, 1}, lives, "what was replaced as it began counts")
	lives, _ = then(p, past, during(when[3], time.Time{}))
	require.Equal(t, []int{4, 3, 1}, lives, "the first version may be as old as anything")
	require.NoError(t, admin.API().KVv2("kv").Destroy(t.Context(), p.Path, []int{2}))
	lives, lost = then(p, during(when[0], when[3]))
	require.Equal(t, []int{4, 3, 1}, lives)
	require.Equal(t, []int{2}, lost)

	// Vault keeps so many, and what it has forgotten nobody knows.
	_, err := admin.API().Logical().Write("kv/metadata/"+p.Path, map[string]any{"max_versions": 2})
	require.NoError(t, err)
	write(p, "e", "f")
	lives, lost = then(p, past)
	require.Empty(t, lives)
	require.Equal(t, []int{0}, lost)

	// What Rollcall made is no older than it is.
	p = at("made")
	_, err = worker.Activate(t.Context(), p, vault.Live{}, credential.NewSecret("ours"), "corp/a")
	require.NoError(t, err)
	lives, lost = then(p, past)
	require.Empty(t, lives)
	require.Empty(t, lost)
	p = at("first")
	write(p, "theirs")
	lives, _ = then(p, past)
	require.Equal(t, []int{1}, lives)

	require.NoError(t, admin.API().KVv2("kv").Delete(t.Context(), p.Path))
	lives, lost = then(p, past)
	require.Empty(t, lives)
	require.Equal(t, []int{1}, lost, "it was deleted, and is the newest still")

	// A field that was not there then was not stolen.
	p = at("later field")
	for v, data := range []map[string]any{{"host": "ldap"}, {"host": "ldap", "password": "since"}} {
		_, err = admin.Put(t.Context(), "test", p.Mount, p.Path, v, data)
		require.NoError(t, err)
	}
	lives, lost = then(p, past)
	require.Empty(t, lives)
	require.Empty(t, lost)

	// A file that does not say when.
	p = at("now")
	write(p, "a", "b")
	lives, _ = then(p)
	require.Equal(t, []int{2}, lives)
	l := now(t, worker, p)
	require.NoError(t, worker.RecordActivated(t.Context(), map[string][]Placed{"corp/b": {{Path: p, Version: l.Version, Written: l.Written}}}))
	lives, lost = then(p)
	require.Empty(t, lives, "Rollcall put it there")
	require.Equal(t, []int{0}, lost)
	lives, lost = then(at("nothing"))
	require.Empty(t, lives)
	require.Empty(t, lost)
}

func TestWhatAUserRefusedIsKnownByItsVersionForGood(t *testing.T) {
	worker, _, _ := restricted(t, vault.WorkerPolicy)
	const id = "vault/userpass/refuser"
	p := credential.Path{Mount: "kv", Path: "apps/then/refused", Field: "password"}
	first := credential.StolenVersion{Version: 1, Written: time.Now().UTC()}
	had, err := worker.RefusedBefore(t.Context(), id)
	require.NoError(t, err)
	require.Empty(t, had)
	require.False(t, had.Has(p, credential.StolenVersion{}))
	require.NoError(t, worker.RecordRefused(t.Context(), id, RefusedVersions{{Path: p, StolenVersion: first}}))
	require.NoError(t, worker.RecordRefused(t.Context(), id, RefusedVersions{{Path: p, StolenVersion: first}}))
	had, err = worker.RefusedBefore(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, had, 1)
	require.True(t, had.Has(p, first))
	require.True(t, had.Has(p, credential.StolenVersion{}), "what Vault has forgotten of that path")
	require.False(t, had.Has(p, credential.StolenVersion{Version: 1, Written: first.Written.Add(time.Hour)}), "a secret that was made anew")
	other := p
	other.Path = "apps/then/other"
	require.False(t, had.Has(other, first))
	require.NoError(t, worker.RecordRefused(t.Context(), id, RefusedVersions{{Path: other, StolenVersion: first, Others: true}}))
	had, err = worker.RefusedBefore(t.Context(), id)
	require.NoError(t, err)
	require.True(t, had.Has(other, first))
	require.False(t, had.Has(other, credential.StolenVersion{}), "it was asked with one of several, and what Vault forgot may be another")
	ids, err := worker.ListStaged(t.Context())
	require.NoError(t, err)
	require.NotContains(t, ids, id, "it is no lock on the user")
	_, staged, err := worker.ReadStaged(t.Context(), id)
	require.NoError(t, err)
	require.False(t, staged)
}
