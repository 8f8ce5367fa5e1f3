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
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
	defer cancel()
	ca, err := NewCA()
	require.NoError(t, err)
	// A folder too long for the path of a Unix socket.
	dir := filepath.Join(t.TempDir(), "a folder with a name that does not fit", "and another one below it that does neither")
	var s *Samba
	var pair *SambaPair
	var g errgroup.Group
	g.Go(func() (err error) {
		s, err = StartSamba(ctx, SambaOptions{Dir: filepath.Join(dir, "alone"), CA: ca, Accounts: SeedAccounts("svc", 3)})
		return err
	})
	g.Go(func() (err error) {
		pair, err = StartSambaPair(ctx, SambaOptions{Dir: filepath.Join(dir, "pair"), CA: ca, Accounts: SeedAccounts("svc", 3)})
		return err
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if s != nil {
			require.NoError(t, s.Stop(ctx))
		}
		if pair != nil {
			require.NoError(t, pair.Stop(ctx))
		}
		requireNothingLeft(t, dir)
	})
	require.NoError(t, g.Wait())

	dn, seeded := s.AccountDN("svc0001"), s.SeededPassword("svc0001")
	_, err = bindAt(t, s, dn, seeded)
	require.NoError(t, err)
	_, err = bindAt(t, pair.First, dn, seeded)
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
	_, err = bindAt(t, pair.First, dn, next)
	require.Error(t, err)
	t.Run("two of one domain replicate over a cable that can be cut", func(t *testing.T) { cutAndHealed(ctx, t, pair) })
}
