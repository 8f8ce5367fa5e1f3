package postgres

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

func TestWhoAnswersIsTold(t *testing.T) {
	t.Parallel()
	client := asAdmin(t)
	var ms []*Machine
	for i, s := range client.Servers() {
		m, err := client.Who(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, i == 0, m.Primary)
		require.Equal(t, "00000001", m.Timeline)
		require.Equal(t, 15, m.Version/10000)
		require.False(t, m.Pooler)
		require.Equal(t, SCRAM, m.Method)
		require.True(t, m.Bound)
		ms = append(ms, &m)
		several, err := client.Several(t.Context(), s, 4)
		require.NoError(t, err)
		require.Empty(t, several)
	}
	require.Equal(t, ms[0].System, ms[1].System)
	_, what := Contradiction(client.Servers(), ms)
	require.Empty(t, what)
	server, what := Contradiction([]string{"b", "a"}, []*Machine{ms[1], ms[0]})
	require.Equal(t, "b", server)
	require.Contains(t, what, "standby")

	followers, err := client.Standbys(t.Context(), client.Servers()[0])
	require.NoError(t, err)
	require.Len(t, followers, 1)
	require.Empty(t, Unnamed(ms, followers))
	require.Equal(t, followers, Unnamed(ms[:1], followers))
}

func TestABalancerIsToldByWhatItsMachinesShow(t *testing.T) {
	t.Parallel()
	b, err := lab.StartBalancer("127.0.0.1:0", addr(primary), addr(replica))
	require.NoError(t, err)
	t.Cleanup(b.Close)
	c := conf(primary)
	c.Servers = []string{"postgresql://" + b.Addr()}
	several, err := open(t, c, primary.AdminPassword).Several(t.Context(), c.Servers[0], 4)
	require.NoError(t, err)
	require.NotEmpty(t, several)
}

// A limit is no contradiction: every pass would end with it. It makes the look
// no shorter either.
func TestWhereThereIsNoRoomForSeveralConnectionsTheyAreOpenedOneAtATime(t *testing.T) {
	t.Parallel()
	require.NoError(t, primary.Exec(t.Context(), `CREATE ROLE "few" LOGIN CREATEROLE CONNECTION LIMIT 3 PASSWORD 'of-the-few' IN ROLE pg_signal_backend, pg_read_all_stats`))
	c := conf(primary)
	c.Admin.Role = "few"
	for _, limit := range []int{3, 1} {
		require.NoError(t, primary.Exec(t.Context(), fmt.Sprintf(`ALTER ROLE "few" CONNECTION LIMIT %d`, limit)))
		met, err := open(t, c, "of-the-few").meet(t.Context(), c.Servers[0], 8)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(met), 8)
		require.Empty(t, differ(met))
	}

	require.NoError(t, primary.Exec(t.Context(), `ALTER ROLE "few" CONNECTION LIMIT 0`))
	_, err := open(t, c, "of-the-few").Several(t.Context(), c.Servers[0], 8)
	require.Error(t, err)

	// What does not answer is another matter than a limit.
	gone, err := lab.FreePort()
	require.NoError(t, err)
	b, err := lab.StartBalancer("127.0.0.1:0", addr(primary), fmt.Sprintf("127.0.0.1:%d", gone))
	require.NoError(t, err)
	t.Cleanup(b.Close)
	c = conf(primary)
	c.Servers = []string{"postgresql://" + b.Addr()}
	_, err = open(t, c, primary.AdminPassword).Several(t.Context(), c.Servers[0], 8)
	require.Error(t, err)
}

// One that has no room says so before it asks who comes. It may be a copy that
// lets the stolen password in, while the others are compared among themselves.
func TestAMachineBehindABalancerThatHasNoRoomIsNotLeftOut(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	other, err := lab.StartPostgres(ctx, lab.PostgresOptions{Dir: filepath.Join(t.TempDir(), "other"), CA: ca, Conf: []string{"max_connections = 6", "superuser_reserved_connections = 3", "max_wal_senders = 0"}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Stop(context.Background())) })
	require.NoError(t, other.Exec(ctx, fmt.Sprintf(`ALTER ROLE %s PASSWORD '%s'`, primary.Admin, primary.AdminPassword)))
	b, err := lab.StartBalancer("127.0.0.1:0", addr(primary), addr(other))
	require.NoError(t, err)
	t.Cleanup(b.Close)
	c := conf(primary)
	c.Servers = []string{"postgresql://" + b.Addr()}
	client := open(t, c, primary.AdminPassword)
	several, err := client.Several(ctx, c.Servers[0], 8)
	require.NoError(t, err)
	require.Contains(t, several, "two clusters")

	for n := 0; ; n++ { // until it has no room
		conn, err := other.Connect(ctx, primary.Admin, primary.AdminPassword, "postgres")
		if err != nil {
			require.Equal(t, codeTooManyConnections, codeOf(err))
			require.Positive(t, n)
			break
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
	}
	_, err = client.Several(ctx, c.Servers[0], 8)
	require.ErrorIs(t, err, errNoRoom)
}

func addr(s *lab.Postgres) string { return s.URL()[len("postgresql://"):] }

