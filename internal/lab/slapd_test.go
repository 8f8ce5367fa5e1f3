package lab

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"
)

func startTestSlapd(t *testing.T, o SlapdOptions) *Slapd {
	t.Helper()
	return started(t, func(ctx context.Context, dir string) (*Slapd, error) {
		o.Dir = dir
		return StartSlapd(ctx, o)
	})
}

func readAttr(t *testing.T, s *Slapd, dn, name string) string {
	t.Helper()
	conn, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	res, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{name}, nil))
	require.NoError(t, err)
	require.Len(t, res.Entries, 1)
	return res.Entries[0].GetAttributeValue(name)
}

func describeAs(t *testing.T, s *Slapd, dn, text string) {
	t.Helper()
	conn, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace("description", []string{text})
	require.NoError(t, conn.Modify(req))
}

func TestReplicaFollowsItsProviderExceptWhilePaused(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := NewCA()
	require.NoError(t, err)
	provider := startTestSlapd(t, SlapdOptions{CA: ca, Accounts: SeedAccounts("user", 2000)})
	replica := startTestSlapd(t, SlapdOptions{CA: ca, ReplicaOf: provider})
	dn := provider.AccountDN("user2000")
	require.Equal(t, readAttr(t, provider, dn, "entryUUID"), readAttr(t, replica, dn, "entryUUID"))

	describeAs(t, provider, dn, "one")
	require.NoError(t, replica.AwaitReplication(ctx))
	require.Equal(t, "one", readAttr(t, replica, dn, "description"))

	for _, text := range []string{"two", "three"} {
		before := readAttr(t, replica, dn, "description")
		replica.PauseReplication()
		describeAs(t, provider, dn, text)
		short, cancel := context.WithTimeout(ctx, 1500*time.Millisecond) // longer than the replica's retry
		require.Error(t, replica.AwaitReplication(short))
		cancel()
		require.Equal(t, before, readAttr(t, replica, dn, "description"))
		require.NoError(t, replica.ResumeReplication(ctx))
		require.Equal(t, text, readAttr(t, replica, dn, "description"))
	}
}

func TestAProviderHasNotCaughtUpByAChangeOfItsOwn(t *testing.T) {
	ca, err := NewCA()
	require.NoError(t, err)
	one := startTestSlapd(t, SlapdOptions{CA: ca, Provider: true, Accounts: SeedAccounts("user", 2)})
	two := startTestSlapd(t, SlapdOptions{CA: ca, Provider: true, ReplicaOf: one})
	two.PauseReplication()
	describeAs(t, one, one.AccountDN("user0001"), "there")
	describeAs(t, two, two.AccountDN("user0002"), "here, and later")
	short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	require.Error(t, two.AwaitReplication(short))
	require.NoError(t, two.ResumeReplication(t.Context()))
	require.Equal(t, "there", readAttr(t, two, two.AccountDN("user0001"), "description"))
}

func TestKilledServerComesBackWithItsData(t *testing.T) {
	ca, err := NewCA()
	require.NoError(t, err)
	s := startTestSlapd(t, SlapdOptions{CA: ca, Accounts: SeedAccounts("user", 1)})
	describeAs(t, s, s.AccountDN("user0001"), "durable")
	url := s.LDAPS()
	s.Process().Kill()
	_, err = s.AdminConn(t.Context())
	require.Error(t, err)
	require.NoError(t, s.Restart(t.Context()))
	require.Equal(t, url, s.LDAPS())
	require.Equal(t, "durable", readAttr(t, s, s.AccountDN("user0001"), "description"))
}

func TestPasswordsOnDiskAreHashedAndForUsAlone(t *testing.T) {
	ca, err := NewCA()
	require.NoError(t, err)
	accounts := SeedAccounts("user", 1)
	s := startTestSlapd(t, SlapdOptions{CA: ca, Accounts: accounts})
	dn := s.AccountDN("user0001")
	require.Contains(t, readAttr(t, s, dn, "userPassword"), "{SSHA}")
	conn, err := ldap.DialURL(s.LDAP())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Bind(dn, accounts[0].Password))

	for _, name := range []string{"slapd.conf", "slapd.key", "db/data.mdb"} {
		info, err := os.Stat(filepath.Join(s.opts.Dir, name))
		require.NoError(t, err)
		require.Zero(t, info.Mode().Perm()&0o077, "%s is %s", name, info.Mode())
	}
	require.NoFileExists(t, filepath.Join(s.opts.Dir, "seed.ldif"))
}

func TestCertificatesAreTrustedThroughTheCAAlone(t *testing.T) {
	ca, err := NewCA()
	require.NoError(t, err)
	other, err := NewCA()
	require.NoError(t, err)
	certFile, _, _, err := ca.Issue(t.TempDir(), "server", time.Hour)
	require.NoError(t, err)
	text, err := os.ReadFile(certFile)
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes) // refuses negative serial numbers
	require.NoError(t, err)
	require.Positive(t, cert.SerialNumber.Sign())
	for _, name := range []string{"127.0.0.1", "localhost"} {
		for c, trusted := range map[*CA]bool{ca: true, other: false} {
			roots := x509.NewCertPool()
			require.True(t, roots.AppendCertsFromPEM(c.PEM))
			_, err := cert.Verify(x509.VerifyOptions{Roots: roots, DNSName: name})
			require.Equal(t, trusted, err == nil, "%v", err)
		}
	}
}
