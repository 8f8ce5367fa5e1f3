package inventory

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/postgres/settings"
)

// cluster knows its roles by their very names.
type cluster struct {
	authority.Finder
	roles map[string]authority.Account
}

func (c cluster) Find(_ context.Context, references []string) (map[string][]authority.Account, error) {
	out := map[string][]authority.Account{}
	for _, r := range references {
		if a, ok := c.roles[r]; ok {
			out[r] = []authority.Account{a}
		}
	}
	return out, nil
}

func (c cluster) Servers() []string { return []string{"postgresql://db1.example.org:5432"} }

func TestAnAuthorityThatIsNoDirectoryIsAskedForTheVeryName(t *testing.T) {
	role := func(id, name string) authority.Account {
		return authority.Account{Subject: id, Name: name, Short: name, Names: []string{name}}
	}
	none := role("16386", "peer")
	none.Problems = []authority.Problem{{Code: credential.NoPassword, Detail: "it has no password"}}
	admin := role("16387", "rollcall")
	db := cluster{roles: map[string]authority.Account{"App": role("16384", "App"), "app": role("16385", "app"), "peer": none, "rollcall": admin}}
	c := &config.Campaign{
		Device: "esg-01", Vault: config.Vault{Mount: "rollcall", Adopt: "kv/rollcall/{directory}/{account}#password", HandOver: "kv/rollcall/handover/{directory}/{account}#password"},
		Systems: config.Systems{"appdb": settings.Cluster{
			Servers: db.Servers(), Bind: []authority.Login{{Name: "rollcall", Secret: credential.Path{Mount: "kv", Path: "own", Field: "password"}}},
		}},
		Sources: []config.Source{{Name: "list", Type: config.Manifest, File: "list.csv", Content: []byte("account,directory,kind\nApp,appdb,\napp,appdb,postgres-password\npeer,,\nrollcall,,\nAPP,,\n")}},
	}
	roll, _, err := List(t.Context(), c, Authorities{Systems: map[string]authority.Finder{"appdb": db}}, emptyVault{}, "esg-01-1", time.Now())
	require.NoError(t, err)
	found := map[string]credential.Credential{}
	for _, x := range roll.Credentials {
		require.Equal(t, credential.PostgresPassword, x.Kind)
		found[x.ID] = x
	}
	require.Len(t, found, 5)
	require.Equal(t, "App", found["appdb/16384"].Name, "two roles whose names differ by case are two")
	require.Equal(t, "app", found["appdb/16385"].Name)
	require.NotEqual(t, found["appdb/16384"].Paths, found["appdb/16385"].Paths)
	require.Empty(t, found["appdb/16384"].Problem)
	require.Equal(t, credential.NoPassword, found["appdb/16386"].Problem)
	require.Equal(t, credential.OwnIdentity, found["appdb/16387"].Problem, "nothing else could set it")
	require.Equal(t, credential.NoAccount, found["unmatched/appdb/APP"].Problem, "a name in another case is another role's")

	// With the row of the name that means nobody, "app" might mean that one
	// too, and is refused.
	c.Sources[0].Content = []byte("account,directory\nApp,appdb\napp,appdb\n")
	c.Exclude = []config.Exclude{{Account: "app", Reason: "stays"}}
	roll, _, err = List(t.Context(), c, Authorities{Systems: map[string]authority.Finder{"appdb": db}}, emptyVault{}, "esg-01-1", time.Now())
	require.NoError(t, err)
	require.Len(t, roll.Excluded, 1)
	require.Equal(t, "appdb/16385", roll.Excluded[0].ID)

	_, _, err = List(t.Context(), c, Authorities{}, emptyVault{}, "esg-01-1", time.Now())
	require.ErrorContains(t, err, "PostgreSQL cluster appdb is not connected")
}

