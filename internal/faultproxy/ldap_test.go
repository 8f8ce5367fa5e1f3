package faultproxy_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/faultproxy"
	"rollcall/internal/lab"
)

// bench is a real slapd with a proxy in front of it.
type bench struct {
	slapd  *lab.Slapd
	proxy  *faultproxy.Proxy
	client *tls.Config
}

func newBench(t *testing.T) *bench {
	t.Helper()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	slapd, err := lab.StartSlapd(t.Context(), lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Accounts: lab.SeedAccounts("user", 2)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, slapd.Stop(context.Background())) })

	crt, key, _, err := ca.Issue(t.TempDir(), "proxy", time.Hour)
	require.NoError(t, err)
	pair, err := tls.LoadX509KeyPair(crt, key)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(ca.PEM))
	client := &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
	proxy, err := faultproxy.StartLDAP(t.Context(), "127.0.0.1:0", slapd.LDAPS(),
		&tls.Config{Certificates: []tls.Certificate{pair}}, client)
	require.NoError(t, err)
	t.Cleanup(proxy.Close)
	return &bench{slapd, proxy, client}
}

func (b *bench) dial(t *testing.T, url string) *ldap.Conn {
	t.Helper()
	c, err := ldap.DialURL(url, ldap.DialWithTLSConfig(b.client))
	require.NoError(t, err)
	c.SetTimeout(time.Minute)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// through is an administrator's connection through the proxy.
func (b *bench) through(t *testing.T) *ldap.Conn {
	t.Helper()
	c := b.dial(t, b.proxy.URL())
	require.NoError(t, c.Bind(b.slapd.AdminDN, b.slapd.AdminPassword))
	return c
}

func (b *bench) describe(c *ldap.Conn, text string) error {
	m := ldap.NewModifyRequest(b.slapd.AccountDN("user0001"), nil)
	m.Replace("description", []string{text})
	return c.Modify(m)
}

// left describes, and its client leaves once the proxy has the request.
func (b *bench) left(t *testing.T, c *ldap.Conn, has func() bool, text string) error {
	t.Helper()
	return givenUp(t, has, func(ctx context.Context) error {
		context.AfterFunc(ctx, func() { _ = c.Close() })
		return b.describe(c, text)
	})
}

// described asks the server past the proxy.
func (b *bench) described(t *testing.T) string {
	t.Helper()
	c := b.dial(t, b.slapd.LDAPS())
	require.NoError(t, c.Bind(b.slapd.AdminDN, b.slapd.AdminPassword))
	res, err := c.Search(ldap.NewSearchRequest(b.slapd.AccountDN("user0001"), ldap.ScopeBaseObject, ldap.NeverDerefAliases,
		0, 0, false, "(objectClass=*)", []string{"description"}, nil))
	require.NoError(t, err)
	return res.Entries[0].GetAttributeValue("description")
}

func TestLDAPPassesThroughAndIsRecordedWithoutSecrets(t *testing.T) {
	b := newBench(t)
	c := b.through(t)
	dn := b.slapd.AccountDN("user0001")
	require.NoError(t, b.describe(c, "Planted-Text"))
	res, err := c.SearchWithPaging(ldap.NewSearchRequest(b.slapd.PeopleDN(), ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
		0, 0, false, "(uid=*)", []string{"uid"}, nil), 1)
	require.NoError(t, err)
	require.Len(t, res.Entries, 2)
	_, err = c.PasswordModify(ldap.NewPasswordModifyRequest(dn, "", "Planted-Password-1"))
	require.NoError(t, err)
	_, err = c.Compare(dn, "uid", "user0001")
	require.NoError(t, err)
	require.NoError(t, c.Del(ldap.NewDelRequest(b.slapd.AccountDN("user0002"), nil)))
	require.NoError(t, c.Unbind())

	var got []string
	for i, r := range b.proxy.Requests() {
		require.Equal(t, i+1, r.N)
		require.True(t, r.Applied)
		got = append(got, r.String())
	}
	require.Equal(t, []string{
		"bind " + b.slapd.AdminDN,
		"modify " + dn,
		"search " + b.slapd.PeopleDN(),
		"search " + b.slapd.PeopleDN(),
		"extended 1.3.6.1.4.1.4203.1.11.1",
		"compare " + dn,
		"delete " + b.slapd.AccountDN("user0002"),
	}, got)
	require.NotContains(t, fmt.Sprint(b.proxy.Requests()), "Planted")
	require.Equal(t, len(got), b.proxy.Count())
}

func TestLDAPFaultsHitTheRequestTheyWereArmedForAndNoOther(t *testing.T) {
	b := newBench(t)
	isModify := func(r faultproxy.Request) bool { return r.Kind == "modify" }
	for name, row := range map[string]struct {
		fault   faultproxy.Fault
		applied bool
		usable  bool // the connection lives on
	}{
		"drop request": {faultproxy.DropRequest, false, true},
		"drop reply":   {faultproxy.DropReply, true, false},
		"cut":          {faultproxy.Cut, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := b.through(t)
			b.proxy.Arm(faultproxy.Plan{At: 2, Fault: row.fault, Match: isModify})
			require.NoError(t, b.describe(c, "first"))
			_, fired := b.proxy.Fired()
			require.False(t, fired)

			if row.usable {
				c.SetTimeout(3 * time.Second) // no answer ever comes
			}
			require.Error(t, b.describe(c, name))
			c.SetTimeout(time.Minute)
			var r faultproxy.Request
			require.Eventually(t, func() bool { r, fired = b.proxy.Fired(); return fired }, time.Minute, time.Millisecond)
			require.Equal(t, row.applied, r.Applied)
			require.Equal(t, row.applied, b.described(t) == name)
			require.Equal(t, row.fault.String(), name)

			if row.usable {
				require.NoError(t, b.describe(c, "third"))
			} else {
				require.Eventually(t, c.IsClosing, time.Minute, time.Millisecond)
			}
			require.NoError(t, b.describe(b.through(t), "fourth"), "only one request is broken")
		})
	}
}

