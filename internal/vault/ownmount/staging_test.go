package ownmount

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

func staged(value, campaign string) Staged {
	return Staged{
		Secret: credential.NewSecret(value), Campaign: campaign, Attempt: 1,
		Base:   map[string]int{"kv/apps/x#password": 3, "kv/apps/y#password": 0},
		Old:    map[string]credential.Secret{"kv/apps/x#password": credential.NewSecret("stolen")},
		Unsent: true, Refused: true, Asked: true, Changed: credential.FindingChangedDuring, Retired: "00000000000000000007", Before: "mark before",
		Handed: []string{"e-a", "e-b"}, Spoiled: "somebody read it", Looked: "c0", Instead: "of another", Renewals: 2,
		CreatedAt: time.Date(2026, 11, 23, 9, 0, 0, 123, time.UTC),
	}
}

func TestAValueIsStagedOnceAndTheNextCallerGetsThatOne(t *testing.T) {
	s, id := newStore(t), "corp/5f0c"
	_, found, err := s.ReadStaged(t.Context(), id)
	require.NoError(t, err)
	require.False(t, found)

	first, created, err := s.Stage(t.Context(), id, staged("one", "c1"))
	require.NoError(t, err)
	require.True(t, created)
	require.Equal(t, 1, first.Version)

	got, created, err := s.Stage(t.Context(), id, staged("two", "c2"))
	require.NoError(t, err)
	require.False(t, created)
	require.Equal(t, first, got)

	got, found, err = s.ReadStaged(t.Context(), id)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, first, got)
}

func TestOnlyOneOfManyStagesAtOnceIsCreated(t *testing.T) {
	s := newStore(t)
	var mu sync.Mutex
	var wg sync.WaitGroup
	created, values := 0, map[string]bool{}
	for i := range 24 {
		wg.Go(func() {
			got, made, err := s.Stage(t.Context(), "corp/race", staged(string(rune('a'+i)), "c"))
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				values[err.Error()] = true
			}
			values[got.Secret.Reveal()] = true
			if made {
				created++
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, created)
	require.Len(t, values, 1, "everybody holds the one staged value")
}

func TestALostReplyToStageShowsAsOurOwnEntryThatIsNotFresh(t *testing.T) {
	_, c := newStoreOf(t)
	hop := vaulttest.NewLossy(t)
	s := open(t, c, hop.URL, server.RootToken())

	hop.LoseReplyTo("PUT", "/data/staging/corp/lost")
	_, created, err := s.Stage(t.Context(), "corp/lost", staged("one", "c1"))
	require.True(t, vault.IsKind(err, vault.Unreachable), "%v", err)
	require.False(t, created)

	got, created, err := s.Stage(t.Context(), "corp/lost", staged("two", "c1"))
	require.NoError(t, err)
	require.False(t, created, "a server may have seen the value")
	require.Equal(t, "one", got.Secret.Reveal())
}

func TestRestageReplacesOnlyTheVersionItHasSeen(t *testing.T) {
	s, id := newStore(t), "corp/re"
	first, _, err := s.Stage(t.Context(), id, staged("one", "c1"))
	require.NoError(t, err)

	next := first
	next.Secret, next.Attempt, next.PolicyRefused, next.Outlived = credential.NewSecret("two"), 2, true, 1
	next, err = s.Restage(t.Context(), id, next)
	require.NoError(t, err)
	require.Equal(t, 2, next.Version)

	twin := first
	twin.Secret = credential.NewSecret("slow twin")
	_, err = s.Restage(t.Context(), id, twin)
	require.True(t, vault.IsCASMismatch(err), "%v", err)

	got, _, err := s.ReadStaged(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, next, got)
}

func TestAfterUnstageTheCredentialCanBeStagedAgain(t *testing.T) {
	s, id := newStore(t), "corp/un"
	first, _, err := s.Stage(t.Context(), id, staged("one", "c1"))
	require.NoError(t, err)
	first, err = s.Restage(t.Context(), id, first)
	require.NoError(t, err)
	require.NoError(t, s.Unstage(t.Context(), id, first.Campaign, first.Attempt))
	require.NoError(t, s.Unstage(t.Context(), id, first.Campaign, first.Attempt), "nothing staged is no error")

	_, created, err := s.Stage(t.Context(), id, staged("two", "c2"))
	require.NoError(t, err)
	require.True(t, created)
}

func TestReleaseDeletesWithoutALook(t *testing.T) {
	s, id := newStore(t), "corp/release"
	_, _, err := s.Stage(t.Context(), id, staged("one", "c1"))
	require.NoError(t, err)
	require.NoError(t, s.Release(t.Context(), id))
	require.NoError(t, s.Release(t.Context(), id), "nothing staged is no error")
	_, found, err := s.ReadStaged(t.Context(), id)
	require.NoError(t, err)
	require.False(t, found)
}

func TestUnstageLeavesTheEntryOfALaterRotationAlone(t *testing.T) {
	s, id := newStore(t), "corp/late"
	first, _, err := s.Stage(t.Context(), id, staged("one", "c1"))
	require.NoError(t, err)
	require.NoError(t, s.Unstage(t.Context(), id, first.Campaign, first.Attempt))
	later, _, err := s.Stage(t.Context(), id, staged("two", "c2"))
	require.NoError(t, err)
	require.Equal(t, first.Version, later.Version, "Vault counts from 1 again, so the version alone tells nothing")

	require.True(t, vault.IsCASMismatch(s.Unstage(t.Context(), id, first.Campaign, first.Attempt)))
	got, found, err := s.ReadStaged(t.Context(), id)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, later, got)
}

func TestIDsWithAnyCharactersAreStagedApartAndListed(t *testing.T) {
	s := newStore(t)
	ids := []string{
		"corp/0b1f9a2e-0d3c-4e44-9b0e-000000000001",
		"corp/a",
		"corp/a/b", // a folder beside an entry of the same name
		"corp/A",
		"unmatched/kv/apps/x#password",
		"unmatched/kv/apps/x y?z%2fä",
		"unmatched/kv//.././~7e",
		"vault/approle/esg-01",
		"corp/+*",
	}
	for _, id := range ids {
		_, created, err := s.Stage(t.Context(), id, staged("value of "+id, "c"))
		require.NoError(t, err)
		require.True(t, created, id)
	}
	got, err := s.ListStaged(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, ids, got)
	for _, id := range ids {
		st, found, err := s.ReadStaged(t.Context(), id)
		require.NoError(t, err)
		require.True(t, found, id)
		require.Equal(t, "value of "+id, st.Secret.Reveal())
		require.NoError(t, s.Unstage(t.Context(), id, st.Campaign, st.Attempt))
	}
	got, err = s.ListStaged(t.Context())
	require.NoError(t, err)
	require.Empty(t, got)
}

func TestEncodedIDsAreSafeAndDecodeToTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.String().Draw(t, "id")
		enc := encodeID(id)
		for seg := range strings.SplitSeq(enc, "/") {
			require.NotContains(t, []string{"", ".", ".."}, seg)
		}
		got, ok := decodeID(enc)
		require.True(t, ok)
		require.Equal(t, id, got)
	})
}