// A second cluster that was promoted out of the first has its identifier and
// takes changes. It is a follower that no other test may see: not in parallel.
func TestAPromotedReplicaIsAContradictionAndAStrangerToo(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	third, err := lab.StartPostgres(ctx, lab.PostgresOptions{Dir: filepath.Join(t.TempDir(), "third"), CA: ca, ReplicaOf: primary})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, third.Stop(context.Background())) })
	client := open(t, conf(primary, third), primary.AdminPassword)
	change, err := client.Moment(ctx)
	require.NoError(t, err)
	await(t, func() bool { _, has, err := client.Arrived(ctx, third.URL(), change); return err == nil && has })
	require.NoError(t, third.Promote(ctx))
	_, _, err = client.Arrived(ctx, third.URL(), change)
	requireStop(t, err, protocol.ReasonContradicts)
	m, err := client.Who(ctx, third.URL())
	require.NoError(t, err)
	require.True(t, m.Primary)
	first, err := client.Who(ctx, primary.URL())
	require.NoError(t, err)
	require.Equal(t, first.System, m.System)
	server, what := Contradiction(client.Servers(), []*Machine{&first, &m})
	require.Equal(t, third.URL(), server)
	require.Contains(t, what, "promoted")

	stranger := m
	stranger.System, stranger.Primary = "1", false
	_, what = Contradiction(client.Servers(), []*Machine{&first, &stranger})
	require.Contains(t, what, "another cluster")
	_, what = Contradiction(client.Servers(), []*Machine{nil, nil})
	require.Empty(t, what)
}

func TestACertificateIsHeldToTheNameWhateverIsDialled(t *testing.T) {
	t.Parallel()
	other, err := lab.NewCA()
	require.NoError(t, err)
	port := addr(primary)[len("127.0.0.1:"):]
	for name, row := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"name at an address": {func(c *Config) { c.Servers = []string{"postgresql://" + lab.Name + ":" + port + "@127.0.0.1"} }, ""},
		"another name":       {func(c *Config) { c.Servers = []string{"postgresql://other.example.org:" + port + "@127.0.0.1"} }, "it is for"},
		"another CA":         {func(c *Config) { c.CA = string(other.PEM) }, "ca_file"},
		"the system's CAs":   {func(c *Config) { c.CA = "" }, "ca_file"},
	} {
		t.Run(name, func(t *testing.T) {
			c := conf(primary)
			row.change(&c)
			client := open(t, c, primary.AdminPassword)
			_, _, err := client.Find(t.Context(), c.Servers[0], "nobody")
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "is not trusted")
			require.ErrorContains(t, err, row.want)
			require.False(t, IsUnreachable(err))
			_, err = client.Offer(t.Context(), c.Servers[0], "nobody", primary0)
			require.ErrorContains(t, err, "is not trusted")
			checks := client.Check(t.Context())
			require.Equal(t, "connect", checks[0].What)
			require.Contains(t, checks[0].Do, row.want)
		})
	}
}

func TestNothingOfTheEnvironmentHasASay(t *testing.T) {
	for name, value := range map[string]string{"PGHOST": "192.0.2.1", "PGPORT": "1", "PGUSER": "nobody", "PGPASSWORD": "wrong", "PGDATABASE": "none",
		"PGSSLMODE": "disable", "PGTARGETSESSIONATTRS": "standby", "PGOPTIONS": "-c nonsense=1", "PGREQUIREAUTH": "none", "PGCHANNELBINDING": "disable", "PGAPPNAME": "x"} {
		t.Setenv(name, value)
	}
	client := asAdmin(t)
	_, there, err := client.Find(t.Context(), client.Servers()[0], primary.Admin)
	require.NoError(t, err)
	require.True(t, there)
}

func TestServersAreURLsWithAPortAndPerhapsAnAddress(t *testing.T) {
	for in, want := range map[string]string{
		"postgresql://DB1.example.org":                      "postgresql://db1.example.org:5432",
		"postgres://db1.example.org:6432":                   "postgresql://db1.example.org:6432",
		"postgresql://db1.example.org:5432@192.0.2.7":       "postgresql://db1.example.org:5432@192.0.2.7",
		"postgresql://[2001:db8::1]:5432":                   "postgresql://[2001:db8::1]:5432",
		"postgresql://db1.example.org:5432/":                "postgresql://db1.example.org:5432",
		"postgresql://db1.example.org@2001:db8::1":          "postgresql://db1.example.org:5432@2001:db8::1",
		"postgresql://user:secret@db1.example.org":          "",
		"postgresql://db1.example.org/app":                  "",
		"postgresql://db1.example.org?sslmode=disable":      "",
		"postgresql://a,b":                                  "",
		"db1.example.org:5432":                              "",
		"ldaps://db1.example.org":                           "",
		"postgresql:///var/run/postgresql":                  "",
		"postgresql://db1.example.org:0":                    "",
		"postgresql://db1.example.org:5432@db2.example.org": "",
	} {
		got, err := serverURL(in)
		require.Equal(t, want, got, in)
		require.Equal(t, want == "", err != nil, in)
		if err == nil {
			again, err := serverURL(got)
			require.NoError(t, err)
			require.Equal(t, got, again)
		}
	}
	url, address := config.SplitServer("postgresql://db1.example.org:5432@192.0.2.7")
	require.Equal(t, "192.0.2.7", address)
	require.Equal(t, "postgresql://db1.example.org:5432", url)
}

// serverURL is a server in the form that Config.Servers has: lower case, port
// given.
func serverURL(text string) (string, error) {
	host, port, _, err := parseServer(text)
	if err != nil {
		return "", err
	}
	_, address := config.SplitServer(text)
	return config.ServerAt("postgresql://"+net.JoinHostPort(host, strconv.Itoa(int(port))), address), nil
}
