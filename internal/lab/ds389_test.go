package lab

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"
)

func startTestDS389(t *testing.T, o DS389Options) *DS389 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	// A name of its own, which other tests' servers do not have.
	o.Dir = filepath.Join(t.TempDir(), fmt.Sprintf("lab-%d-%s", os.Getpid(), rand.Text()[:6]))
	began := time.Now()
	s, err := StartDS389(ctx, o)
	require.NoError(t, err)
	t.Logf("up after %s", time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
		left, err := filepath.Glob("/dev/shm/sem." + filepath.Base(o.Dir) + ".*")
		require.NoError(t, err)
		require.Empty(t, left, "nothing is left behind outside of its folder")
	})
	return s
}

func bindAtDS389(t *testing.T, s *DS389, dn, password string) (*ldap.Conn, error) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(s.CA))
	conn, err := ldap.DialURL(s.LDAPS(), ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots}))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn, conn.Bind(dn, password)
}

func setAs(conn *ldap.Conn, dn, password string) error {
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace("userPassword", []string{password})
	return conn.Modify(req)
}

func TestDS389ConsumerFollowsItsSupplierExceptWhilePaused(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := NewCA()
	require.NoError(t, err)
	supplier := startTestDS389(t, DS389Options{CA: ca, Accounts: SeedAccounts("user", 20)})
	consumer := startTestDS389(t, DS389Options{CA: ca, ReplicaOf: supplier})
	dn := supplier.AccountDN("user0020")
	seeded := supplier.SeededPassword("user0020")
	_, err = bindAtDS389(t, consumer, dn, seeded)
	require.NoError(t, err)
	admin, err := supplier.AdminConn(ctx)
	require.NoError(t, err)
	defer admin.Close()

	for _, next := range []string{"the first new value", "the second new value"} {
		consumer.PauseReplication()
		require.NoError(t, setAs(admin, dn, next))
		short, cancel := context.WithTimeout(ctx, 1500*time.Millisecond) // longer than the supplier's retry
		require.Error(t, consumer.AwaitReplication(short))
		cancel()
		_, err = bindAtDS389(t, consumer, dn, next)
		require.Error(t, err)
		resumed := time.Now()
		require.NoError(t, consumer.ResumeReplication(ctx))
		t.Logf("caught up after %s", time.Since(resumed).Round(time.Millisecond))
		_, err = bindAtDS389(t, consumer, dn, next)
		require.NoError(t, err)
	}
	conn, err := consumer.AdminConn(ctx)
	require.NoError(t, err)
	defer conn.Close()
	require.Error(t, setAs(conn, dn, "at the consumer"), "it only reads")
}

func TestDS389HasTheRightsItShouldAndSurvivesAKill(t *testing.T) {
	ca, err := NewCA()
	require.NoError(t, err)
	s := startTestDS389(t, DS389Options{CA: ca, Accounts: SeedAccounts("user", 2)})
	dn := s.AccountDN("user0001")
	for id, password := range map[string]string{s.BinderDN: s.BinderPassword, s.WriterDN: s.WriterPassword} {
		conn, err := bindAtDS389(t, s, id, password)
		require.NoError(t, err)
		require.NoError(t, setAs(conn, dn, "set by "+id))
		require.Error(t, setAs(conn, s.WriterDN, "another service"), "its right ends at ou=people")
		_, err = bindAtDS389(t, s, dn, "set by "+id)
		require.NoError(t, err)
	}
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	require.NoError(t, setAs(admin, dn, "durable"))
	require.NoError(t, admin.Close())
	url := s.LDAPS()
	s.Process().Kill()
	_, err = s.AdminConn(t.Context())
	require.Error(t, err)
	require.NoError(t, s.Restart(t.Context()))
	require.Equal(t, url, s.LDAPS())
	_, err = bindAtDS389(t, s, dn, "durable")
	require.NoError(t, err)

	for _, name := range []string{"dse.ldif", "cert/ds389.key", "cert/key4.db", "db"} {
		info, err := os.Stat(filepath.Join(s.opts.Dir, name))
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, "%s is %s", name, info.Mode())
	}
}

// A consumer that takes no failure counts refuses each, and its supplier breaks
// off and sends them again after a while. Whether what follows them arrives
// first is a matter of luck.
func TestDS389WrongPasswordsHoldUpAConsumerThatTakesNoFailureCounts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := NewCA()
	require.NoError(t, err)
	supplier := startTestDS389(t, DS389Options{CA: ca, Accounts: SeedAccounts("user", 2), Policy: DS389Policy{MaxFailure: 3}})
	consumer := startTestDS389(t, DS389Options{CA: ca, ReplicaOf: supplier})
	configure := func(s *DS389, name, value string) {
		conn, err := s.AdminConn(ctx)
		require.NoError(t, err)
		defer conn.Close()
		req := ldap.NewModifyRequest("cn=config", nil)
		req.Replace(name, []string{value})
		require.NoError(t, conn.Modify(req))
	}
	wrong := func(dn string) {
		_, err := bindAtDS389(t, supplier, dn, "wrong")
		require.Error(t, err)
	}
	configure(supplier, "nsslapd-errorlog-level", "16384") // the default, which -d 0 takes away
	configure(consumer, "nsslapd-errorlog-level", "16384")
	wrong(supplier.AccountDN("user0001"))
	require.Eventually(t, func() bool {
		return strings.Contains(tail(consumer.path("log/errors"), 1<<30), "set passwordIsGlobalPolicy to 'on'") &&
			strings.Contains(tail(supplier.path("log/errors"), 1<<30), "Server is unwilling to perform (53). Will retry later.")
	}, time.Minute, 20*time.Millisecond)

	configure(consumer, "passwordIsGlobalPolicy", "on")
	dn := supplier.AccountDN("user0002")
	wrong(dn)
	require.NoError(t, consumer.AwaitReplication(ctx))
	conn, err := consumer.AdminConn(ctx)
	require.NoError(t, err)
	defer conn.Close()
	res, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"passwordRetryCount"}, nil))
	require.NoError(t, err)
	require.Equal(t, "1", res.Entries[0].GetEqualFoldAttributeValue("passwordRetryCount"), "it counts with its supplier")
}
