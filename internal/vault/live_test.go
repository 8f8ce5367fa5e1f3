package vault

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault/vaulttest"
)

func TestReadLiveTellsWhatCanBeReadAndWhatToCompareWith(t *testing.T) {
	s := newClient(t)
	client := server.Client().Logical()
	for _, row := range []struct {
		name    string
		prepare func(p credential.Path)
		version int
		want    Live
	}{
		{"never written", func(credential.Path) {}, 0, Live{}},
		{"a string", func(p credential.Path) { vaulttest.SeedLive(t, p, map[string]any{"password": "x"}) }, 0,
			Live{Value: credential.NewSecret("x"), Version: 1, Found: true}},
		{"a number is a password too", func(p credential.Path) { vaulttest.SeedLive(t, p, map[string]any{"password": 9007199254740991}) }, 0,
			Live{Value: credential.NewSecret("9007199254740991"), Version: 1, Found: true}},
		{"without the field", func(p credential.Path) { vaulttest.SeedLive(t, p, map[string]any{"user": "x", "pw": "y"}) }, 0,
			Live{Version: 1, Problem: credential.NoField, Keys: []string{"pw", "user"}}},
		{"the same value in another field", func(p credential.Path) {
			vaulttest.SeedLive(t, p, map[string]any{"password": "hunter2-x", "app.yml": "user: svc\npassword: hunter2-x\n", "host": "h"})
		}, 0, Live{Value: credential.NewSecret("hunter2-x"), Version: 1, Found: true, Also: []string{"app.yml"}}},
		{"an empty field", func(p credential.Path) { vaulttest.SeedLive(t, p, map[string]any{"password": ""}) }, 0, Live{Version: 1}},
		{"an empty field beside others", func(p credential.Path) { vaulttest.SeedLive(t, p, map[string]any{"password": "", "pw": "x"}) }, 0,
			Live{Version: 1, Problem: credential.NoField, Keys: []string{"password", "pw"}}},
		{"an empty field beside a user's name", func(p credential.Path) {
			vaulttest.SeedLive(t, p, map[string]any{"password": "", "username": "svc", "note": ""})
		}, 0, Live{Version: 1, Keys: []string{"note", "password", "username"}}},
		{"nothing in the field, beside others", func(p credential.Path) { vaulttest.SeedLive(t, p, map[string]any{"password": nil, "pw": "x"}) }, 0,
			Live{Version: 1, Problem: credential.NoField, Keys: []string{"password", "pw"}}},
		{"a nested object", func(p credential.Path) {
			vaulttest.SeedLive(t, p, map[string]any{"password": map[string]any{"value": "x"}})
		}, 0, Live{Version: 1, Problem: credential.UnusableValue}},
		{"a document in which the secret is not known", func(p credential.Path) {
			vaulttest.SeedLive(t, p, map[string]any{"password": "user: svc\npassword: x\npw: y\n"})
		}, 0, Live{Version: 1, Problem: credential.NotBare}},
		{"an address with a secret in it", func(p credential.Path) {
			vaulttest.SeedLive(t, p, map[string]any{"password": "ldaps://svc:p%40ss@ldap.example.org/"})
		}, 0, Live{Value: credential.NewSecret("p@ss"), Other: credential.NewSecret("p%40ss"), Version: 1, Found: true, More: "an address in which it may stand as it is, or percent-encoded"}},
		{"an older version", func(p credential.Path) {
			vaulttest.SeedLive(t, p, map[string]any{"password": "old"})
			vaulttest.SeedLive(t, p, map[string]any{"password": "new"})
		}, 1, Live{Value: credential.NewSecret("old"), Version: 1, Found: true}},
		{"a version that was never", func(p credential.Path) { vaulttest.SeedLive(t, p, map[string]any{"password": "x"}) }, 7, Live{}},
		{"deleted", func(p credential.Path) {
			vaulttest.SeedLive(t, p, map[string]any{"password": "x"})
			_, err := client.DeleteWithContext(t.Context(), "kv/data/"+p.Path)
			require.NoError(t, err)
		}, 0, Live{Version: 1, Problem: credential.DeletedVersion, Ends: true}},
		{"destroyed", func(p credential.Path) {
			vaulttest.SeedLive(t, p, map[string]any{"password": "x"})
			_, err := client.WriteWithContext(t.Context(), "kv/destroy/"+p.Path, map[string]any{"versions": []int{1}})
			require.NoError(t, err)
		}, 1, Live{Version: 1}},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := vaulttest.NewPath()
			row.prepare(p)
			got, err := s.ReadLive(t.Context(), p, row.version)
			require.NoError(t, err)
			require.Equal(t, row.want.Version > 0, !got.Written.IsZero())
			if row.want.Version > 0 {
				require.WithinDuration(t, time.Now(), got.Written, time.Minute)
			}
			if len(got.Also) == 0 {
				got.Also = nil
			}
			got.data, got.around, got.other, got.field, got.Written = nil, nil, nil, "", time.Time{}
			if row.want.Keys == nil {
				got.Keys = nil
			}
			require.Equal(t, row.want, got)
		})
	}
}

