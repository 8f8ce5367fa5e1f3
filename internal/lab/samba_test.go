package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

func bindAt(t *testing.T, s *Samba, dn, password string) (*ldap.Conn, error) {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(s.CA))
	conn, err := ldap.DialURL(s.LDAPS(), ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots}))
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn, conn.Bind(dn, password)
}

func resetAs(conn *ldap.Conn, dn, password string) error {
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace("unicodePwd", []string{unicodePassword(password)})
	return conn.Modify(req)
}

func TestDomainControllersRunSideBySideAndSurviveAKill(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	ca, err := NewCA()
	require.NoError(t, err)
	var g errgroup.Group
	both := make([]*Samba, 2)
	for i := range both {
		// A folder too long for the path of a Unix socket.
		dir := filepath.Join(t.TempDir(), "a folder with a name that does not fit", "and another one below it that does neither")
		g.Go(func() (err error) {
			both[i], err = StartSamba(ctx, SambaOptions{Dir: dir, CA: ca, Accounts: SeedAccounts("svc", 3)})
			return err
		})
	}
	require.NoError(t, g.Wait())
	for _, s := range both {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			require.NoError(t, s.Stop(ctx))
		})
	}
	s, other := both[0], both[1]
	dn, seeded := s.AccountDN("svc0001"), s.SeededPassword("svc0001")
	_, err = bindAt(t, s, dn, seeded)
	require.NoError(t, err)
	_, err = bindAt(t, other, dn, seeded)
	require.Error(t, err, "two domains, and not one")

	binder, err := bindAt(t, s, s.BinderDN, s.BinderPassword)
	require.NoError(t, err)
	reader, err := bindAt(t, s, s.ReaderDN, s.ReaderPassword)
	require.NoError(t, err)
	next := complexPassword()
	require.Error(t, resetAs(reader, dn, next))
	require.Error(t, resetAs(binder, s.ReaderDN, next), "its right ends at the organizational unit")
	require.NoError(t, resetAs(binder, dn, next))

	s.Process().Kill()
	require.NoError(t, s.Restart(ctx))
	_, err = bindAt(t, s, dn, next)
	require.NoError(t, err)
	_, err = bindAt(t, other, dn, next)
	require.Error(t, err)
}
