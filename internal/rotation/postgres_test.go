package rotation

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/kind/postgrespassword"
	"rollcall/internal/lab"
	"rollcall/internal/postgres"
	"rollcall/internal/postgres/settings"
	"rollcall/internal/protocol"
	"rollcall/internal/wire"
)

// cluster is a real server of PostgreSQL and a Vault in memory.
type cluster struct {
	*testing.T
	pg    *lab.Postgres
	store *shelf
	pass  int
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	pg, err := lab.StartPostgres(t.Context(), lab.PostgresOptions{Dir: t.TempDir(), CA: ca})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pg.Stop(context.Background())) })
	return &cluster{T: t, pg: pg, store: newShelf()}
}

func (c *cluster) exec(statements ...string) {
	c.Helper()
	require.NoError(c, c.pg.Exec(c.Context(), statements...))
}

func (c *cluster) scan(query string, into any) {
	c.Helper()
	conn, err := c.pg.AdminConn(c.Context())
	require.NoError(c, err)
	defer func() { _ = conn.Close(context.WithoutCancel(c.Context())) }()
	require.NoError(c, conn.QueryRow(c.Context(), query).Scan(into))
}

// role makes one, and says what Vault holds of it; nothing if value is empty.
func (c *cluster) role(name, options, value string) credential.Credential {
	c.Helper()
	c.exec(`CREATE ROLE "` + name + `" ` + options)
	var id string
	c.scan("SELECT oid::text FROM pg_roles WHERE rolname = '"+name+"'", &id)
	p := credential.Path{Mount: "kv", Path: "apps/" + name, Field: "password"}
	if value != "" {
		c.store.put(p, value)
	}
	return credential.Credential{ID: "appdb/" + id, Kind: credential.PostgresPassword, Authority: "appdb", Subject: id, Name: name,
		Paths: []credential.Path{p}, Named: []credential.Path{p}, Confirmed: []credential.Path{p}}
}

// as is a process that works as a role and remembers nothing.
func (c *cluster) as(role, password string, timeout time.Duration) *Rotator {
	c.Helper()
	db, err := postgres.OpenSystem("appdb", settings.Cluster{
		Servers: []string{c.pg.URL()}, Database: "postgres", CA: c.pg.CA, Connections: 4, Timeout: timeout,
		Bind: []authority.Login{{Name: role, Secret: credential.Path{Mount: "kv", Path: "rollcall/db", Field: "password"}}},
	}, func(context.Context) (credential.Secret, error) { return credential.NewSecret(password), nil })
	require.NoError(c, err)
	c.Cleanup(func() { require.NoError(c, db.Close()) })
	c.pass++
	return &Rotator{Store: c.store, Authority: postgrespassword.New(db, authority.PasswordPolicy{}, nil), Campaign: us, Pass: c.pass, Now: time.Now, Cache: NewPreparedCache()}
}

// rotate is one pass over one role.
func rotate(ctx context.Context, rot *Rotator, x credential.Credential) Applied {
	p := rot.Prepare(ctx, x)
	if p.Stop != nil {
		return Applied{Applied: wire.Applied{Stop: p.Stop, Step: p.Step}}
	}
	return rot.Apply(ctx, x, p.Attempt, p.Fresh)
}

// A role that logs in by a certificate has no password. One of which that does
// not show, and of which Vault holds none that is right, may be such a role.
func TestARoleThatMayHaveNoPasswordIsGivenNone(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.exec(`CREATE ROLE blind LOGIN CREATEROLE PASSWORD 'of-the-blind' IN ROLE pg_signal_backend, pg_read_all_stats`)
	blind := func() *Rotator { return c.as("blind", "of-the-blind", time.Minute) }
	seeing := func() *Rotator { return c.as(c.pg.Admin, c.pg.AdminPassword, time.Minute) }
	hasNone := func(x credential.Credential) (none bool) {
		c.scan("SELECT rolpassword IS NULL FROM pg_authid WHERE oid = "+x.Subject, &none)
		return none
	}
	for _, value := range []string{"", "note: it has a certificate"} {
		name := "certonly" + value[:min(4, len(value))]
		certonly := c.role(name, "LOGIN", value)
		got := rotate(t.Context(), blind(), certonly)
		require.NotNil(t, got.Stop, "%+v", got)
		require.Equal(t, protocol.ReasonPasswordHidden, got.Stop.Reason, got.Stop.Detail)
		require.NotContains(t, got.Stop.Detail, name)
		require.True(t, hasNone(certonly))
		require.NoError(t, c.store.Release(t.Context(), certonly.ID))

		got = rotate(t.Context(), seeing(), certonly)
		require.NotNil(t, got.Stop, "%+v", got)
		require.Equal(t, protocol.ReasonNoPassword, got.Stop.Reason)
		require.True(t, hasNone(certonly))
	}

	known := c.role("known", "LOGIN PASSWORD 'stolen-and-right'", "stolen-and-right")
	got := rotate(t.Context(), blind(), known)
	require.True(t, got.Dead(), "a good login shows that it has one: %+v", got)

	adopted := c.role("adopted", "LOGIN PASSWORD 'nobody-knows-it'", "")
	got = rotate(t.Context(), blind(), adopted)
	require.Equal(t, protocol.ReasonPasswordHidden, got.Stop.Reason)
	got = rotate(t.Context(), seeing(), adopted)
	require.True(t, got.Dead(), "it is seen to have one: %+v", got)

	accepted := c.role("accepted", "LOGIN PASSWORD 'somebody-knows-that'", "")
	accepted.Accepted = []credential.Problem{credential.PasswordHidden}
	got = rotate(t.Context(), blind(), accepted)
	require.True(t, got.Dead(), "a person said that it has one: %+v", got)
}

