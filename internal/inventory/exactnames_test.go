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
)

// PostgreSQL takes x and "x " for two roles. One that is taken for the other is
// reset though nobody named it, and the one that was named is forgotten.
func TestARoleWhoseNameEndsWithABlankIsAnotherRole(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	p, err := lab.StartPostgres(t.Context(), lab.PostgresOptions{Dir: t.TempDir(), CA: ca})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Stop(context.Background())) })
	names := []string{"x", "x ", " lead", "lead", "tab\t", "nbsp\u00a0"}
	for _, name := range names {
		require.NoError(t, p.Exec(t.Context(), `CREATE ROLE "`+name+`" LOGIN PASSWORD 'y'`))
	}
	id := func(name string) (id string) {
		conn, err := p.AdminConn(t.Context())
		require.NoError(t, err)
		defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT oid::text FROM pg_roles WHERE rolname = $1", name).Scan(&id))
		return id
	}
	cluster := settings.Cluster{Servers: []string{p.URL()}, Database: "postgres", CA: p.CA, Connections: 4, Timeout: time.Duration(patience),
		Bind: []authority.Login{{Name: p.Admin, Secret: credential.Path{Mount: "kv", Path: "own", Field: "password"}}}}
	db, err := postgres.OpenSystem("appdb", cluster, func(context.Context) (credential.Secret, error) { return credential.NewSecret(p.AdminPassword), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	list := func(file, content string, exclude ...config.Exclude) (map[string]credential.Credential, error) {
		c := &config.Campaign{
			Device: "esg-01", Vault: config.Vault{Mount: "rollcall", Adopt: "kv/rollcall/{directory}/{account}#password"},
			Systems: config.Systems{"appdb": cluster}, Exclude: exclude,
			Sources: []config.Source{{Name: "list", Type: config.Manifest, File: file, Content: []byte(content)}},
		}
		roll, _, err := List(t.Context(), c, Authorities{Systems: map[string]authority.Finder{"appdb": db}}, emptyVault{}, "esg-01-1", time.Now())
		found := map[string]credential.Credential{}
		if err == nil {
			for _, x := range roll.Credentials {
				found[x.Name] = x
			}
		}
		return found, err
	}
	all := func(found map[string]credential.Credential) {
		t.Helper()
		require.Len(t, found, len(names))
		at := map[credential.Path]bool{}
		for _, name := range names {
			require.Equal(t, id(name), found[name].Subject, "%q", name)
			require.Empty(t, found[name].Problem)
			at[found[name].Paths[0]] = true
		}
		require.Len(t, at, len(names), "each has a place of its own")
	}
	found, err := list("list.csv", "account,directory\n\"x\",appdb\n\"x \",appdb\n \" lead\",appdb\nlead,appdb\n\"tab\t\",appdb\n\"nbsp\u00a0\",appdb\n")
	require.NoError(t, err)
	all(found)
	found, err = list("list.yaml", "- {account: x}\n- {account: \"x \"}\n- {account: \" lead\"}\n- {account: lead }\n- {account: \"tab\\t\"}\n- {account: \"nbsp\u00a0\"}\n")
	require.NoError(t, err)
	all(found)
	found, err = list("list.csv", "account\n"+id("x ")+"\n")
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Contains(t, found, "x ", "by its number, and nobody else")
	found, err = list("list.csv", "account\nx\n\"x \"\n", config.Exclude{Account: "x ", Reason: "stays"})
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Contains(t, found, "x")

	for file, lines := range map[string]string{
		"account,directory\nlead,appdb\nx ,appdb\n":     "list.csv:3: account: has a blank at an end",
		"account,directory\n lead,appdb\n":              "list.csv:2: account: has a blank at an end",
		"directory,account\nappdb, lead\n":              "list.csv:2: account: has a blank at an end",
		"directory;account;note\nappdb;nbsp\u00a0;a\n":  "list.csv:2: account: has a blank at an end",
		"directory\taccount\tnote\nappdb\t lead\tany\n": "list.csv:2: account: has a blank at an end",
	} {
		_, err := list("list.csv", file)
		require.ErrorContains(t, err, lines)
		require.ErrorContains(t, err, "or the account's number (oid)")
	}
	// Blanks around other cells, and after a comma before a quote, are layout.
	found, err = list("list.csv", "account,directory,note\nx, appdb , any\n")
	require.NoError(t, err)
	require.Equal(t, id("x"), found["x"].Subject)
}
