package userpassword

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

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
	dir  string
	dc   *lab.Samba
	err  error

	mu   sync.Mutex
	used int
}

const seeded = 100

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
	_ = os.RemoveAll(domain.dir)
	os.Exit(code)
}

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
		if domain.dir, domain.err = os.MkdirTemp("", "rollcall-userpassword-"); domain.err != nil {
			return
		}
		domain.dc, domain.err = lab.StartSamba(ctx, lab.SambaOptions{
			Dir: domain.dir, CA: ca, People: lab.SeedAccounts("person", seeded), Accounts: lab.SeedAccounts("svc", 1),
		})
	})
	require.NoError(t, domain.err)
	return domain.dc
}

func conf(s *lab.Samba) config.Directory {
	return config.Directory{
		Driver: config.ActiveDirectory, Servers: []string{s.LDAPS()}, Base: s.BaseDN(), CA: s.CA,
		Bind:        config.Bind{DN: s.BinderDN, Password: credential.Path{Mount: "kv", Path: "rollcall/bind", Field: "password"}},
		Connections: 8, Timeout: config.Duration(time.Minute),
	}
}

func authority(t *testing.T) *Authority {
	t.Helper()
	c, err := directory.Open("ad", conf(dc(t)), func(context.Context) (credential.Secret, error) {
		return credential.NewSecret(dc(t).BinderPassword), nil
	})
	require.NoError(t, err)
	a := New(c, config.PasswordPolicy{}, nil)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return a
}

// person hands out a person whose account nobody used yet.
func person(t *testing.T) (credential.Credential, credential.Secret) {
	t.Helper()
	s := dc(t)
	domain.mu.Lock()
	domain.used++
	uid := fmt.Sprintf("person%04d", domain.used)
	domain.mu.Unlock()
	return named(t, s.PersonDN(uid)), credential.NewSecret(s.SeededPassword(uid))
}

func named(t *testing.T, dn string) credential.Credential {
	t.Helper()
	c := authority(t).dir
	var guid string
	require.NoError(t, c.Search(t.Context(), c.Servers()[0], dn, "(objectClass=user)", nil, func(e directory.Entry) error {
		guid = e.ID
		return nil
	}))
	require.NotEmpty(t, guid)
	return credential.Credential{ID: "ad/" + guid, Kind: credential.UserPassword, Authority: "ad", Subject: guid, Name: dn}
}

func admin(t *testing.T) *ldap.Conn {
	t.Helper()
	conn, err := dc(t).AdminConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// put replaces one attribute as the Administrator.
func put(t *testing.T, dn, name, value string) {
	t.Helper()
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace(name, []string{value})
	require.NoError(t, admin(t).Modify(req))
}

func attr(t *testing.T, dn, name string) string {
	t.Helper()
	res, err := admin(t).Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{name}, nil))
	require.NoError(t, err)
	require.Len(t, res.Entries, 1)
	return res.Entries[0].GetAttributeValue(name)
}

func flag(t *testing.T, dn string, flag int) {
	t.Helper()
	control, err := strconv.Atoi(attr(t, dn, "userAccountControl"))
	require.NoError(t, err)
	put(t, dn, "userAccountControl", strconv.Itoa(control|flag))
}

// subCode is what the domain controller answers past our own driver: "" for a
// login, or the Win32 error.
func subCode(t *testing.T, dn string, v credential.Secret) string {
	t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(dc(t).CA))
	conn, err := ldap.DialURL(dc(t).LDAPS(), ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots}))
	require.NoError(t, err)
	defer conn.Close()
	err = conn.Bind(dn, v.Reveal())
	if err == nil {
		return ""
	}
	require.True(t, ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials), "%v", err)
	code := regexp.MustCompile(`, data ([0-9a-f]+),`).FindStringSubmatch(err.Error())
	require.NotNil(t, code, "%v", err)
	return code[1]
}

// change is a change of password by somebody who knows the present one
// ([MS-ADTS] 3.1.1.3.1.5.1). An account that must change its password cannot
// bind, so another one asks for it; the present password is what counts.
func change(t *testing.T, dn string, from, to credential.Secret) error {
	t.Helper()
	conn := admin(t)
	require.NoError(t, conn.Bind(dc(t).ReaderDN, dc(t).ReaderPassword))
	req := ldap.NewModifyRequest(dn, nil)
	req.Delete("unicodePwd", []string{quoted(from)})
	req.Add("unicodePwd", []string{quoted(to)})
	return conn.Modify(req)
}

func quoted(s credential.Secret) string {
	var out []byte
	for _, unit := range utf16.Encode([]rune(`"` + s.Reveal() + `"`)) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return string(out)
}

func lock(t *testing.T, dn string) {
	t.Helper()
	for range 3 {
		require.NotEmpty(t, subCode(t, dn, credential.NewSecret("not the password")))
	}
	require.NotEqual(t, "0", attr(t, dn, "lockoutTime"))
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