func TestAPathThatTheClientWouldRewriteIsRefused(t *testing.T) {
	s := newClient(t)
	for _, path := range []string{"", "a//b", "a/../b", "./a", "a/"} {
		_, err := s.ReadLive(t.Context(), credential.Path{Mount: "kv", Path: path, Field: "x"}, 0)
		require.ErrorContains(t, err, "no path of a secret", path)
	}
}

func TestActivateReplacesTheFieldAndNothingElse(t *testing.T) {
	s := newClient(t)
	for _, row := range []struct {
		name   string
		before map[string]any
	}{
		{"other fields of every type", map[string]any{
			"password": "old", "user": "svc <a&b>", "port": json.Number("9007199254740991"), "rate": json.Number("1.5"),
			"on": true, "nothing": nil, "nested": map[string]any{"a": []any{json.Number("1"), "b"}}}},
		{"the only field", map[string]any{"password": "old"}},
		{"the path is new", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			p := vaulttest.NewPath()
			if row.before != nil {
				vaulttest.SeedLive(t, p, row.before)
			}
			from, err := s.ReadLive(t.Context(), p, 0)
			require.NoError(t, err)
			v, err := s.Activate(t.Context(), p, from, credential.NewSecret("new"), "corp/1")
			require.NoError(t, err)
			require.Equal(t, from.Version+1, v.Version)
			require.Equal(t, from.Version, v.Replaced)
			want := map[string]any{"password": "new"}
			if row.before == nil {
				want[OwnerField] = "corp/1"
			}
			for k, x := range row.before {
				if k != "password" {
					want[k] = x
				}
			}
			require.Equal(t, want, vaulttest.RawData(t, p))
		})
	}
}

func TestActivateAfterAForeignWrite(t *testing.T) {
	s := newClient(t)
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
			p := vaulttest.NewPath()
			vaulttest.SeedLive(t, p, map[string]any{"password": "old", "user": "u"})
			from, err := s.ReadLive(t.Context(), p, 0)
			require.NoError(t, err)
			vaulttest.SeedLive(t, p, row.foreign)
			_, err = s.Activate(t.Context(), p, from, credential.NewSecret("new"), "")
			require.Equal(t, row.conflict, IsCASMismatch(err), "%v", err)
			require.Equal(t, row.want, vaulttest.RawData(t, p))
		})
	}
}

func TestALostReplyToActivateIsSuccessWhenAskedAgain(t *testing.T) {
	c := vaulttest.NewCampaign()
	hop := vaulttest.NewLossy(t)
	s, p := open(t, c, hop.URL, server.RootToken()), vaulttest.NewPath()
	vaulttest.SeedLive(t, p, map[string]any{"password": "old"})
	from, err := s.ReadLive(t.Context(), p, 0)
	require.NoError(t, err)

	hop.LoseReplyTo("PUT", p.Path)
	_, err = s.Activate(t.Context(), p, from, credential.NewSecret("new"), "")
	require.True(t, IsKind(err, Unreachable), "%v", err)
	v, err := s.Activate(t.Context(), p, from, credential.NewSecret("new"), "")
	require.NoError(t, err)
	require.Equal(t, 2, v.Version, "written once")
}

func TestManyFieldsOfOneSecretAreActivatedAtOnce(t *testing.T) {
	s, p := newClient(t), vaulttest.NewPath()
	const n = 32
	data := map[string]any{}
	for i := range n {
		data[fmt.Sprint("f", i)] = "old"
	}
	vaulttest.SeedLive(t, p, data)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			field := p
			field.Field = fmt.Sprint("f", i)
			from, err := s.ReadLive(t.Context(), field, 0)
			if err == nil {
				_, err = s.Activate(t.Context(), field, from, credential.NewSecret(fmt.Sprint("new", i)), "")
			}
			errs[i] = err
		})
	}
	wg.Wait()
	for i := range n {
		require.NoError(t, errs[i])
		data[fmt.Sprint("f", i)] = fmt.Sprint("new", i)
	}
	require.Equal(t, data, vaulttest.RawData(t, p))
}

