package postgres

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/authority"
	"rollcall/internal/lab"
	"rollcall/internal/postgres/settings"
)

// section is a cluster as a section of the campaign file has it.
func section(t *testing.T, s *lab.Postgres, password string, servers ...string) *System {
	t.Helper()
	out, err := OpenSystem("db", settings.Cluster{
		Servers: servers, CA: string(ca.PEM), Database: "postgres", Connections: 2, Timeout: time.Minute,
		Bind: []authority.Login{{Name: s.Admin, Secret: conf().Admin.Password}},
	}, held(password))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, out.Close()) })
	return out
}

// A cluster has many names and addresses (a VIP, a host name, a forwarder), and
// its standbys are the same cluster. A role of it in two sections would get two
// new values.
func TestAClusterIsOneByWhateverNameAndAddressItIsReached(t *testing.T) {
	vip, err := lab.StartBalancer("127.0.0.1:0", strings.TrimPrefix(primary.URL(), "postgresql://"))
	require.NoError(t, err)
	t.Cleanup(vip.Close)
	second, err := lab.StartBalancer("127.0.0.1:0", strings.TrimPrefix(replica.URL(), "postgresql://"))
	require.NoError(t, err)
	t.Cleanup(second.Close)
	first := section(t, primary, primary.AdminPassword, primary.URL(), replica.URL())
	for name, row := range map[string]struct {
		servers []string
		words   string
	}{
		"by a VIP":                        {[]string{"postgresql://" + vip.Addr()}, primary.URL() + " and postgresql://" + vip.Addr() + " are one server"},
		"its standby alone":               {[]string{replica.URL()}, replica.URL() + " and " + replica.URL() + " are one server"},
		"its standby by another address":  {[]string{"postgresql://" + second.Addr()}, replica.URL() + " and postgresql://" + second.Addr() + " are one server"},
		"beside a server that is silent":  {[]string{"postgresql://127.0.0.1:1", "postgresql://" + vip.Addr()}, "are one server"},
		"a server that is silent and all": {[]string{"postgresql://127.0.0.1:1"}, ""},
	} {
		why, err := first.One(t.Context(), section(t, primary, primary.AdminPassword, row.servers...))
		require.NoError(t, err, name)
		require.Equal(t, row.words == "", why == "", "%s: %s", name, why)
		require.Contains(t, why, row.words, name)
	}
	why, err := section(t, primary, primary.AdminPassword, primary.URL()).One(t.Context(), section(t, primary, primary.AdminPassword, "postgresql://"+second.Addr()))
	require.NoError(t, err)
	require.Contains(t, why, "postgresql://"+second.Addr()+" is a standby of the cluster of "+primary.URL())
	why, err = section(t, primary, primary.AdminPassword, replica.URL()).One(t.Context(), section(t, primary, primary.AdminPassword, "postgresql://"+vip.Addr()))
	require.NoError(t, err)
	require.Contains(t, why, replica.URL()+" is a standby of the cluster of postgresql://"+vip.Addr())

	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	own, err := lab.StartPostgres(ctx, lab.PostgresOptions{Dir: t.TempDir(), CA: ca})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, own.Stop(context.Background())) })
	why, err = first.One(t.Context(), section(t, own, own.AdminPassword, own.URL()))
	require.NoError(t, err)
	require.Empty(t, why, "another cluster")
}

// A copy of a cluster's files has its system identifier, and is another one.
func TestACopyOfAClusterIsAnother(t *testing.T) {
	at := func(server, system string, primary bool, started int64) seenAt {
		return seenAt{server, Machine{System: system, Primary: primary, Started: time.UnixMicro(started)}}
	}
	ours := []seenAt{at("a", "1", true, 10), at("a2", "1", false, 11)}
	require.Empty(t, sameCluster(ours, []seenAt{at("copy", "1", true, 20), at("copy2", "1", false, 21)}), "the copy has a primary, which its standby follows")
	require.Empty(t, sameCluster(ours, []seenAt{at("b", "2", true, 10)}))
	require.NotEmpty(t, sameCluster(ours, []seenAt{at("copy", "1", true, 20), at("by another name", "1", false, 11)}), "but one of ours is ours")
	require.NotEmpty(t, sameCluster(ours, []seenAt{at("c", "1", false, 30)}))
	require.NotEmpty(t, sameCluster([]seenAt{at("c", "1", false, 30)}, ours))
}
