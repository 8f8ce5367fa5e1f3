package ownmount

import (
	"bytes"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/vault"
)

func TestASpecificationIsStoredOnceAndReadBackWhole(t *testing.T) {
	s := newStore(t)
	for _, size := range []int{0, 1, specChunk, 3*specChunk + 1} {
		owner := CampaignSpec(fmt.Sprint("esg-01/", size))
		_, err := s.LoadSpec(t.Context(), owner)
		require.True(t, vault.IsNotFound(err), "%v", err)

		data := bytes.Repeat([]byte{'x'}, size)
		require.NoError(t, s.SaveSpec(t.Context(), owner, data))
		require.True(t, vault.IsCASMismatch(s.SaveSpec(t.Context(), owner, []byte("another"))))
		got, err := s.LoadSpec(t.Context(), owner)
		require.NoError(t, err)
		require.True(t, bytes.Equal(data, got), "saving over it changes nothing")
	}
}

func TestADeletedSpecificationIsGoneAndMayBeStoredAgain(t *testing.T) {
	s, owner := newStore(t), ScheduleSpec("schedule/esg-01")
	require.NoError(t, s.DeleteSpec(t.Context(), owner))
	require.NoError(t, s.SaveSpec(t.Context(), owner, []byte("one")))
	require.NoError(t, s.DeleteSpec(t.Context(), owner))
	_, err := s.LoadSpec(t.Context(), owner)
	require.True(t, vault.IsNotFound(err), "%v", err)
	left, err := s.Names(t.Context(), "test", s.mount, specFolder)
	require.NoError(t, err)
	require.Empty(t, left)
	require.NoError(t, s.SaveSpec(t.Context(), owner, []byte("two")))
}

func TestOfManySpecificationsSavedAtOnceOneIsKeptWhole(t *testing.T) {
	s, owner := newStore(t), CampaignSpec("race")
	var mu sync.Mutex
	var wg sync.WaitGroup
	saved := []byte{}
	for i := range 8 {
		wg.Go(func() {
			err := s.SaveSpec(t.Context(), owner, bytes.Repeat([]byte{'a' + byte(i)}, 2*specChunk))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				saved = append(saved, 'a'+byte(i))
			}
		})
	}
	wg.Wait()
	require.Len(t, saved, 1)
	got, err := s.LoadSpec(t.Context(), owner)
	require.NoError(t, err)
	require.True(t, bytes.Equal(bytes.Repeat(saved, 2*specChunk), got))
}
