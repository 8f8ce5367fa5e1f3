package inventory

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/postgres"
	"rollcall/internal/postgres/settings"
	"rollcall/internal/vault"
)

// filledVault holds a value wherever it is asked.
type filledVault struct{ emptyVault }

func (filledVault) ReadLive(context.Context, credential.Path, int) (vault.Live, error) {
	return vault.Live{Found: true, Version: 1, Value: credential.NewSecret("y")}, nil
}

// A path that is called after a role which has no password, as a group has
// none, is not taken for that one's. Nor is one that may as well be called
// after the account itself.
func TestAPathThatIsCalledAfterAGroupIsNoOtherAccounts(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	p, err := lab.StartPostgres(t.Context(), lab.PostgresOptions{Dir: t.TempDir(), CA: ca})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Stop(context.Background())) })
	for _, sql := range []string{"CREATE ROLE readers", "CREATE ROLE keeper LOGIN PASSWORD 'y'", "CREATE ROLE rt_a LOGIN PASSWORD 'y' IN ROLE readers", "CREATE ROLE rt_b LOGIN PASSWORD 'y'", "CREATE ROLE svc_gitlab LOGIN PASSWORD 'y'", "CREATE ROLE gitlab LOGIN PASSWORD 'y'"} {
		require.NoError(t, p.Exec(t.Context(), sql))
	}
	cluster := settings.Cluster{Servers: []string{p.URL()}, Database: "postgres", CA: p.CA, Connections: 4, Timeout: time.Duration(patience),
		Bind: []authority.Login{{Name: p.Admin, Secret: credential.Path{Mount: "kv", Path: "own", Field: "password"}}}}
	db, err := postgres.OpenSystem("appdb", cluster, func(context.Context) (credential.Secret, error) { return credential.NewSecret(p.AdminPassword), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	c := &config.Campaign{
		Device: "esg-01", Vault: config.Vault{Mount: "rollcall", Adopt: "kv/rollcall/{directory}/{account}#password"},
		Systems: config.Systems{"appdb": cluster},
		Sources: []config.Source{{Name: "list", Type: config.Manifest, File: "list.csv", Content: []byte("account,directory,path\nrt_a,appdb,kv/apps/readers#password\nrt_b,appdb,kv/apps/keeper#password\nsvc_gitlab,appdb,kv/apps/gitlab#password\n")}},
	}
	roll, _, err := List(t.Context(), c, Authorities{Systems: map[string]authority.Finder{"appdb": db}}, filledVault{}, "esg-01-1", time.Now())
	require.NoError(t, err)
	doubted := map[string][]credential.Path{}
	for _, x := range roll.Credentials {
		doubted[x.Name] = x.Doubted
	}
	require.Equal(t, map[string][]credential.Path{"rt_a": nil, "svc_gitlab": {{Mount: "kv", Path: "apps/gitlab", Field: "password"}}, "rt_b": {{Mount: "kv", Path: "apps/keeper", Field: "password"}}}, doubted)
}