func TestLDAPStalledRequestIsAppliedWhenReleasedThoughTheClientLeft(t *testing.T) {
	b := newBench(t)
	c := b.through(t)
	b.proxy.Arm(faultproxy.Plan{At: 1, Fault: faultproxy.Stall})
	require.Error(t, b.left(t, c, fired(b.proxy), "late"))
	require.NoError(t, b.describe(b.through(t), "early"), "others go on meanwhile")
	require.Equal(t, "early", b.described(t))
	b.proxy.Release()
	require.Eventually(t, func() bool { return b.described(t) == "late" }, time.Minute, 20*time.Millisecond)
}

func TestLDAPHooksRunBeforeTheServerAndBeforeTheAnswer(t *testing.T) {
	b := newBench(t)
	c := b.through(t)
	require.NoError(t, b.describe(c, "old"))
	var atRequest, atReply string
	b.proxy.OnRequest(func(faultproxy.Request) { atRequest = b.described(t) })
	b.proxy.OnReply(func(r faultproxy.Request) {
		if r.Applied {
			atReply = b.described(t)
		}
	})
	require.NoError(t, b.describe(c, "new"))
	require.Equal(t, "old", atRequest)
	require.Equal(t, "new", atReply)
	b.proxy.OnRequest(nil)
	b.proxy.OnReply(nil)
	require.NoError(t, b.describe(c, "newer"))
	require.Equal(t, "old", atRequest)
}

func TestLDAPPauseHoldsAndDownRefuses(t *testing.T) {
	b := newBench(t)
	c := b.through(t)
	require.NoError(t, b.describe(c, "before"))
	b.proxy.Pause()
	b.proxy.Pause()
	n := b.proxy.Count()
	done := make(chan error, 1)
	go func() { done <- b.describe(c, "after") }()
	require.Eventually(t, func() bool { return b.proxy.Count() == n+1 }, time.Minute, time.Millisecond)
	require.Equal(t, "before", b.described(t))
	b.proxy.Resume()
	b.proxy.Resume()
	require.NoError(t, <-done)
	require.Equal(t, "after", b.described(t))

	b.proxy.Down()
	b.proxy.Down()
	require.Eventually(t, c.IsClosing, time.Minute, time.Millisecond)
	_, err := net.DialTimeout("tcp", b.proxy.URL()[len("ldaps://"):], time.Second)
	require.Error(t, err)
	require.NoError(t, b.proxy.Up())
	require.NoError(t, b.proxy.Up())
	require.NoError(t, b.describe(b.through(t), "up"))
}

func TestLDAPPausedRequestOfAClientThatLeftIsNeverApplied(t *testing.T) {
	b := newBench(t)
	c := b.through(t)
	require.NoError(t, b.describe(c, "before"))
	b.proxy.Pause()
	n := b.proxy.Count()
	require.Error(t, b.left(t, c, func() bool { return b.proxy.Count() == n+1 }, "never"))
	abandoned := func() bool {
		all := b.proxy.Requests()
		return all[len(all)-1].Abandoned
	}
	require.Eventually(t, abandoned, time.Minute, time.Millisecond)
	b.proxy.Resume()
	require.Equal(t, "before", b.described(t))
}

func TestLDAPServerThatIsDownLooksDownThroughTheProxy(t *testing.T) {
	b := newBench(t)
	require.NoError(t, b.slapd.Stop(t.Context()))
	c, err := ldap.DialURL(b.proxy.URL(), ldap.DialWithTLSConfig(b.client))
	if err == nil {
		c.SetTimeout(time.Minute)
		err = c.Bind(b.slapd.AdminDN, b.slapd.AdminPassword)
		_ = c.Close()
	}
	require.Error(t, err)
	require.NoError(t, b.slapd.Restart(t.Context()))
	b.through(t)
}

func TestTargetsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, target := range []string{"", "127.0.0.1:636", "ldaps://127.0.0.1", "https://127.0.0.1:1", "::"} {
		_, err := faultproxy.StartLDAP(t.Context(), "127.0.0.1:0", target, nil, nil)
		require.ErrorContains(t, err, "not ldap(s)://host:port", target)
	}
	for _, target := range []string{"", "127.0.0.1:8200", "ldaps://127.0.0.1:1", "http://"} {
		_, err := faultproxy.StartHTTP(t.Context(), "127.0.0.1:0", target, nil, nil)
		require.ErrorContains(t, err, "not http(s)://host", target)
	}
}
