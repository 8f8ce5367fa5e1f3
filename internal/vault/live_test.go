package vault

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// newPath is a path that no other test uses.
func newPath() credential.Path {
	return credential.Path{Mount: "kv", Path: fmt.Sprintf("apps/live-%d", mounts.Add(1)), Field: "password"}
}

func seedLive(t *testing.T, p credential.Path, data map[string]any) {
	t.Helper()
	require.NoError(t, server.SeedKV(t.Context(), map[string]map[string]any{p.Path: data}))
}

func rawData(t *testing.T, p credential.Path) map[string]any {
	t.Helper()
	got, err := server.Client().Logical().ReadWithContext(t.Context(), p.Mount+"/data/"+p.Path)
	require.NoError(t, err)
	return got.Data["data"].(map[string]any)
}

func TestReadLiveTellsWhatCanBeReadAndWhatToCompareWith(t *testing.T) {
	s := newStore(t)
	client := server.Client().Logical()
	for _, row := range []struct {
		name    string
		prepare func(p credential.Path)
		version int
		want    Live
	}{
		{"never written", func(credential.Path) {}, 0, Live{}},
		{"a string", func(p credential.Path) { seedLive(t, p, map[string]any{"password": "x"}) }, 0,
			Live{Value: credential.NewSecret("x"), Version: 1, Found: true}},
		{"a number is a password too", func(p credential.Path) { seedLive(t, p, map[string]any{"password": 9007199254740991}) }, 0,
			Live{Value: credential.NewSecret("9007199254740991"), Version: 1, Found: true}},
		{"without the field", func(p credential.Path) { seedLive(t, p, map[string]any{"user": "x"}) }, 0, Live{Version: 1}},
		{"an older version", func(p credential.Path) {
			seedLive(t, p, map[string]any{"password": "old"})
			seedLive(t, p, map[string]any{"password": "new"})
		}, 1, Live{Value: credential.NewSecret("old"), Version: 1, Found: true}},
		{"a version that was never", func(p credential.Path) { seedLive(t, p, map[string]any{"password": "x"}) }, 7, Live{}},
		{"deleted", func(p credential.Path) {
			seedLive(t, p, map[string]any{"password": "x"})
			_, err := client.DeleteWithContext(t.Context(), "kv/data/"+p.Path)
			require.NoError(t, err)
		}, 0, Live{Version: 1}},
		{"destroyed", func(p credential.Path) {
			seedLive(t, p, map[string]any{"password": "x"})
			require.NoError(t, s.DestroyUpTo(t.Context(), p, 1))
		}, 1, Live{Version: 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newPath()
			row.prepare(p)
			got, err := s.ReadLive(t.Context(), p, row.version)
			require.NoError(t, err)
			require.Equal(t, row.want.Version > 0, !got.Written.IsZero())
			if row.want.Version > 0 {
				require.WithinDuration(t, time.Now(), got.Written, time.Minute)
			}
			got.data, got.Written = nil, time.Time{}
			require.Equal(t, row.want, got)
		})
	}
}

func TestReadLiveRefusesAFieldThatCannotBeAPassword(t *testing.T) {
	s, p := newStore(t), newPath()
	seedLive(t, p, map[string]any{"password": []string{"hunter2"}})
	_, err := s.ReadLive(t.Context(), p, 0)
	require.ErrorContains(t, err, "password")
	require.NotContains(t, err.Error(), "hunter2")
}

func TestAPathThatTheClientWouldRewriteIsRefused(t *testing.T) {
	s := newStore(t)
	for _, path := range []string{"", "a//b", "a/../b", "./a", "a/"} {
		_, err := s.ReadLive(t.Context(), credential.Path{Mount: "kv", Path: path, Field: "x"}, 0)
		require.ErrorContains(t, err, "no path of a secret", path)
	}
}