func TestOldVersionsAreDestroyedAndTheCurrentOneStays(t *testing.T) {
	s, p := newClient(t), vaulttest.NewPath()
	for i := range 4 {
		vaulttest.SeedLive(t, p, map[string]any{"password": fmt.Sprint("v", i+1)})
	}
	now, err := s.ReadLive(t.Context(), p, 0)
	require.NoError(t, err)
	for range 2 {
		requireDestroy(t, s, p, []int{1, 3, 4, 5}, 4, now.Written, true)
	}
	for v := 1; v <= 4; v++ {
		got, err := s.ReadLive(t.Context(), p, v)
		require.NoError(t, err)
		require.Equal(t, v == 2 || v == 4, got.Found, "version %d", v)
	}
	gone := vaulttest.NewPath()
	requireDestroy(t, s, gone, []int{1}, 2, now.Written, false)
	requireDestroy(t, s, gone, nil, 0, time.Time{}, false)
}

func requireDestroy(t *testing.T, s *Client, p credential.Path, versions []int, activated int, written time.Time, want bool) {
	t.Helper()
	current, err := s.Destroy(t.Context(), p, versions, activated, written)
	require.NoError(t, err)
	require.Equal(t, want, current)
}

// Its readers get something else then, and the copy in staging must stay.
func TestAnActivatedVersionThatIsNotWhatReadersGetIsNotCurrent(t *testing.T) {
	admin := func(t *testing.T, method, at string, data map[string]any) {
		t.Helper()
		var err error
		if method == "delete" {
			_, err = server.Client().Logical().Delete(at)
		} else {
			_, err = server.Client().Logical().Write(at, data)
		}
		require.NoError(t, err)
	}
	for _, row := range []struct {
		name string
		do   func(t *testing.T, p credential.Path, version int)
		want bool
	}{
		{"nothing happened", func(*testing.T, credential.Path, int) {}, true},
		{"written over", func(t *testing.T, p credential.Path, _ int) {
			vaulttest.SeedLive(t, p, map[string]any{"password": "theirs"})
		}, false},
		{"deleted", func(t *testing.T, p credential.Path, _ int) { admin(t, "delete", "kv/data/"+p.Path, nil) }, false},
		{"destroyed", func(t *testing.T, p credential.Path, n int) {
			admin(t, "write", "kv/destroy/"+p.Path, map[string]any{"versions": []int{n}})
		}, false},
		{"all its versions pushed out", func(t *testing.T, p credential.Path, _ int) {
			admin(t, "write", "kv/metadata/"+p.Path, map[string]any{"max_versions": 1})
			vaulttest.SeedLive(t, p, map[string]any{"password": "theirs"})
		}, false},
		{"made anew", func(t *testing.T, p credential.Path, n int) {
			admin(t, "delete", "kv/metadata/"+p.Path, nil)
			for range n {
				vaulttest.SeedLive(t, p, map[string]any{"password": "theirs"})
			}
		}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, p := newClient(t), vaulttest.NewPath()
			vaulttest.SeedLive(t, p, map[string]any{"password": "stolen"})
			from, err := s.ReadLive(t.Context(), p, 0)
			require.NoError(t, err)
			now, err := s.Activate(t.Context(), p, from, credential.NewSecret("new"), "")
			require.NoError(t, err)
			row.do(t, p, now.Version)
			requireDestroy(t, s, p, nil, now.Version, now.Written, row.want)
		})
	}
}

// Terraform does this, and a clean may be a day late.
func TestNothingIsDestroyedOfASecretThatWasDeletedAndMadeAnew(t *testing.T) {
	s, p := newClient(t), vaulttest.NewPath()
	vaulttest.SeedLive(t, p, map[string]any{"password": "stolen"})
	from, err := s.ReadLive(t.Context(), p, 0)
	require.NoError(t, err)
	now, err := s.Activate(t.Context(), p, from, credential.NewSecret("new"), "")
	require.NoError(t, err)
	_, err = server.Client().Logical().DeleteWithContext(t.Context(), "kv/metadata/"+p.Path)
	require.NoError(t, err)
	vaulttest.SeedLive(t, p, map[string]any{"password": "theirs"})
	vaulttest.SeedLive(t, p, map[string]any{"password": "theirs too"})
	requireDestroy(t, s, p, []int{1}, now.Version, now.Written, false)
	first, err := s.ReadLive(t.Context(), p, 1)
	require.NoError(t, err)
	require.True(t, first.Found, "version 1 is another one by now")
}