// A reset that got no answer may arrive after the proof: whoever would set
// another value has to know, and nothing else of the entry stays.
func TestUnstageLeavesOnlyWhenAResetThatMayStillArriveWasSent(t *testing.T) {
	s, _, _ := restricted(t, vault.WorkerPolicy)
	id := "corp/arrives"
	sent := time.Now().UTC().Truncate(time.Millisecond).Add(-time.Hour) // by the clock of a worker that is behind
	first := staged("one", "c1")
	first, _, err := s.Stage(t.Context(), id, first)
	require.NoError(t, err)
	first.Late = sent
	first, err = s.Restage(t.Context(), id, first)
	require.NoError(t, err)
	for range 2 { // done again after a lost answer
		require.NoError(t, s.Unstage(t.Context(), id, first.Campaign, first.Attempt))
	}
	_, found, err := s.ReadStaged(t.Context(), id)
	require.NoError(t, err)
	require.False(t, found)
	for version := 1; version <= first.Version; version++ {
		e, err := s.Get(t.Context(), "test", s.mount, stagingPath(id), version)
		require.NoError(t, err)
		require.Nil(t, e.Data, "version %d", version)
	}

	next := staged("two", "c2")
	got, created, err := s.Stage(t.Context(), id, next)
	require.NoError(t, err)
	require.False(t, created)
	require.True(t, got.Freed && got.Secret.IsZero() && got.Late.Equal(sent), "%+v", got)
	vaults := func(at time.Time) func() (time.Time, bool) {
		return func() (time.Time, bool) { return at, true }
	}
	require.Positive(t, got.MayArrive(sent.Add(24*time.Hour), vaults(got.Noted.Add(LateFor-time.Second))), "whatever our own clock says")
	require.Zero(t, got.MayArrive(sent, vaults(got.Noted.Add(LateFor))))
	silent := func() (time.Time, bool) { return time.Time{}, false }
	require.Zero(t, got.MayArrive(got.Noted.Add(LateFor), silent))
	require.Positive(t, got.MayArrive(got.Noted.Add(LateFor-time.Second), silent))
	next.Version = got.Version
	next, err = s.Restage(t.Context(), id, next)
	require.NoError(t, err)
	require.True(t, vault.IsCASMismatch(s.Unstage(t.Context(), id, first.Campaign, first.Attempt)))
	require.NoError(t, s.Unstage(t.Context(), id, next.Campaign, next.Attempt))
	_, created, err = s.Stage(t.Context(), id, staged("three", "c3"))
	require.NoError(t, err)
	require.True(t, created)
}
