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

// A real cluster: what its servers show of roles keeps them open by its own
// reason, until a person accepts it by name.
func TestWhatTheServersShowOfARoleIsOnTheRollBeforeAnythingIsSet(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartPostgres(ctx, lab.PostgresOptions{Dir: t.TempDir(), CA: ca, HBA: []string{"hostssl app trusted 127.0.0.1/32 trust"}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	require.NoError(t, s.Exec(ctx, "CREATE ROLE trusted LOGIN PASSWORD 'x'", "CREATE ROLE follows LOGIN REPLICATION PASSWORD 'x'", "CREATE ROLE plain LOGIN PASSWORD 'x'",
		"CREATE ROLE dba CREATEROLE", "CREATE ROLE member LOGIN PASSWORD 'x' IN ROLE dba", "CREATE ROLE root_and_follows LOGIN SUPERUSER REPLICATION PASSWORD 'x'"))
	cluster := settings.Cluster{Servers: []string{s.URL()}, CA: s.CA, Bind: []authority.Login{{Name: s.Admin, Secret: credential.Path{Mount: "kv", Path: "own", Field: "password"}}}, Connections: 4, Timeout: time.Duration(patience)}
	c := campaign()
	c.Directories = nil
	c.Systems = config.Systems{"appdb": cluster}
	c.Sources = []config.Source{manifestSource("account,directory", "trusted,appdb", "follows,appdb", "plain,appdb", "member,appdb", "root_and_follows,appdb")}
	list := func(accept ...config.Accept) (map[string]credential.Credential, *credential.Roll) {
		db, err := postgres.OpenSystem("appdb", cluster, func(context.Context) (credential.Secret, error) { return credential.NewSecret(s.AdminPassword), nil })
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close()) }()
		c.Accept = accept
		roll, _, err := List(ctx, c, Authorities{Systems: map[string]authority.Finder{"appdb": db}}, emptyVault{}, "esg-01-1", time.Now())
		require.NoError(t, err)
		return byName(roll), roll
	}
	got, roll := list()
	require.Equal(t, credential.Replicates, got["follows"].Problem)
	require.Contains(t, details(roll, got["follows"].ID, credential.FindingReplicates), "it has REPLICATION")
	require.Empty(t, got["trusted"].Problem, "the lines do not show to the worker's role")
	require.Equal(t, 1, roll.Incomplete(), "which is a warning: %v", roll.Warnings)
	require.Contains(t, roll.Warnings[0].Detail, "accept: - {directory: appdb, finding: login-rules-hidden, reason: …}")

	require.Equal(t, "may-reset-others", roll.Waves[got["member"].Wave].Name)
	require.Contains(t, details(roll, got["member"].ID, credential.FindingResetsOthers), "it may become dba, which has CREATEROLE")
	require.Greater(t, got["plain"].Wave, got["member"].Wave)

	for _, other := range []credential.FindingCode{"", credential.FindingKeptHidden} {
		_, roll = list(config.Accept{Directory: "appdb", Finding: other, Reason: "looked at something else"})
		require.Equal(t, 1, roll.Incomplete(), "what was accepted is another warning: %q", other)
	}
	_, roll = list(config.Accept{Directory: "appdb", Finding: credential.FindingRulesHidden, Reason: "looked at by hand"})
	require.Zero(t, roll.Incomplete())
	require.Equal(t, credential.FindingAccepted, roll.Warnings[0].Code)
	require.Contains(t, roll.Warnings[0].Detail, "looked at by hand")

	require.NoError(t, s.Exec(ctx, "GRANT SELECT ON pg_catalog.pg_hba_file_rules TO "+s.Admin, "GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO "+s.Admin))
	got, roll = list(config.Accept{Account: "follows", Problem: credential.Replicates, Reason: "written by hand at once"}, config.Accept{Account: "root_and_follows", Problem: credential.Replicates, Reason: "too"})
	require.Empty(t, roll.Warnings)
	require.Equal(t, credential.NotAsked, got["trusted"].Problem)
	require.Contains(t, details(roll, got["trusted"].ID, credential.FindingNotAsked), "(hostssl, database app, from 127.0.0.1) lets it in without a password (trust)")
	for _, name := range []string{"follows", "root_and_follows"} {
		require.Empty(t, got[name].Problem)
		require.Equal(t, []credential.Problem{credential.Replicates}, got[name].Accepted)
		require.Equal(t, "what servers replicate by", roll.Waves[got[name].Wave].Name)
		require.Greater(t, got[name].Wave, got["plain"].Wave, "it goes last of its authority")
	}

	got, _ = list(config.Accept{Account: "trusted", Problem: credential.NotAsked, Reason: "the database is gone"})
	require.Empty(t, got["trusted"].Problem)
}
