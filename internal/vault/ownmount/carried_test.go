package ownmount

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

func TestANoteLeadsToTheNewestVersionThatHoldsItsValue(t *testing.T) {
	at := func(n int) time.Time { return time.Date(2026, 11, 29, 12, 0, n, 7, time.UTC) }
	a, b, c := credential.Path{Mount: "kv", Path: "apps", Field: "a"}, credential.Path{Mount: "kv", Path: "apps", Field: "b"}, credential.Path{Mount: "kv", Path: "apps", Field: "c"}
	line := func(id string, p credential.Path, version int) placedAt {
		return placedAt{ID: id, Path: p, Version: version, Written: at(version), Over: at(version - 1)}
	}
	later := line("corp/b", b, 3)
	later.Over = at(9)
	elsewhere := line("corp/b", credential.Path{Mount: "kv", Path: "other", Field: "b"}, 3)
	for name, row := range map[string]struct {
		notes []placedAt
		want  int // of what was activated for a as version 2
	}{
		"nothing was written since":                {[]placedAt{line("corp/a", a, 2)}, 2},
		"another account's was":                    {[]placedAt{line("corp/a", a, 2), line("corp/b", b, 3)}, 3},
		"which was noted first":                    {[]placedAt{line("corp/b", b, 3), line("corp/a", a, 2)}, 3},
		"two others were":                          {[]placedAt{line("corp/c", c, 4), line("corp/a", a, 2), line("corp/b", b, 3)}, 4},
		"somebody else wrote in between":           {[]placedAt{line("corp/a", a, 2), line("corp/c", c, 4)}, 2},
		"it is another secret of that number":      {[]placedAt{line("corp/a", a, 2), later}, 2},
		"it is another path":                       {[]placedAt{line("corp/a", a, 2), elsewhere}, 2},
		"another credential's, in the same field":  {[]placedAt{line("corp/a", a, 2), line("corp/x", a, 3)}, 2},
		"and one that is not known to have others": {[]placedAt{line("corp/a", a, 2), {ID: "corp/b", Path: b, Version: 3, Written: at(3)}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			read := func(page []placedAt) *activated {
				x := &activated{places: map[string]placeNotes{}, over: map[versionOf][]carried{}}
				x.add(page, at(20))
				return x
			}
			was := Placed{Path: a, Version: 2, Written: at(2)}
			x := read(row.notes)
			require.Equal(t, row.want, x.newest(was).Version)
			// It is put into few lines, and into those of a later campaign.
			x = read(x.all())
			require.Equal(t, row.want, x.newest(was).Version)
			require.Equal(t, row.want, read(x.all()).newest(was).Version)
			require.Len(t, x.all(), len(read(row.notes).all()))
		})
	}
}

// A person says whose a path is by what he saw there, and to the second.
func TestAPathHoldsWhatItHeldAlsoWhenTheVersionThatWasSeenIsGone(t *testing.T) {
	worker, admin, c := restricted(t, vault.WorkerPolicy)
	later := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy))
	a, b := credential.Path{Mount: "kv", Path: "apps/two", Field: "a"}, credential.Path{Mount: "kv", Path: "apps/two", Field: "b"}
	_, err := admin.Put(t.Context(), "test", "kv", "apps/two", 0, map[string]any{"a": "of a", "b": "of b"})
	require.NoError(t, err)
	first := now(t, admin, a)
	held := func(written time.Time) bool {
		t.Helper()
		is, err := later.HeldSince(t.Context(), Placed{Path: a, Version: first.Version, Written: written}, now(t, later, a))
		require.NoError(t, err)
		return is
	}
	require.True(t, held(first.Written))
	l, err := worker.Activate(t.Context(), b, now(t, worker, b), credential.NewSecret("new of b"), "")
	require.NoError(t, err)
	require.True(t, held(first.Written), "it can be read")
	_, err = worker.Destroy(t.Context(), b, []int{first.Version}, l.Version, l.Written)
	require.NoError(t, err)
	require.False(t, held(first.Written), "nothing says that it is as it was")
	require.NoError(t, worker.RecordActivated(t.Context(), map[string][]Placed{"corp/b": {{Path: b, Version: l.Version, Written: l.Written, Over: l.Over}}}))
	require.True(t, held(first.Written))
	require.True(t, held(first.Written.Truncate(time.Second)))
	require.False(t, held(first.Written.Add(-time.Hour)), "it is another secret")
	_, err = admin.Put(t.Context(), "test", "kv", "apps/two", l.Version, map[string]any{"a": "another's", "b": "new of b"})
	require.NoError(t, err)
	require.False(t, held(first.Written))
}
