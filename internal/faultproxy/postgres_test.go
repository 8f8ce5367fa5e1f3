package faultproxy_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"rollcall/internal/faultproxy"
	"rollcall/internal/lab"
)

// A login is one request, and so is what the server answers as one, whatever
// becomes of it.
func TestRequestsOfPostgreSQLAreBrokenOneByOne(t *testing.T) {
	ca, err := lab.NewCA()
	require.NoError(t, err)
	server, err := lab.StartPostgres(t.Context(), lab.PostgresOptions{Dir: t.TempDir(), CA: ca})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop(context.Background())) })
	own, err := server.Certificate()
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca.PEM))
	proxy, err := faultproxy.StartPostgres(t.Context(), "127.0.0.1:0", server.URL(), &tls.Config{Certificates: []tls.Certificate{own}}, &tls.Config{RootCAs: roots})
	require.NoError(t, err)
	t.Cleanup(proxy.Close)

	connect := func(ctx context.Context, password string) (*pgx.Conn, error) {
		c, err := pgx.ParseConfig(fmt.Sprintf("host=127.0.0.1 port=%s user=%s dbname=postgres sslmode=require channel_binding=require", proxy.URL()[strings.LastIndex(proxy.URL(), ":")+1:], server.Super))
		require.NoError(t, err)
		c.Password, c.ConnectTimeout, c.DefaultQueryExecMode = password, time.Minute, pgx.QueryExecModeExec
		c.TLSConfig = &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
		return pgx.ConnectConfig(ctx, c)
	}
	limit := func() (n int) {
		conn, err := server.AdminConn(t.Context())
		require.NoError(t, err)
		defer conn.Close(t.Context())
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'rollcall'").Scan(&n))
		return n
	}
	set := func(ctx context.Context, n int) error {
		conn, err := connect(ctx, server.SuperPassword)
		if err != nil {
			return err
		}
		defer conn.Close(t.Context())
		_, err = conn.Exec(ctx, fmt.Sprintf("ALTER ROLE rollcall CONNECTION LIMIT %d", n))
		return err
	}
	require.NoError(t, set(t.Context(), 10))
	require.Equal(t, 10, limit())
	requests := proxy.Requests()
	require.Len(t, requests, 2)
	require.Equal(t, "login ", requests[0].String())
	require.Equal(t, "query ALTER ROLE", requests[1].String())
	require.True(t, requests[0].Applied && requests[1].Applied)
	_, err = connect(t.Context(), "wrong")
	require.ErrorContains(t, err, "28P01")

	n := 10
	for _, fault := range []faultproxy.Fault{faultproxy.DropRequest, faultproxy.DropReply, faultproxy.Cut} {
		for at := 1; at <= 2; at++ {
			n++
			proxy.Arm(faultproxy.Plan{At: at, Fault: fault})
			if fault == faultproxy.DropRequest {
				err = givenUp(t, fired(proxy), func(ctx context.Context) error { return set(ctx, n) })
			} else {
				err = set(t.Context(), n)
			}
			require.Error(t, err, "%s at request %d", fault, at)
			r, fired := proxy.Fired()
			require.True(t, fired)
			proxy.Disarm()
			applied := fault == faultproxy.DropReply
			require.Eventually(t, func() bool { return proxy.Requests()[r.N-1].Applied == applied }, time.Minute, time.Millisecond)
			require.Equal(t, applied && at == 2, limit() == n, "%s at request %d", fault, at)
		}
	}
	require.NoError(t, set(t.Context(), 99), "and nothing is left of it")
	require.Equal(t, 99, limit())
}
