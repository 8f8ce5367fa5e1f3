package ownmount

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLoginsThatMayBeWrongAreCountedBeforeTheyAreMadeAndNoMoreThanMayBe(t *testing.T) {
	store, id := newStore(t), "vault/userpass/a"
	for n := 1; n <= 2; n++ {
		got, until, err := store.BeginLogin(t.Context(), id, 2, time.Hour)
		require.NoError(t, err)
		require.Equal(t, n, got)
		require.Zero(t, until)
	}
	got, until, err := store.BeginLogin(t.Context(), id, 2, time.Hour)
	require.NoError(t, err)
	require.Equal(t, 2, got, "it is not counted, for it is not made")
	require.WithinDuration(t, time.Now().Add(time.Hour+maxSkew), until, time.Minute)
	for _, row := range []struct{ ended, left int }{{1, 1}, {5, 0}} {
		require.NoError(t, store.EndLogins(t.Context(), id, row.ended))
		n, err := store.WrongLogins(t.Context(), id, time.Hour)
		require.NoError(t, err)
		require.Equal(t, row.left, n)
	}
	_, _, err = store.BeginLogin(t.Context(), id, 2, time.Hour)
	require.NoError(t, err)
	n, err := store.WrongLogins(t.Context(), id, -2*maxSkew)
	require.NoError(t, err)
	require.Zero(t, n, "Vault has forgotten it")
}

func TestLoginsSideBySideAreCountedTogether(t *testing.T) {
	store := newStore(t)
	var wg sync.WaitGroup
	var made atomic.Int64
	for range 6 {
		wg.Go(func() {
			_, until, err := store.BeginLogin(t.Context(), "vault/userpass/b", 3, time.Hour)
			if assert.NoError(t, err) && until.IsZero() {
				made.Add(1)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 3, made.Load())
}