// What no login can carry was asked of nobody: it is no server that does not
// answer, and no proof.
func TestAValueThatNoLoginCanCarryIsToldForWhatItIs(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.exec("CREATE ROLE worker SUPERUSER LOGIN PASSWORD 'worker'")
	for name, row := range map[string]struct{ holds, why string }{
		"zero":  {"abcdefgh\x00ijkl", "no login can carry a zero byte"},
		"marks": {"e\u0301\U0001F511-x-y-z", "its characters"},
	} {
		x := c.role(name, "LOGIN PASSWORD 'stolen-"+name+"'", row.holds)
		spare := credential.Path{Mount: "rollcall", Path: "device/" + name, Field: "password"}
		x.Confirmed, x.Spare = nil, &spare
		a := rotate(t.Context(), c.as("worker", "worker", time.Minute), x)
		require.True(t, a.Dead(), "%+v", a.Stop)
		require.Equal(t, row.holds, c.store.live[x.Paths[0].String()].Value.Reveal(), "it is left as it is")
		require.Equal(t, protocol.ProofMetadata, a.Proof, "nobody was asked about the value")
		refused := slices.IndexFunc(a.Findings, func(f credential.Finding) bool { return f.Code == credential.FindingPathRefused })
		require.GreaterOrEqual(t, refused, 0)
		require.Contains(t, a.Findings[refused].Detail, "was offered to no server, because "+row.why)
	}
}

// Who kept a session of the stolen password sets one of his own after each of
// ours, as often as he can: a role needs no right for that. It dies all the
// same.
func TestWhoKeepsASessionOfARoleAndSetsItsPasswordOverAndOverLosesIt(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.exec(`GRANT SELECT (oid, xmin) ON pg_authid TO "` + c.pg.Admin + `"`) // docs/rights.md
	x := c.role("svc", "LOGIN PASSWORD 'stolen'", "stolen")
	ctx, stop := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan struct{})
	thief, err := c.pg.Connect(ctx, "svc", "stolen", "postgres")
	require.NoError(t, err)
	go func() {
		defer close(ended)
		began := sync.OnceFunc(func() { close(ready) })
		for n := 0; ctx.Err() == nil && !thief.IsClosed(); n++ {
			_, _ = thief.Exec(ctx, fmt.Sprintf("ALTER ROLE CURRENT_USER PASSWORD 'of-the-thief-%d'", n))
			began()
		}
		_ = thief.Close(context.WithoutCancel(ctx))
	}()
	defer func() { stop(); <-ended }()
	<-ready
	var got Applied
	for range 40 {
		if got = rotate(t.Context(), c.as(c.pg.Admin, c.pg.AdminPassword, 10*time.Second), x); got.Dead() {
			break
		}
	}
	require.True(t, got.Dead(), "%+v", got)
	live, err := c.store.ReadLive(t.Context(), x.Paths[0], 0)
	require.NoError(t, err)
	conn, err := c.pg.Connect(t.Context(), "svc", live.Value.Reveal(), "postgres")
	require.NoError(t, err, "consumers log in")
	require.NoError(t, conn.Close(t.Context()))
	require.Eventually(t, func() bool { // a session that was closed ends a moment later
		var sessions int
		c.scan("SELECT count(*) FROM pg_stat_activity WHERE usename = 'svc'", &sessions)
		return sessions == 0
	}, time.Minute, 10*time.Millisecond)
}
