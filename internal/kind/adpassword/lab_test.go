package adpassword

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/kind"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// domain is the one that all tests share: provisioning takes longer than they
// do.
var domain struct {
	once sync.Once
	dc   *lab.Samba
	err  error

	mu   sync.Mutex
	used int
}

const seeded = 150

func TestMain(m *testing.M) {
	code := m.Run()
	if domain.dc != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		if err := domain.dc.Stop(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	_ = os.RemoveAll(domainDir)
	os.Exit(code)
}

var domainDir string

// dc starts the domain with the first test that needs it.
func dc(t *testing.T) *lab.Samba {
	t.Helper()
	domain.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		var ca *lab.CA
		if ca, domain.err = lab.NewCA(); domain.err != nil {
			return
		}
		if domainDir, domain.err = os.MkdirTemp("", "rollcall-adpassword-"); domain.err != nil {
			return
		}
		domain.dc, domain.err = lab.StartSamba(ctx, lab.SambaOptions{Dir: domainDir, CA: ca, Accounts: lab.SeedAccounts("svc", seeded)})
	})
	require.NoError(t, domain.err)
	return domain.dc
}

func conf(s *lab.Samba) config.Directory {
	return config.Directory{
		Driver: "active-directory", Servers: []string{s.LDAPS()}, Base: s.BaseDN(), CA: s.CA,
		Bind:        config.Bind{DN: s.BinderDN, Password: credential.Path{Mount: "kv", Path: "rollcall/bind", Field: "password"}},
		Connections: 8, Timeout: config.Duration(time.Minute),
	}
}

func open(t *testing.T, d config.Directory, password string) *Authority {
	t.Helper()
	c, err := directory.Open("ad", d, func(context.Context) (credential.Secret, error) { return credential.NewSecret(password), nil })
	require.NoError(t, err)
	a := New(c, config.PasswordPolicy{}, nil)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return a
}

func authority(t *testing.T) *Authority {
	t.Helper()
	return open(t, conf(dc(t)), dc(t).BinderPassword)
}

// account hands out an account that nobody used yet.
func account(t *testing.T) (credential.Credential, credential.Secret) {
	t.Helper()
	s := dc(t)
	domain.mu.Lock()
	domain.used++
	uid := fmt.Sprintf("svc%04d", domain.used)
	domain.mu.Unlock()
	dn := s.AccountDN(uid)
	return named(t, dn), credential.NewSecret(s.SeededPassword(uid))
}

func named(t *testing.T, dn string) credential.Credential {
	t.Helper()
	var guid string
	c := directoryAsAdmin(t)
	require.NoError(t, c.Search(t.Context(), c.Servers()[0], dn, "(objectClass=user)", nil, func(e directory.Entry) error {
		guid = e.ID
		return nil
	}))
	require.NotEmpty(t, guid)
	return credential.Credential{ID: "ad/" + guid, Kind: credential.ADPassword, Authority: "ad", Subject: guid, Name: dn}
}

func directoryAsAdmin(t *testing.T) *directory.Client {
	t.Helper()
	d := conf(dc(t))
	d.Bind.DN = dc(t).AdminDN
	return open(t, d, dc(t).AdminPassword).Dir
}

// put replaces one attribute as the Administrator.
func put(t *testing.T, dn, name, value string) {
	t.Helper()
	conn, err := dc(t).AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace(name, []string{value})
	require.NoError(t, conn.Modify(req))
}

func attr(t *testing.T, dn, name string) string {
	t.Helper()
	conn, err := dc(t).AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	res, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{name}, nil))
	require.NoError(t, err)
	require.Len(t, res.Entries, 1)
	return res.Entries[0].GetAttributeValue(name)
}

func remove(t *testing.T, dn string) {
	t.Helper()
	conn, err := dc(t).AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Del(ldap.NewDelRequest(dn, nil)))
}

// logsIn asks the domain controller past our own driver.
func logsIn(t *testing.T, dn string, v credential.Secret) bool {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(dc(t).CA))
	conn, err := ldap.DialURL(dc(t).LDAPS(), ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots}))
	require.NoError(t, err)
	defer conn.Close()
	err = conn.Bind(dn, v.Reveal())
	if err != nil {
		require.True(t, ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials), "%v", err)
	}
	return err == nil
}

// lock runs up refused logins until the account is locked.
func lock(t *testing.T, dn string) {
	t.Helper()
	for range 3 {
		require.False(t, logsIn(t, dn, credential.NewSecret("not the password")))
	}
	require.NotEqual(t, "0", attr(t, dn, "lockoutTime"))
}

func disable(t *testing.T, dn string) {
	t.Helper()
	control, err := strconv.Atoi(attr(t, dn, "userAccountControl"))
	require.NoError(t, err)
	put(t, dn, "userAccountControl", strconv.Itoa(control|accountDisable))
}

func expire(t *testing.T, dn string) { put(t, dn, "accountExpires", "132000000000000000") } // in 2019

func add(t *testing.T, dn, name, value string) {
	t.Helper()
	conn, err := dc(t).AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	req := ldap.NewModifyRequest(dn, nil)
	req.Add(name, []string{value})
	require.NoError(t, conn.Modify(req))
}

// mustChange is an account whose owner has to change its password first.
func mustChange(t *testing.T, dn string) {
	t.Helper()
	put(t, dn, "userAccountControl", "512") // without DONT_EXPIRE_PASSWORD
	put(t, dn, "pwdLastSet", "0")
}

func show(t *testing.T, a *Authority, c credential.Credential) kind.Account {
	t.Helper()
	acc, err := a.Account(t.Context(), a.Servers()[0], c)
	require.NoError(t, err)
	return acc
}

func fresh(t *testing.T, a *Authority) credential.Secret {
	t.Helper()
	v, err := a.Generate(t.Context(), credential.Credential{})
	require.NoError(t, err)
	return v
}

func try(t *testing.T, a *Authority, acc kind.Account, v credential.Secret) protocol.Reply {
	t.Helper()
	got, err := a.Try(t.Context(), a.Servers()[0], acc, v)
	require.NoError(t, err)
	return got
}

// move renames an account and gives its new DN.
func move(t *testing.T, dn, rdn string) string {
	t.Helper()
	conn, err := dc(t).AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.ModifyDN(ldap.NewModifyDNRequest(dn, rdn, true, "")))
	return rdn + "," + dc(t).ServicesDN()
}