func TestAVersionWithAFieldThatIsNowhereElseIsNotDestroyed(t *testing.T) {
	s, p := newClient(t), vaulttest.NewPath()
	vaulttest.SeedLive(t, p, map[string]any{"password": "stolen", "tls_key": "only here"})
	vaulttest.SeedLive(t, p, map[string]any{"password": "stolen"})
	from, err := s.ReadLive(t.Context(), p, 0)
	require.NoError(t, err)
	now, err := s.Activate(t.Context(), p, from, credential.NewSecret("new"), "")
	require.NoError(t, err)
	requireDestroy(t, s, p, []int{1, 2}, now.Version, now.Written, true)
	for v, stays := range map[int]bool{1: true, 2: false} {
		got, err := s.ReadLive(t.Context(), p, v)
		require.NoError(t, err)
		require.Equal(t, stays, got.Found, "version %d", v)
	}
}

func TestADocumentKeepsAllButItsSecret(t *testing.T) {
	s := newClient(t)
	for before, after := range map[string]string{
		"ldaps://svc:old@ldap.example.org/ou=x?uid":                         "ldaps://svc:n%40w%2F%3A%20%C3%BC@ldap.example.org/ou=x?uid",
		`{"user": "svc", "port": 636, "auth": {"password": "old"} }` + "\n": `{"user": "svc", "port": 636, "auth": {"password": "n@w/: ü"} }` + "\n",
		"Server=db;User Id=svc;Password=old;Encrypt=true":                   `Server=db;User Id=svc;Password="n@w/: ü";Encrypt=true`,
		"host=db user=svc password=old sslmode=require":                     `host=db user=svc password='n@w/: ü' sslmode=require`,
	} {
		p := vaulttest.NewPath()
		vaulttest.SeedLive(t, p, map[string]any{"password": before, "other": "x"})
		from, err := s.ReadLive(t.Context(), p, 0)
		require.NoError(t, err)
		require.Equal(t, "old", from.Value.Reveal(), before)
		now, err := s.Activate(t.Context(), p, from, credential.NewSecret("n@w/: ü"), "")
		require.NoError(t, err)
		require.Equal(t, "n@w/: ü", now.Value.Reveal())
		require.Equal(t, map[string]any{"password": after, "other": "x"}, vaulttest.RawData(t, p))
	}
}

func TestAMountOfSeveralSegmentsIsAskedForAndNotGuessed(t *testing.T) {
	s := newClient(t)
	mount := fmt.Sprintf("team/kv%d", vaulttest.Mounts.Add(1))
	require.NoError(t, server.Client().Sys().MountWithContext(t.Context(), mount, &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	ref, err := credential.ParsePath(mount + "/esg/mail#password")
	require.NoError(t, err)
	require.Eventually(t, func() bool { // a new mount is set up in the background
		_, err = s.Activate(t.Context(), ref, Live{}, credential.NewSecret("x"), "")
		return err == nil
	}, time.Minute, 50*time.Millisecond)
	got, err := server.Client().Logical().ReadWithContext(t.Context(), mount+"/data/esg/mail")
	require.NoError(t, err)
	require.Equal(t, map[string]any{"password": "x"}, got.Data["data"])
}

func TestAMountThatIsNotThereAndOneOfVersion1AreToldApart(t *testing.T) {
	s := newClient(t)
	_, err := s.ReadLive(t.Context(), credential.Path{Mount: "nomount", Path: "svc-mail", Field: "password"}, 0)
	require.True(t, IsKind(err, NoMount), "%v", err)
	var e *Error
	require.ErrorAs(t, err, &e)
	require.NotContains(t, e.Stop().Detail, "svc-mail", "it may be an account's name")
	old := fmt.Sprintf("kv1-%d", vaulttest.Mounts.Add(1))
	require.NoError(t, server.Client().Sys().MountWithContext(t.Context(), old, &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "1"}}))
	_, err = s.Activate(t.Context(), credential.Path{Mount: old, Path: "apps/mail", Field: "password"}, Live{}, credential.NewSecret("x"), "")
	require.True(t, IsKind(err, NotKV2), "%v", err)
	got, err := server.Client().Logical().ReadWithContext(t.Context(), old+"/data/apps/mail")
	require.NoError(t, err)
	require.Nil(t, got, "nothing was written there")
}

// docs/notify.md says that a key is the field as it is.
func TestAKeyThatIsBase64OfATextIsTakenAsItLies(t *testing.T) {
	t.Parallel()
	const key = "c2l4dGVlbi1ieXRlcy1vci1tb3JlLW9mLWtleQ=="
	is := liveOf(Entry{Version: 1, Data: map[string]any{"key": key + "\n"}}, "key")
	require.NotEqual(t, key, is.Value.Reveal(), "as a password it would stand for another text")
	require.Equal(t, key, is.AsItLies().Reveal())
	require.True(t, liveOf(Entry{Version: 1, Data: map[string]any{}}, "key").AsItLies().IsZero())
}
