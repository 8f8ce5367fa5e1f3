package vault

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault/vaulttest"
)

// remade is a KV mount of the test's own that a client knows as one of version
// 2, and where a secret lies.
func remade(t *testing.T) credential.Path {
	t.Helper()
	name := fmt.Sprintf("remade%d", vaulttest.Mounts.Add(1))
	vaulttest.KVMount(t, name, nil)
	p := credential.Path{Mount: name, Path: "apps/mail", Field: "password"}
	_, err := server.Client().Logical().WriteWithContext(t.Context(), name+"/data/"+p.Path, map[string]any{"data": map[string]any{"password": "old"}})
	require.NoError(t, err)
	return p
}

// remake disables a mount and makes it anew, of another type.
func remake(t *testing.T, name string, as *vaultapi.MountInput) {
	t.Helper()
	require.NoError(t, server.Client().Sys().UnmountWithContext(t.Context(), name))
	if as != nil {
		require.NoError(t, server.Client().Sys().MountWithContext(t.Context(), name, as))
	}
}

func kv1() *vaultapi.MountInput {
	return &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "1"}}
}

// all are the names of what a KV mount of version 1 holds, at any depth.
func all(t *testing.T, mount string) (out []string) {
	t.Helper()
	folders := []string{mount}
	for len(folders) > 0 {
		at := folders[0]
		folders = folders[1:]
		got, err := server.Client().Logical().ListWithContext(t.Context(), at)
		require.NoError(t, err)
		for _, name := range listed(got) {
			if folder, is := strings.CutSuffix(name, "/"); is {
				folders = append(folders, at+"/"+folder)
			} else {
				out = append(out, at+"/"+name)
			}
		}
	}
	return out
}

// A mount can be made anew, of another type, while a worker lives. Version 1
// takes what is sent to version 2 for a secret of its own, in clear, where
// whoever reads below the old path finds it.
func TestAMountThatWasMadeAnewTakesNoValue(t *testing.T) {
	s := newClient(t)
	for name, change := range map[string]func(credential.Path) error{
		"activate": func(p credential.Path) error {
			_, err := s.Activate(t.Context(), p, Live{}, credential.NewSecret("new"), "")
			return err
		},
		"activate over what was read": func(p credential.Path) error {
			_, err := s.Activate(t.Context(), p, Live{Version: 1, data: map[string]any{"password": "old"}, Found: true}, credential.NewSecret("new"), "")
			return err
		},
		"put": func(p credential.Path) error {
			_, err := s.Put(t.Context(), "keep", p.Mount, p.Path, 0, map[string]any{"value": "new"})
			return err
		},
		"a read that finds nothing": func(p credential.Path) error {
			_, err := s.ReadLive(t.Context(), p, 0)
			return err
		},
		"destroy older ones": func(p credential.Path) error { return s.DestroyBefore(t.Context(), "tidy", p.Mount, p.Path, 3) },
		"purge":              func(p credential.Path) error { return s.Purge(t.Context(), "tidy", p.Mount, p.Path) },
	} {
		p := remade(t)
		live, err := s.ReadLive(t.Context(), p, 0)
		require.NoError(t, err, name)
		require.Equal(t, "old", live.Value.Reveal(), name)
		remake(t, p.Mount, kv1())
		err = change(p)
		require.True(t, IsKind(err, NotKV2), "%s: %v", name, err)
		require.Empty(t, all(t, p.Mount), "%s: nothing lies there, where anybody might read it", name)
		_, err = s.ReadLive(t.Context(), p, 0)
		require.True(t, IsKind(err, NotKV2), "%s: what a write has found counts for what is read from then on: %v", name, err)
	}
}

// What serves a path may be another mount by now, or none.
func TestTheMountOfAPathIsTheOneThatServesItNow(t *testing.T) {
	s := newClient(t)
	p := remade(t)
	_, err := s.ReadLive(t.Context(), p, 0)
	require.NoError(t, err)
	remake(t, p.Mount, nil)
	_, err = s.Activate(t.Context(), p, Live{}, credential.NewSecret("new"), "")
	require.True(t, IsKind(err, NoMount), "%v", err)

	vaulttest.KVMount(t, p.Mount+"/apps", nil)
	live, err := s.Activate(t.Context(), p, Live{}, credential.NewSecret("new"), "")
	require.NoError(t, err)
	require.Equal(t, 1, live.Version)
	got, err := server.Client().Logical().ReadWithContext(t.Context(), p.Mount+"/apps/data/mail")
	require.NoError(t, err)
	require.Equal(t, "new", nested(got, "data")["password"])

	remake(t, p.Mount+"/apps", nil)
	remake2 := &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "1"}}
	require.NoError(t, server.Client().Sys().MountWithContext(t.Context(), p.Mount, remake2))
	_, err = s.Activate(t.Context(), p, live, credential.NewSecret("newer"), "")
	require.True(t, IsKind(err, NotKV2), "%v", err)
	require.Empty(t, all(t, p.Mount))
}

// Between the question for the mount and the write is a moment. A write that
// was answered as version 2 answers none is looked into, and what went astray
// is taken away again.
func TestAValueThatWentAstrayIsTakenAwayAgain(t *testing.T) {
	p := remade(t)
	target, err := url.Parse(server.Address())
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	var once sync.Once
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet { // it has asked for the mount
			once.Do(func() { remake(t, p.Mount, kv1()) })
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(between.Close)
	s := open(t, vaulttest.NewCampaign(), between.URL, server.RootToken())
	_, err = s.Activate(t.Context(), p, Live{}, credential.NewSecret("new"), "")
	require.True(t, IsKind(err, NotKV2), "%v", err)
	require.ErrorContains(t, err, "was deleted again")
	require.NotContains(t, err.(*Error).Stop().Detail, "mail", "it names no account")
	require.Empty(t, all(t, p.Mount))
}

func TestAListingWhoseMountWasMadeAnewMeanwhileIsNone(t *testing.T) {
	s := newClient(t)
	p := remade(t)
	err := s.ListSecrets(t.Context(), p.Mount, func(SecretMeta) error {
		remake(t, p.Mount, kv1())
		return nil
	})
	require.True(t, IsKind(err, NotKV2), "%v", err)
}
