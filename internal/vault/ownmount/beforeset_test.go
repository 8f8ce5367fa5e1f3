package ownmount

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestANoteThatALoginIsAboutToBeSetCountsForAWhileByVaultsClock(t *testing.T) {
	at := time.Date(2026, 11, 30, 21, 0, 0, 0, time.UTC)
	b := BeforeSet{Campaign: "c", Awaits: []string{"a"}, Noted: at}
	silent := func() (time.Time, bool) { return time.Time{}, false }
	says := func(now time.Time) func() (time.Time, bool) { return func() (time.Time, bool) { return now, true } }
	require.True(t, b.Stands("c", at.Add(BeforeSetFor-time.Second), silent))
	require.False(t, b.Stands("c", at.Add(BeforeSetFor), silent))
	require.True(t, b.Stands("c", at.Add(24*time.Hour), says(at)), "a worker's clock that goes wrong")
	require.False(t, b.Stands("c", at, says(at.Add(BeforeSetFor))))
	require.False(t, b.Stands("another", at, silent))
	require.False(t, BeforeSet{Campaign: "c", Noted: at}.Stands("c", at, silent))
	require.False(t, BeforeSet{Campaign: "c", Awaits: []string{"a"}}.Stands("c", at, silent))
}

func TestANoteThatALoginIsAboutToBeSetIsTakenBack(t *testing.T) {
	store := newStore(t)
	none, err := store.ReadBeforeSet(t.Context(), "vault/approle/a")
	require.NoError(t, err)
	require.Zero(t, none)
	require.NoError(t, store.NotBeforeSet(t.Context(), "c", "vault/approle/a"))
	for range 2 {
		for _, awaits := range [][]string{{"vault/approle/b"}, {"vault/approle/c"}} {
			require.NoError(t, store.NoteBeforeSet(t.Context(), "vault/approle/a", BeforeSet{Campaign: "c", Awaits: awaits}))
			b, err := store.ReadBeforeSet(t.Context(), "vault/approle/a")
			require.NoError(t, err)
			require.Equal(t, awaits, b.Awaits)
			require.True(t, b.Stands("c", time.Now(), func() (time.Time, bool) { return store.ServerTime(t.Context()) }))
		}
		ids, err := store.ListStaged(t.Context())
		require.NoError(t, err)
		require.Empty(t, ids, "it is no entry of a value")
		require.NoError(t, store.NotBeforeSet(t.Context(), "beside it", "vault/approle/a"))
		left, err := store.ReadBeforeSet(t.Context(), "vault/approle/a")
		require.NoError(t, err)
		require.Equal(t, "c", left.Campaign, "another campaign waits for the same login")
		require.NoError(t, store.NotBeforeSet(t.Context(), "c", "vault/approle/a"))
		none, err = store.ReadBeforeSet(t.Context(), "vault/approle/a")
		require.NoError(t, err)
		require.Zero(t, none)
	}
}
