package inventory

import (
	"context"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/lab"
	"rollcall/internal/vault/ownmount"
)

// Who may read a new value is asked by the path below its mount, and a mount
// may have several segments: the default path, the spare one, and what an
// earlier version noted by its first segment.
func TestDefaultPathsAreNamedByTheMountThatServesThem(t *testing.T) {
	servers(t)
	s, _ := oddSlapd(t, lab.Account{UID: "svc-new", Password: "stolen-1"}, lab.Account{UID: "svc-has", Password: "stolen-2"})
	api := realVault.Client()
	const mount = "tpl/team/kv"
	require.NoError(t, api.Sys().MountWithContext(t.Context(), mount, &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	t.Cleanup(func() { _ = api.Sys().Unmount(mount) })
	require.Eventually(t, func() bool {
		_, err := api.KVv2(mount).Put(context.Background(), "esg/has", map[string]any{"password": "stolen-2"})
		return err == nil
	}, 5*time.Minute, 50*time.Millisecond)
	d := slapdDirectory(s)
	client, err := directory.Open("corp", d, func(context.Context) (credential.Secret, error) { return credential.NewSecret(s.BinderPassword), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	c := campaign()
	c.Vault.Adopt = mount + "/rollcall/{directory}/{account}#password"
	c.Directories = map[string]config.Directory{"corp": d}
	c.Sources = []config.Source{manifestSource("account,path", "svc-new,", "svc-has,"+mount+"/esg/has#password")}
	roll, _, err := List(t.Context(), c, Authorities{Directories: map[string]Directory{"corp": client}}, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	got := byName(roll)
	require.Equal(t, []credential.Path{{Mount: mount, Path: "rollcall/corp/svc-new", Field: "password"}}, got[s.AccountDN("svc-new")].Paths)
	require.Equal(t, mount, got[s.AccountDN("svc-has")].Spare.Mount)

	// What a version before noted is the same place, and no second one.
	noted := credential.Path{Mount: "tpl", Path: "team/kv/esg/has", Field: "password"}
	store := noting{openVault(t, realVault.RootToken().Reveal()), got[s.AccountDN("svc-has")].ID, noted}
	roll, _, err = List(t.Context(), c, Authorities{Directories: map[string]Directory{"corp": client}}, store, "c", time.Now())
	require.NoError(t, err)
	require.Len(t, byName(roll)[s.AccountDN("svc-has")].Paths, 1)

	// Where a value was put and its field is called otherwise by now, it is
	// not dropped: consumers read it.
	_, err = api.KVv2(mount).Put(t.Context(), "esg/renamed", map[string]any{"pw": "stolen-2"})
	require.NoError(t, err)
	store.path = credential.Path{Mount: mount, Path: "esg/renamed", Field: "password"}
	roll, _, err = List(t.Context(), c, Authorities{Directories: map[string]Directory{"corp": client}}, store, "c", time.Now())
	require.NoError(t, err)
	require.NotEmpty(t, byName(roll)[s.AccountDN("svc-has")].Problem)
}

// noting is a store with a note of where an earlier campaign put a value.
type noting struct {
	*ownmount.Store
	id   string
	path credential.Path
}

func (p noting) ActivatedPlaces(context.Context, []string) (map[string][]credential.Path, error) {
	return map[string][]credential.Path{p.id: {p.path}}, nil
}
