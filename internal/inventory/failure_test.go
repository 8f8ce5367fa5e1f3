package inventory

import (
	"context"
	"strconv"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/lab"
)

// A source that fails takes the whole listing with it, and says where and what
// to do.
func TestAFailingSourceFailsTheListing(t *testing.T) {
	servers(t)
	write(t, "sys/policies/acl/nothing", map[string]any{"policy": `path "kv/metadata/x" { capabilities = ["deny"] }`})
	token, err := realVault.Client().Auth().Token().CreateWithContext(t.Context(), &vaultapi.TokenCreateRequest{Policies: []string{"nothing"}})
	require.NoError(t, err)
	port, err := lab.FreePort()
	require.NoError(t, err)
	down := corp()
	down.Servers = []string{"ldaps://127.0.0.1:" + strconv.Itoa(port)}
	search := config.Source{Name: "by-filter", Type: config.FromLDAP, Directory: "corp", Filter: "(uid=esg*)"}

	for _, tc := range []struct {
		name     string
		corp     config.Directory
		password string
		source   config.Source
		want     []string
	}{
		{"server down", down, slapd.BinderPassword, search, []string{"source by-filter", down.Servers[0], "list again"}},
		{"wrong bind password", corp(), "wrong", search, []string{"source by-filter", slapd.LDAPS(), "list again"}},
		{"lookup on a server that is down", down, slapd.BinderPassword, manifestSource("account", "alice"), []string{"looking up", "directory corp", down.Servers[0], "list again"}},
		{"base that is not there", withBase(corp(), "dc=nowhere"), slapd.BinderPassword, search, []string{"source by-filter", "dc=nowhere"}},
		{"KV that the token may not list", corp(), slapd.BinderPassword, config.Source{Name: "kv", Type: config.VaultKV, Prefix: "kv/apps"}, []string{"source kv", "kv/apps", "list again"}},
		{"AppRoles that the token may not list", corp(), slapd.BinderPassword, config.Source{Name: "roles", Type: config.VaultAppRole, Mount: "approle", Role: "*"},
			[]string{"source roles", `lacks the capability "list" on auth/approle/role`}},
		{"manifest", corp(), slapd.BinderPassword, manifestSource("account,path", "alice,nonsense"), []string{"m.csv:2: path:"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			client, err := directory.Open("corp", tc.corp, func(context.Context) (credential.Secret, error) { return credential.NewSecret(tc.password), nil })
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, client.Close()) })
			c := campaign()
			c.Directories["corp"] = tc.corp
			c.Sources = []config.Source{tc.source}
			roll, _, err := listIn(t.Context(), c, map[string]Directory{"corp": client}, openVault(t, token.Auth.ClientToken), "c", time.Now())
			require.Nil(t, roll)
			require.Error(t, err)
			t.Log(err)
			for _, w := range tc.want {
				require.ErrorContains(t, err, w)
			}
			require.NotContains(t, err.Error(), slapd.BinderPassword)
		})
	}
}

func TestACancelledListingIsAnError(t *testing.T) {
	servers(t)
	c := campaign()
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource("account", "alice")}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	roll, _, err := listIn(ctx, c, openDirectory(t, corp()), emptyVault{}, "c", time.Now())
	require.Nil(t, roll)
	require.ErrorIs(t, err, context.Canceled)
}

func TestADirectoryThatIsNotConnectedIsAnError(t *testing.T) {
	_, _, err := listIn(t.Context(), campaign(), nil, emptyVault{}, "c", time.Now())
	require.EqualError(t, err, "directory corp is not connected")
}

func withBase(d config.Directory, base string) config.Directory {
	d.Base = base
	return d
}