func TestAPersonAcceptsThatARoleStoredByMD5BecomesSCRAM(t *testing.T) {
	old := func(id, name string) authority.Account {
		return authority.Account{Subject: id, Name: name, Short: name, Names: []string{name}, Problems: []authority.Problem{{Code: credential.MD5Stored, Detail: "it is stored by md5"}}}
	}
	db := cluster{roles: map[string]authority.Account{"app": old("16384", "app"), "batch": old("16385", "batch")}}
	c := &config.Campaign{
		Device: "esg-01", Vault: config.Vault{Mount: "rollcall", Adopt: "kv/rollcall/{directory}/{account}#password"},
		Systems: config.Systems{"appdb": settings.Cluster{Servers: db.Servers()}},
		Sources: []config.Source{{Name: "list", Type: config.Manifest, File: "list.csv", Content: []byte("account,directory\napp,appdb\nbatch,appdb\n")}},
		Accept:  []config.Accept{{Account: "batch", Problem: credential.MD5Stored, Reason: "its driver is of 2024"}},
	}
	roll, _, err := List(t.Context(), c, Authorities{Systems: map[string]authority.Finder{"appdb": db}}, emptyVault{}, "esg-01-1", time.Now())
	require.NoError(t, err)
	require.Len(t, roll.Credentials, 2)
	for _, x := range roll.Credentials {
		if x.Name == "app" {
			require.Equal(t, credential.MD5Stored, x.Problem)
			require.Empty(t, x.Accepted)
			continue
		}
		require.Empty(t, x.Problem)
		require.Equal(t, []credential.Problem{credential.MD5Stored}, x.Accepted)
		require.Contains(t, details(roll, x.ID, credential.FindingMD5Stored), "accepted by the campaign file: its driver is of 2024")
	}
}

func TestAccountsThatMayHaveNoSecretAreToldByTheirNumber(t *testing.T) {
	t.Parallel()
	role := func(id, name string, hidden bool) authority.Account {
		return authority.Account{Subject: id, Name: name, Short: name, Names: []string{name}, SecretHidden: hidden}
	}
	list := func(hidden bool) ([]credential.Credential, []Warning) {
		db := cluster{roles: map[string]authority.Account{"one": role("16384", "one", hidden), "16385": role("16385", "two", hidden), "rollcall": role("16387", "rollcall", hidden)}}
		c := &config.Campaign{
			Device: "esg-01", Vault: config.Vault{Mount: "rollcall", Adopt: "kv/rollcall/{directory}/{account}#password", HandOver: "kv/rollcall/handover/{directory}/{account}#password"},
			Systems: config.Systems{"appdb": settings.Cluster{
				Servers: db.Servers(), Bind: []authority.Login{{Name: "rollcall", Secret: credential.Path{Mount: "kv", Path: "own", Field: "password"}}},
			}},
			Sources: []config.Source{{Name: "list", Type: config.Manifest, File: "list.csv", Content: []byte("account,directory\none,appdb\n16385,appdb\nrollcall,appdb\n")}},
			Accept:  []config.Accept{{Account: "one", Problem: credential.PasswordHidden, Reason: "its owner says that it has one"}},
		}
		roll, warnings, err := List(t.Context(), c, Authorities{Systems: map[string]authority.Finder{"appdb": db}}, emptyVault{}, "esg-01-1", time.Now())
		require.NoError(t, err)
		return roll.Credentials, slices.DeleteFunc(warnings, func(w Warning) bool { return w.Code != credential.FindingPasswordHidden })
	}
	listed, warnings := list(true)
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0].Detail, "PostgreSQL cluster appdb: whether 2 of its accounts have a password", "its own login has one")
	for _, c := range listed {
		if c.Name == "one" {
			require.Equal(t, []credential.Problem{credential.PasswordHidden}, c.Accepted)
		}
	}
	_, warnings = list(false)
	require.Empty(t, warnings)
}

// listIn lists where all authorities are directories.
func listIn(ctx context.Context, c *config.Campaign, dirs map[string]Directory, v Vault, campaign string, now time.Time) (*credential.Roll, []Warning, error) {
	return List(ctx, c, Authorities{Directories: dirs, LeadsKey: workersKey}, v, campaign, now)
}

// workersKey is the key with which workers tell hosts in rolls.
func workersKey(context.Context) ([]byte, error) { return []byte("the worker's"), nil }
