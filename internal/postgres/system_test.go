package postgres

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/authority"
	"rollcall/internal/lab"
	"rollcall/internal/postgres/settings"
)

func TestAStandbyThatNoFileNamesIsToldUntilAPersonAccountsForIt(t *testing.T) {
	t.Parallel()
	others := func(servers []*lab.Postgres, accepted ...string) authority.Others {
		c := settings.Cluster{CA: string(ca.PEM), Bind: []authority.Login{{Name: primary.Admin}}, Connections: 2, Timeout: 10 * time.Second}
		for _, s := range servers {
			c.Servers = append(c.Servers, s.URL())
		}
		s, err := OpenSystem("db", c, held(primary.AdminPassword))
		require.NoError(t, err)
		defer s.Close()
		o, err := s.Others(t.Context(), accepted...)
		require.NoError(t, err)
		return o
	}
	require.Equal(t, authority.Others{}, others([]*lab.Postgres{primary, replica}))
	alone := others([]*lab.Postgres{primary})
	require.Equal(t, []string{"replica@127.0.0.1"}, alone.Names)
	require.Contains(t, alone.Detail, "that servers does not name: replica@127.0.0.1")
	accepted := others([]*lab.Postgres{primary}, "replica@127.0.0.1", "another")
	require.Empty(t, accepted.Names)
	require.Equal(t, []string{"replica@127.0.0.1"}, accepted.Accepted)
}