func TestActivateReplacesTheFieldAndNothingElse(t *testing.T) {
	s := newStore(t)
	for _, row := range []struct {
		name   string
		before map[string]any
	}{
		{"other fields of every type", map[string]any{
			"password": "old", "user": "svc <a&b>", "port": json.Number("9007199254740991"), "rate": json.Number("1.5"),
			"on": true, "nothing": nil, "nested": map[string]any{"a": []any{json.Number("1"), "b"}}}},
		{"the only field", map[string]any{"password": "old"}},
		{"the field is new", map[string]any{"user": "svc"}},
		{"the path is new", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newPath()
			if row.before != nil {
				seedLive(t, p, row.before)
			}
			from, err := s.ReadLive(t.Context(), p, 0)
			require.NoError(t, err)
			v, err := s.Activate(t.Context(), p, from, credential.NewSecret("new"))
			require.NoError(t, err)
			require.Equal(t, from.Version+1, v)
			want := map[string]any{"password": "new"}
			for k, x := range row.before {
				if k != "password" {
					want[k] = x
				}
			}
			require.Equal(t, want, rawData(t, p))
		})
	}
}

func TestActivateAfterAForeignWrite(t *testing.T) {
	s := newStore(t)
	for _, row := range []struct {
		name     string
		foreign  map[string]any
		conflict bool
		want     map[string]any
	}{
		{"another field changed: written on top of it",
			map[string]any{"password": "old", "user": "changed"}, false, map[string]any{"password": "new", "user": "changed"}},
		{"our field holds our value: a lost reply",
			map[string]any{"password": "new", "user": "u"}, false, map[string]any{"password": "new", "user": "u"}},
		{"our field holds something else: left alone",
			map[string]any{"password": "foreign", "user": "u"}, true, map[string]any{"password": "foreign", "user": "u"}},
		{"our field is gone: left alone",
			map[string]any{"user": "u"}, true, map[string]any{"user": "u"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := newPath()
			seedLive(t, p, map[string]any{"password": "old", "user": "u"})
			from, err := s.ReadLive(t.Context(), p, 0)
			require.NoError(t, err)
			seedLive(t, p, row.foreign)
			_, err = s.Activate(t.Context(), p, from, credential.NewSecret("new"))
			require.Equal(t, row.conflict, AsCAS(err), "%v", err)
			require.Equal(t, row.want, rawData(t, p))
		})
	}
}

func TestALostReplyToActivateIsSuccessWhenAskedAgain(t *testing.T) {
	_, c := newStoreOf(t)
	hop := newLossy(t)
	s, p := open(t, c, hop.URL, server.RootToken()), newPath()
	seedLive(t, p, map[string]any{"password": "old"})
	from, err := s.ReadLive(t.Context(), p, 0)
	require.NoError(t, err)

	hop.loseReplyTo("PUT", p.Path)
	_, err = s.Activate(t.Context(), p, from, credential.NewSecret("new"))
	require.True(t, isKind(err, Unreachable), "%v", err)
	v, err := s.Activate(t.Context(), p, from, credential.NewSecret("new"))
	require.NoError(t, err)
	require.Equal(t, 2, v, "written once")
}

func TestManyFieldsOfOneSecretAreActivatedAtOnce(t *testing.T) {
	s, p := newStore(t), newPath()
	const n = 32
	data := map[string]any{}
	for i := range n {
		data[fmt.Sprint("f", i)] = "old"
	}
	seedLive(t, p, data)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			field := p
			field.Field = fmt.Sprint("f", i)
			from, err := s.ReadLive(t.Context(), field, 0)
			if err == nil {
				_, err = s.Activate(t.Context(), field, from, credential.NewSecret(fmt.Sprint("new", i)))
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for i := range n {
		require.NoError(t, errs[i])
		data[fmt.Sprint("f", i)] = fmt.Sprint("new", i)
	}
	require.Equal(t, data, rawData(t, p))
}

func TestOldVersionsAreDestroyedAndTheCurrentOneStays(t *testing.T) {
	s, p := newStore(t), newPath()
	for i := range 4 {
		seedLive(t, p, map[string]any{"password": fmt.Sprint("v", i+1)})
	}
	for range 2 {
		require.NoError(t, s.DestroyUpTo(t.Context(), p, 3))
	}
	for v := 1; v <= 4; v++ {
		got, err := s.ReadLive(t.Context(), p, v)
		require.NoError(t, err)
		require.Equal(t, v == 4, got.Found, "version %d", v)
	}
	require.NoError(t, s.DestroyUpTo(t.Context(), p, 0))
	gone := newPath()
	require.NoError(t, s.DestroyUpTo(t.Context(), gone, 1))
	require.NoError(t, s.DestroyUpTo(t.Context(), gone, 5))
}
