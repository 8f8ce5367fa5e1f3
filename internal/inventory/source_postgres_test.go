package inventory

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/taken"
	"rollcall/internal/lab"
	"rollcall/internal/postgres"
	"rollcall/internal/postgres/settings"
)

// A pattern that takes all roles of a real cluster, its own among them.
func TestTheRolesOfAClusterAreListedAndItsOwnAreGuarded(t *testing.T) {
	t.Parallel()
	pair, err := lab.StartPostgresPair(t.Context(), lab.PostgresOptions{Dir: t.TempDir(), Accounts: lab.SeedAccounts("svc", 2), HBA: []string{"hostssl all svc0002 10.1.2.0/24 trust"}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pair.Stop(context.Background())) })
	p := pair.Primary
	cluster := settings.Cluster{Servers: pair.URLs(), Database: "postgres", CA: p.CA, Connections: 4, Timeout: time.Duration(patience),
		Bind: []authority.Login{{Name: p.Super, Secret: credential.Path{Mount: "kv", Path: "own", Field: "password"}}}}
	db, err := postgres.OpenSystem("appdb", cluster, func(context.Context) (credential.Secret, error) { return credential.NewSecret(p.SuperPassword), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	c := &config.Campaign{
		Device: "esg-01", Vault: config.Vault{Mount: "rollcall", Adopt: "kv/rollcall/{directory}/{account}#password"},
		Systems: config.Systems{"appdb": cluster},
		Sources: []config.Source{
			{Name: "all", Type: config.FromPostgres, Directory: "appdb", Role: "*"},
			{Name: "network", Type: config.FromPostgres, Directory: "appdb", CIDR: "10.1.0.0/16"},
			{Name: "list", Type: config.Manifest, File: "list.csv", Content: []byte("account,directory,path\nsvc0001,appdb,kv/apps/db#password\n")},
		},
		Accept: []config.Accept{{Account: p.Admin, Problem: credential.ServerRole, Reason: "it is none"}, {Account: "replicator", Problem: credential.Replicates, Reason: "the standby gets it at once"}},
	}
	list := func() (map[string]credential.Credential, *credential.Roll, []Warning) {
		roll, warnings, err := List(t.Context(), c, Authorities{Systems: map[string]authority.Finder{"appdb": db}}, emptyVault{}, "esg-01-1", time.Now())
		require.NoError(t, err)
		found := map[string]credential.Credential{}
		for _, x := range roll.Credentials {
			require.Equal(t, credential.PostgresPassword, x.Kind)
			found[x.Name] = x
		}
		return found, roll, warnings
	}
	found, roll, warnings := list()
	require.Len(t, found, 6)
	require.Empty(t, found["svc0001"].Problem)
	require.Equal(t, []credential.Path{{Mount: "kv", Path: "apps/db", Field: "password"}}, found["svc0001"].Paths, "a manifest names where it lies")
	require.Len(t, found["svc0001"].Reasons, 2, "it is listed once, with the evidence of both")
	require.Equal(t, credential.NotAsked, found["svc0002"].Problem)
	require.Contains(t, details(roll, found["svc0002"].ID, credential.FindingNotAsked), "from 10.1.2.0/24) lets it in without a password (trust)")
	require.Len(t, found["svc0002"].Reasons, 2)
	require.Contains(t, found["svc0002"].Reasons[1].Detail, "lets it in from 10.1.2.0/24")
	require.Equal(t, credential.OwnIdentity, found[p.Super].Problem, "what Rollcall itself logs in with")
	require.Empty(t, found[p.Admin].Problem, "CREATEROLE alone is no reason")
	require.Empty(t, found["replicator"].Problem)
	require.Equal(t, []credential.Problem{credential.Replicates}, found["replicator"].Accepted)
	require.Less(t, found[p.Admin].Wave, found["svc0001"].Wave, "who can reset others goes first")
	require.Contains(t, warningCodes(warnings), credential.FindingExcludeUnused, "nothing of %s is accepted", p.Admin)
	said := 0
	for _, f := range roll.Findings[found["svc0002"].ID] {
		if f.Code == credential.FindingNotAsked {
			said++
		}
	}
	require.Equal(t, 1, said, "two sources say it once")

	c.Accept = nil
	found, _, _ = list()
	require.Equal(t, credential.Replicates, found["replicator"].Problem)

	c.Sources = []config.Source{{Name: "none", Type: config.FromPostgres, Directory: "appdb", Role: "of-nobody*"}}
	found, _, warnings = list()
	require.Empty(t, found)
	require.Contains(t, warningCodes(warnings), credential.FindingSourceEmpty)

	// A log has a name as its very text: another spelling is another role.
	c.Sources = []config.Source{{Name: "logs", Type: config.FromEvidence, File: "e.json", Seen: []taken.Account{fromDevice(event.Login, "appdb", "svc0001"), fromDevice(event.Login, "appdb", "SVC0001")}}}
	found, _, _ = list()
	require.Equal(t, credential.OnlyInLogs, found["svc0001"].Problem)
	require.Equal(t, credential.NoAccount, found["SVC0001"].Problem)

	c.Sources = []config.Source{{}}
	require.NoError(t, pair.Replica.Stop(t.Context()))
	c.Sources[0] = config.Source{Name: "network", Type: config.FromPostgres, Directory: "appdb", CIDR: "10.1.0.0/16"}
	_, _, err = List(t.Context(), c, Authorities{Systems: map[string]authority.Finder{"appdb": db}}, emptyVault{}, "esg-01-1", time.Now())
	require.ErrorContains(t, err, "source network: listing roles of PostgreSQL cluster appdb")
	require.ErrorContains(t, err, pair.Replica.URL())
}
