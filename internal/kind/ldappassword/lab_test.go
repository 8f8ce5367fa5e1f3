package ldappassword

import (
	"context"
	"fmt"
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

// world is a provider, perhaps its replica, and accounts to use up.
type world struct {
	ca       *lab.CA
	provider *lab.Slapd
	replica  *lab.Slapd // nil unless asked for

	mu       sync.Mutex
	accounts []lab.Account
	next     int
}

func newWorld(t *testing.T, p lab.SlapdPolicy, replicated bool) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	w := &world{ca: ca, accounts: lab.SeedAccounts("svc", 120)}
	w.provider = start(ctx, t, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Policy: p, Accounts: w.accounts})
	if replicated {
		w.replica = start(ctx, t, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, ReplicaOf: w.provider})
	}
	return w
}

func start(ctx context.Context, t *testing.T, o lab.SlapdOptions) *lab.Slapd {
	t.Helper()
	s, err := lab.StartSlapd(ctx, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	})
	return s
}

// binder is the configuration with the identity that has manage.
func (w *world) binder() config.Directory {
	d := config.Directory{
		Driver:  "openldap",
		Servers: []string{w.provider.LDAPS()},
		Base:    w.provider.BaseDN(),
		CA:      w.provider.CA,
		Bind: config.Bind{DN: w.provider.BinderDN,
			Password: credential.Path{Mount: "kv", Path: "rollcall/bind", Field: "password"}},
		Set:         "exop",
		Connections: 8,
		Timeout:     config.Duration(time.Minute),
	}
	if w.replica != nil {
		d.Servers = append(d.Servers, w.replica.LDAPS())
	}
	return d
}

// writer is the one whose identity has write only, so that ppolicy binds it.
func (w *world) writer() config.Directory {
	d := w.binder()
	d.Bind.DN = w.provider.WriterDN
	return d
}

func (w *world) open(t *testing.T, d config.Directory) *Authority {
	t.Helper()
	password := w.provider.BinderPassword
	if d.Bind.DN == w.provider.WriterDN {
		password = w.provider.WriterPassword
	}
	c, err := directory.Open("corp", d, func(context.Context) (credential.Secret, error) {
		return credential.NewSecret(password), nil
	})
	require.NoError(t, err)
	a := New(c, config.PasswordPolicy{}, nil)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return a
}

// credential hands out an account nobody used yet.
func (w *world) credential(t *testing.T) (credential.Credential, credential.Secret) {
	t.Helper()
	w.mu.Lock()
	acc := w.accounts[w.next]
	w.next++
	w.mu.Unlock()
	dn := w.provider.AccountDN(acc.UID)
	uuid := w.attr(t, w.provider, dn, "entryUUID")
	return credential.Credential{
		ID: "corp/" + uuid, Kind: credential.LDAPPassword, Authority: "corp", Subject: uuid, Name: dn,
	}, credential.NewSecret(acc.Password)
}

// attr reads an attribute's first value past every access rule; empty if it has
// none.
func (w *world) attr(t *testing.T, s *lab.Slapd, dn, name string) string {
	t.Helper()
	if v := w.attrs(t, s, dn, name); len(v) > 0 {
		return v[0]
	}
	return ""
}

func (w *world) attrs(t *testing.T, s *lab.Slapd, dn, name string) []string {
	t.Helper()
	conn, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	res, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{name}, nil))
	require.NoError(t, err)
	require.Len(t, res.Entries, 1)
	return res.Entries[0].GetAttributeValues(name)
}

// put replaces one attribute past every access rule.
func (w *world) put(t *testing.T, dn, name, value string) {
	t.Helper()
	conn, err := w.provider.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace(name, []string{value})
	require.NoError(t, conn.Modify(req))
}

func (w *world) delete(t *testing.T, dn string) {
	t.Helper()
	conn, err := w.provider.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.Del(ldap.NewDelRequest(dn, nil)))
}

// account reads c at the write server.
func account(t *testing.T, a *Authority, c credential.Credential) kind.Account {
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

func try(t *testing.T, a *Authority, server string, acc kind.Account, v credential.Secret) protocol.Reply {
	t.Helper()
	got, err := a.Try(t.Context(), server, acc, v)
	require.NoError(t, err)
	return got
}

func requireStop(t *testing.T, err error, r protocol.Reason, words string) {
	t.Helper()
	var stop *protocol.Stop
	require.ErrorAs(t, err, &stop, fmt.Sprint(err))
	require.Equal(t, r, stop.Reason)
	require.Contains(t, stop.Detail, words)
}
