package postgres

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// fromNothing makes a database of one that nobody is in: a session in
// template1, as of a client that looks into all of them, would keep it from
// being made.
const fromNothing = " TEMPLATE template0"

// asDocumented runs what docs/rights.md has a superuser run for the worker's
// role, in a database, and gives the client of a role that has it.
func asDocumented(t *testing.T, database string) *Client {
	t.Helper()
	text, err := os.ReadFile("../../docs/rights.md")
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)## PostgreSQL.*?```sql\n(.*?)```").FindStringSubmatch(string(text))
	require.NotNil(t, block)
	name := "worker-" + database
	sql := strings.ReplaceAll(block[1], `\password rollcall`, `ALTER ROLE "`+name+`" PASSWORD 'of-the-worker'`)
	sql = regexp.MustCompile(`(ROLE|TO) rollcall\b`).ReplaceAllString(sql, `$1 "`+name+`"`)
	sql = strings.ReplaceAll(sql, "of-the-worker'", "of-the-worker';")
	if database != "postgres" {
		exec(t, "CREATE DATABASE "+database+fromNothing)
	}
	in(t, database, sql)
	return worker(t, name, "of-the-worker", database)
}

func worker(t *testing.T, role, password, database string) *Client {
	t.Helper()
	c := conf(primary)
	c.Admin.Role, c.Database = role, database
	return open(t, c, password)
}

func in(t *testing.T, database string, statements ...string) {
	t.Helper()
	conn, err := primary.Connect(t.Context(), primary.Super, primary.SuperPassword, database)
	require.NoError(t, err)
	defer hangUp(t.Context(), conn)
	for _, q := range statements {
		_, err := conn.Exec(t.Context(), q, pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err, q)
	}
}

// With the rights that the documents ask for, a role without a password is seen
// to have none, and no verifier is.
func TestWhetherARoleHasAPasswordShowsByTheFunctionOfTheDocuments(t *testing.T) {
	t.Parallel()
	c := asDocumented(t, "documented")
	without, name := newRoleWith(t, "")
	with, _, _ := newRole(t, "")
	found, err := c.ManyByID(t.Context(), primary.URL(), []string{with, without})
	require.NoError(t, err)
	require.False(t, found[with].PasswordHidden)
	require.Equal(t, StoredUnknown, found[with].Stored)
	require.Equal(t, StoredNone, found[without].Stored)
	require.Equal(t, credential.NoPassword, problemOf(found[without]))
	require.Empty(t, problemOf(found[with]))
	require.NotEmpty(t, found[with].Mark, "the other rights of the documents")
	require.True(t, found[with].Verifier.IsZero())
	exec(t, `ALTER ROLE "`+name+`" PASSWORD 'it-has-one-now'`)
	r, _, err := c.ByID(t.Context(), primary.URL(), without)
	require.NoError(t, err)
	require.Empty(t, problemOf(r))

	// Nobody else may ask.
	_, other, value := newRole(t, "")
	conn, err := primary.Connect(t.Context(), other, value.Reveal(), "documented")
	require.NoError(t, err)
	defer hangUp(t.Context(), conn)
	_, err = conn.Exec(t.Context(), "SELECT rollcall.has_no_password("+with+")")
	require.Equal(t, codeInsufficientRight, codeOf(err))

	// Taken away in the middle, it is not shown any more, and nothing breaks.
	in(t, "documented", "DROP FUNCTION rollcall.has_no_password(oid)")
	r, _, err = c.ByID(t.Context(), primary.URL(), with)
	require.NoError(t, err)
	require.True(t, r.PasswordHidden)
}

// Whoever may create a schema could have a function of that name do as the
// worker what he likes: the worker's role may set every password.
func TestAFunctionThatNoSuperuserOwnsIsNotCalled(t *testing.T) {
	t.Parallel()
	_, thief, value := newRole(t, "")
	exec(t, "CREATE DATABASE forged"+fromNothing, `GRANT CREATE ON DATABASE forged TO "`+thief+`"`)
	conn, err := primary.Connect(t.Context(), thief, value.Reveal(), "forged")
	require.NoError(t, err)
	defer hangUp(t.Context(), conn)
	_, err = conn.Exec(t.Context(), `CREATE SCHEMA rollcall; GRANT USAGE ON SCHEMA rollcall TO PUBLIC;
		CREATE FUNCTION rollcall.has_no_password(oid) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
		AS 'BEGIN RAISE EXCEPTION ''called''; END'`, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	c := worker(t, primary.Admin, primary.AdminPassword, "forged")
	id, _, _ := newRole(t, "")
	r, _, err := c.ByID(t.Context(), primary.URL(), id)
	require.NoError(t, err)
	require.True(t, r.PasswordHidden)

	// A superuser's function in a schema of his, which he could put his own in.
	in(t, "forged", "ALTER FUNCTION rollcall.has_no_password(oid) OWNER TO "+primary.Super)
	r, _, err = worker(t, primary.Admin, primary.AdminPassword, "forged").ByID(t.Context(), primary.URL(), id)
	require.NoError(t, err)
	require.True(t, r.PasswordHidden)
}

// Whoever owns the database where the worker logs in decides nothing of what
// the worker does there.
func TestTheOwnerOfADatabaseDoesNotHinderTheWorker(t *testing.T) {
	t.Parallel()
	_, thief, value := newRole(t, "")
	exec(t, `CREATE DATABASE owned OWNER "`+thief+`"`+fromNothing)
	conn, err := primary.Connect(t.Context(), thief, value.Reveal(), "owned")
	require.NoError(t, err)
	defer hangUp(t.Context(), conn)
	for _, set := range []string{"statement_timeout = 1", "lock_timeout = 1", "idle_in_transaction_session_timeout = 1", `role = "` + thief + `"`, "default_transaction_read_only = on", "search_path = public"} {
		_, err := conn.Exec(t.Context(), "ALTER DATABASE owned SET "+set)
		require.NoError(t, err, set)
	}
	for role, password := range map[string]string{primary.Super: primary.SuperPassword, primary.Admin: primary.AdminPassword} {
		c := worker(t, role, password, "owned")
		id, name, _ := newRole(t, "")
		_, err = c.SetPassword(t.Context(), id, name, credential.NewSecret("of-the-worker"))
		require.NoError(t, err, role)
		r, found, err := c.ByID(t.Context(), primary.URL(), id)
		require.NoError(t, err, role)
		require.True(t, found)
		require.Equal(t, role == primary.Super, r.Mark != "", "it is the role that it logged in as")
	}
}

func problemOf(r Role) credential.Problem {
	for _, p := range account(r).Problems {
		return p.Code
	}
	return ""
}

// newWorker makes a worker's role that does not see who has a password.
func newWorker(t *testing.T) string {
	t.Helper()
	_, name := newRoleWith(t, "CREATEROLE PASSWORD 'of-the-blind'")
	exec(t, `GRANT pg_signal_backend, pg_read_all_stats TO "`+name+`"`)
	require.NoError(t, replica.AwaitReplication(t.Context()))
	return name
}
