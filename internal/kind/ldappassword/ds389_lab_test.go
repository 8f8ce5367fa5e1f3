package ldappassword

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/lab"
)

// world389 is a 389 Directory Server, perhaps its consumer, and accounts to use
// up.
type world389 struct {
	supplier *lab.DS389
	consumer *lab.DS389 // nil unless asked for

	mu       sync.Mutex
	accounts []lab.Account
	next     int
}

func newWorld389(t *testing.T, p lab.DS389Policy, accounts int, replicated bool) *world389 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	w := &world389{accounts: lab.SeedAccounts("svc", accounts)}
	begin := func(o lab.DS389Options) *lab.DS389 {
		o.Dir, o.CA = t.TempDir(), ca
		s, err := lab.StartDS389(ctx, o)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
		return s
	}
	w.supplier = begin(lab.DS389Options{Policy: p, Accounts: w.accounts})
	if replicated {
		w.consumer = begin(lab.DS389Options{ReplicaOf: w.supplier})
	}
	return w
}

// conf is the configuration with the identity that Rollcall recommends.
func (w *world389) conf() config.Directory {
	d := config.Directory{
		Driver:  config.DS389,
		Servers: []string{w.supplier.LDAPS()},
		Base:    w.supplier.BaseDN(),
		CA:      w.supplier.CA,
		Bind: config.Bind{DN: w.supplier.BinderDN,
			Password: credential.Path{Mount: "kv", Path: "rollcall/bind", Field: "password"}},
		Set:         "replace",
		Connections: 8,
		Timeout:     config.Duration(time.Minute),
	}
	if w.consumer != nil {
		d.Servers = append(d.Servers, w.consumer.LDAPS())
	}
	return d
}

func (w *world389) open(t *testing.T, d config.Directory) *Authority {
	t.Helper()
	password := w.supplier.BinderPassword
	if d.Bind.DN == w.supplier.WriterDN {
		password = w.supplier.WriterPassword
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
func (w *world389) credential(t *testing.T) (credential.Credential, credential.Secret) {
	t.Helper()
	w.mu.Lock()
	acc := w.accounts[w.next]
	w.next++
	w.mu.Unlock()
	dn := w.supplier.AccountDN(acc.UID)
	return w.credentialOf(t, dn), credential.NewSecret(acc.Password)
}

func (w *world389) credentialOf(t *testing.T, dn string) credential.Credential {
	t.Helper()
	id := w.attr(t, w.supplier, dn, "nsUniqueId")
	require.NotEmpty(t, id)
	return credential.Credential{ID: "corp/" + id, Kind: credential.LDAPPassword, Authority: "corp", Subject: id, Name: dn}
}

// attr reads an attribute's first value past every access rule; empty if it has
// none.
func (w *world389) attr(t *testing.T, s *lab.DS389, dn, name string) string {
	t.Helper()
	conn, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	res, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{name}, nil))
	require.NoError(t, err)
	require.Len(t, res.Entries, 1)
	return res.Entries[0].GetEqualFoldAttributeValue(name)
}

// change does something as the supplier's Directory Manager.
func (w *world389) change(t *testing.T, what func(*ldap.Conn) error) {
	t.Helper()
	conn, err := w.supplier.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, what(conn))
	require.NoError(t, w.supplier.AwaitIdle(t.Context()))
	if w.consumer != nil {
		w.await(t)
	}
}

// await returns once the consumer has what the supplier has.
func (w *world389) await(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	require.NoError(t, w.consumer.AwaitReplication(ctx))
}

// put replaces one attribute past every access rule.
func (w *world389) put(t *testing.T, dn, name, value string) {
	t.Helper()
	w.change(t, func(conn *ldap.Conn) error {
		req := ldap.NewModifyRequest(dn, nil)
		req.Replace(name, []string{value})
		return conn.Modify(req)
	})
}

// policy sets something on every server: cn=config is not replicated, and a
// consumer judges by its own.
func (w *world389) policy(t *testing.T, name, value string) {
	t.Helper()
	for _, s := range []*lab.DS389{w.supplier, w.consumer} {
		if s == nil {
			continue
		}
		conn, err := s.AdminConn(t.Context())
		require.NoError(t, err)
		req := ldap.NewModifyRequest("cn=config", nil)
		req.Replace(name, []string{value})
		require.NoError(t, conn.Modify(req))
		require.NoError(t, conn.Close())
	}
}

// lock offers wrong passwords until each server has locked the account: each
// counts for itself.
func (w *world389) lock(t *testing.T, dn string) {
	t.Helper()
	for _, s := range []*lab.DS389{w.supplier, w.consumer} {
		if s == nil {
			continue
		}
		conn, err := ldap.DialURL(s.LDAP())
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			return ldap.IsErrorWithCode(conn.Bind(dn, "wrong"), ldap.LDAPResultConstraintViolation)
		}, time.Minute, time.Millisecond)
		require.NoError(t, conn.Close())
	}
}
