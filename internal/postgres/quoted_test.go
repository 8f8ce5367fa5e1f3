package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// pg_hba_file_rules shows "all" and all alike. In quotes it is the name of a
// role, of a database or of a machine, and the line decides nobody's login.
func TestAWordOfPgHbaThatMayBeAMereNameDecidesNothing(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	own, err := lab.StartPostgres(ctx, lab.PostgresOptions{Dir: t.TempDir(), CA: ca})
	require.NoError(t, err)
	t.Cleanup(func() { _ = own.Stop(context.Background()) })
	mine := "hostssl all " + own.Super + "," + own.Admin + "," + own.Partner + " 127.0.0.1/32 scram-sha-256"
	require.NoError(t, own.Exec(ctx, "CREATE ROLE services", "CREATE ROLE svc LOGIN PASSWORD 'x' IN ROLE services",
		"GRANT SELECT ON pg_catalog.pg_hba_file_rules TO "+own.Admin, "GRANT EXECUTE ON FUNCTION pg_catalog.pg_hba_file_rules() TO "+own.Admin))
	require.NoError(t, own.Exec(ctx, `CREATE DATABASE app`))
	require.NoError(t, own.Exec(ctx, `CREATE DATABASE "replication"`))
	id, err := own.RoleID(ctx, "svc")
	require.NoError(t, err)
	admin := looking(t, own.Admin, own.AdminPassword, own)
	systems := []*System{looking(t, own.Super, own.SuperPassword, own), admin}
	look := func() string {
		var all string
		for i, s := range systems {
			s.last.at = time.Time{} // the minute is over
			seen := lookAt(t, s, id)
			for _, h := range seen.Hidden {
				require.NotEqual(t, credential.FindingRulesHidden, h.Code, h.Detail)
			}
			listed := told(seen, id, credential.NotAsked)
			require.True(t, i == 0 || listed == all, "both see the same: %s", listed)
			all = listed
		}
		return all
	}
	for database, lines := range map[string][]string{
		"app":         {mine, `hostssl all "all" 127.0.0.1/32 scram-sha-256`, "hostssl app svc 127.0.0.1/32 trust"},
		"replication": {mine, `hostssl "replication" svc 127.0.0.1/32 trust`},
		"postgres":    {mine, `hostssl all "+services" 127.0.0.1/32 scram-sha-256`, `hostssl all svc "samehost" scram-sha-256`, "hostssl all all samehost trust"},
	} {
		require.NoError(t, own.SetHBA(ctx, lines...))
		conn, err := own.Connect(ctx, "svc", "anything", database)
		require.NoError(t, err, "PostgreSQL takes the word for a name")
		_ = conn.Close(ctx)
		listed := look()
		require.Contains(t, listed, "lets it in without a password (trust), if what it or an earlier line names in quotes is a mere name")
	}

	// Where no word is in quotes nothing is in doubt, whatever comments and
	// names have around them.
	require.NoError(t, own.SetHBA(ctx, mine, `# database "all", "replication", user "all"`, `hostssl "app#1","x" "svc" 127.0.0.1/32 scram-sha-256 # "all"`,
		"hostssl all +services 127.0.0.1/32 scram-sha-256", "hostssl app all 127.0.0.1/32 trust"))
	require.Empty(t, look())

	// A function of an earlier version does not tell, and counts as none.
	require.NoError(t, own.Exec(ctx, `DROP FUNCTION rollcall.hba_file()`,
		`CREATE FUNCTION rollcall.hba_file(OUT modified timestamptz, OUT changed timestamptz, OUT others boolean) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
			AS $$ SELECT modification, change, false FROM pg_catalog.pg_stat_file(current_setting('hba_file')) $$`,
		"GRANT EXECUTE ON FUNCTION rollcall.hba_file() TO "+own.Admin))
	admin.last.at = time.Time{}
	require.NotEmpty(t, lookAt(t, admin, id).Hidden)
	require.Contains(t, lookAt(t, admin, id).Hidden[0].Detail, "nor which words of it are in quotes")
}
