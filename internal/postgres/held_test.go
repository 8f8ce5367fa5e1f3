package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// One statement in a transaction that is never ended keeps every change of the
// role waiting.
func TestASessionOfTheRoleThatHoldsItsRowIsEndedAndNobodyElses(t *testing.T) {
	t.Parallel()
	id, name, value := newRole(t, "")
	c := conf(primary)
	c.Timeout, c.Connections = 8*time.Second, 1 // who waits for a row gives up after three quarters of it
	client := open(t, c, primary.AdminPassword)
	hold := func(role, password, statement string) *pgx.Conn {
		t.Helper()
		conn, err := primary.Connect(t.Context(), role, password, "postgres")
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		_, err = conn.Exec(t.Context(), "BEGIN; "+statement, pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err)
		return conn
	}
	thief := hold(name, value.Reveal(), "ALTER ROLE CURRENT_USER PASSWORD 'of-the-thief'")
	// A machine that stands still may leave too little time for one.
	sets := func(value string) (err error) {
		await(t, func() bool {
			_, err = client.SetPassword(t.Context(), id, name, credential.NewSecret(value))
			return !IsUnreachable(err)
		})
		return err
	}
	fresh := credential.NewSecret("a-new-one-for-all")
	require.NoError(t, sets(fresh.Reveal()))
	require.Error(t, thief.Ping(t.Context()), "it is ended")
	for password, in := range map[string]bool{value.Reveal(): false, "of-the-thief": false, fresh.Reveal(): true} {
		conn, err := primary.Connect(t.Context(), name, password, "postgres")
		require.Equal(t, in, err == nil, password)
		if conn != nil {
			hangUp(t.Context(), conn)
		}
	}

	other := hold(primary.Super, primary.SuperPassword, `ALTER ROLE "`+name+`" CONNECTION LIMIT 5`)
	err := sets("not-set")
	requireStop(t, err, protocol.ReasonHeld)
	require.ErrorContains(t, err, "holds the role's row")
	require.NotContains(t, err.Error(), name)
	require.NoError(t, other.Ping(t.Context()), "it is not ours to end")
	_, err = other.Exec(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	require.NoError(t, sets("set-now"))
}
