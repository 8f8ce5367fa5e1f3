package directory

import (
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// seenOf looks at entries, by their DNs.
func seenOf(t *testing.T, c *Client, dns ...string) (out map[string][]authority.Problem, hidden []authority.Hidden) {
	t.Helper()
	var accounts []authority.Account
	names := map[string]string{}
	for _, dn := range dns {
		id, err := c.IDOf(t.Context(), dn)
		require.NoError(t, err)
		require.NotEmpty(t, id, dn)
		names[id] = dn
		accounts = append(accounts, authority.Account{Subject: id, Name: dn})
	}
	seen, err := c.LookAt(t.Context(), accounts)
	require.NoError(t, err)
	out = map[string][]authority.Problem{}
	for id, ps := range seen.Problems {
		out[names[id]] = ps
	}
	return out, seen.Hidden
}

// The connection that is bound lives through a reset, so that nothing shows
// before it is broken once.
func TestAnAccountByWhichOpenLDAPServersLogInToEachOtherIsSeenWhereTheConfigurationIs(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	provider := startSlapd(t, lab.SlapdOptions{CA: ca, ShowsConfig: true, Accounts: lab.SeedAccounts("svc", 1)})
	replica := startSlapd(t, lab.SlapdOptions{CA: ca, ReplicaOf: provider, ShowsConfig: true})
	chains := startSlapd(t, lab.SlapdOptions{CA: ca, ReplicaOf: provider, Leaf: true, ShowsConfig: true, RefersTo: provider, Chains: true})
	replicator, plain := "cn=replicator,ou=services,"+provider.BaseDN(), provider.AccountDN("svc0001")
	d := configOf(provider)
	d.Servers = []string{provider.LDAPS(), replica.LDAPS(), chains.LDAPS()}
	c := open(t, d, provider.BinderPassword)

	seen, hidden := seenOf(t, c, replicator, plain, provider.BinderDN)
	require.Empty(t, hidden)
	require.Empty(t, seen[plain])
	require.Len(t, seen[replicator], 1)
	require.Equal(t, credential.Replicates, seen[replicator][0].Code)
	for _, s := range []*lab.Slapd{replica, chains} {
		require.Contains(t, seen[replicator][0].Detail, s.LDAPS()+": it is in olcSyncrepl (provider ldaps://")
	}
	require.NotContains(t, seen[replicator][0].Detail, provider.LDAPS()+": ", "it fetches nothing")
	require.Contains(t, seen[provider.BinderDN][0].Detail, chains.LDAPS()+": it is in olcDbIDAssertBind")
	require.NotContains(t, seen[provider.BinderDN][0].Detail, provider.BinderPassword)
	row := byWhat(c.Check(t.Context()))[noteReplicators]
	require.False(t, row.NotChecked, "%+v", row)

	// Before Set it is asked again, of all accounts at once.
	now, err := c.Hindered(t.Context())
	require.NoError(t, err)
	require.Len(t, now, 2)
	for _, dn := range []string{replicator, provider.BinderDN} {
		id, err := c.IDOf(t.Context(), dn)
		require.NoError(t, err)
		require.Equal(t, []credential.Problem{credential.Replicates}, now[id], dn)
	}

	// To a directory of another tree it is an account of another authority.
	proxy := configOf(chains)
	proxy.Base = "dc=another,dc=org"
	looked, err := open(t, proxy, provider.BinderPassword).LookAt(t.Context(), nil)
	require.NoError(t, err)
	var chained authority.Bind
	for _, b := range looked.Binds {
		if b.Name == provider.BinderDN {
			chained = b
		}
	}
	require.Contains(t, chained.Where, "olcDbIDAssertBind")
	require.Equal(t, []string{provider.LDAPS()}, chained.URLs)

	// As usual, it is shown to nobody.
	closed := startSlapd(t, lab.SlapdOptions{CA: ca, ReplicaOf: provider})
	d.Servers = []string{provider.LDAPS(), closed.LDAPS()}
	c = open(t, d, provider.BinderPassword)
	seen, hidden = seenOf(t, c, replicator)
	require.Empty(t, seen)
	require.Len(t, hidden, 1)
	require.Equal(t, closed.LDAPS(), hidden[0].Server)
	require.Equal(t, credential.FindingReplicatorsHidden, hidden[0].Code)
	alone := d
	alone.Servers = d.Servers[1:]
	_, hidden = seenOf(t, open(t, alone, provider.BinderPassword), replicator)
	require.Empty(t, hidden[0].Code, "nobody is known to replicate: doctor says it")
	said := false
	for _, k := range c.Check(t.Context()) {
		if k.What == noteReplicators && k.Server == closed.LDAPS() {
			said = true
			require.True(t, k.NotChecked)
			require.Contains(t, k.Detail, "not checked, because as which accounts it fetches changes, chains and proxies does not show (cn=config)")
		}
	}
	require.True(t, said)
}

func TestTheNameInASettingOfSlapdIsReadAndThePasswordIsNot(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]replicator{
		`{0}rid=001 provider=ldaps://a:636 bindmethod=simple binddn="uid=svc,ou=x y,dc=org" credentials="a binddn=uid=other"`: {dn: "uid=svc,ou=x y,dc=org", how: "it is in olcSyncrepl (provider ldaps://a:636)", at: "ldaps://a:636"},
		`rid=2 provider=ldap://b bindmethod=sasl saslmech=DIGEST-MD5 authcid=svc credentials=x`:                               {login: "svc", how: "it is in olcSyncrepl (provider ldap://b)", at: "ldap://b"},
		`mode=self flags=prescriptive bindmethod=simple binddn=cn=proxy,dc=org credentials=x`:                                 {dn: "cn=proxy,dc=org", how: "it is in olcSyncrepl"},
	} {
		got, ok := bindOf("olcSyncrepl", text)
		require.True(t, ok)
		require.Equal(t, want, got, text)
	}
	require.Equal(t, "ldaps://a:636 ldap://b", proxied(Entry{Attrs: map[string][]string{"olcDbURI": {"{0}\"ldaps://a:636/ou=x,dc=org ldap://b\"", "c"}}}), "of a meta backend")
	_, ok := bindOf("olcDbIDAssertBind", `mode=legacy bindmethod=none`)
	require.False(t, ok)
	require.True(t, replicator{login: "SVC"}.means(authority.Account{Names: []string{"svc"}}, ""))
	require.False(t, replicator{dn: "cn=a,dc=org"}.means(authority.Account{Name: "cn=a,dc=org", Subject: "1"}, "2"), "the directory says who that is")
}

// replicators389: an agreement, the DNs that a replica takes changes from, and
// a group of such, with a group in it.
func replicators389(t *testing.T, supplier, consumer *lab.DS389) {
	admin, err := supplier.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	for _, uid := range []string{"named", "member", "plain"} {
		add := ldap.NewAddRequest(supplier.AccountDN(uid), nil)
		for name, value := range map[string]string{"objectClass": "inetOrgPerson", "cn": uid, "sn": uid} {
			add.Attribute(name, []string{value})
		}
		require.NoError(t, admin.Add(add))
	}
	group := func(name string, members ...string) string {
		add := ldap.NewAddRequest("cn="+name+","+supplier.PeopleDN(), nil)
		add.Attribute("objectClass", []string{"groupOfUniqueNames"})
		add.Attribute("uniqueMember", members)
		require.NoError(t, admin.Add(add))
		return add.DN
	}
	inner := group("inner", supplier.AccountDN("member"))
	outer := group("outer", inner)
	require.NoError(t, consumer.AwaitReplication(t.Context()))
	const replica = `cn=replica,cn="dc=example,dc=org",cn=mapping tree,cn=config`
	as389(t, consumer, func(conn *ldap.Conn) error {
		req := ldap.NewModifyRequest(replica, nil)
		req.Add("nsDS5ReplicaBindDN", []string{supplier.AccountDN("named")})
		req.Add("nsDS5ReplicaBindDNGroup", []string{outer})
		return conn.Modify(req)
	})
	c := open(t, configOf389(supplier, consumer), supplier.BinderPassword)
	all := []string{supplier.AccountDN("named"), supplier.AccountDN("member"), supplier.AccountDN("plain")}
	seen, hidden := seenOf(t, c, all...)
	require.Empty(t, seen)
	require.Len(t, hidden, 2, "which servers there are shows, and not as whom they replicate")
	require.True(t, byWhat(c.Check(t.Context()))[noteReplicators].NotChecked)
	// What it says works.
	for _, s := range []*lab.DS389{supplier, consumer} {
		grant389(t, s, "cn=mapping tree,cn=config", bindDNACI(s.BinderDN)[len("aci: "):])
	}
	// A right is in force a moment after it was granted.
	require.Eventually(t, func() bool { seen, hidden = seenOf(t, c, all...); return len(hidden) == 0 }, 5*time.Minute, 50*time.Millisecond, "%v", hidden)
	require.Len(t, seen, 2)
	require.Contains(t, seen[all[0]][0].Detail, consumer.LDAPS()+": it may send it changes (nsDS5ReplicaBindDN of its replica)")
	require.Contains(t, seen[all[1]][0].Detail, consumer.LDAPS()+": it may send it changes (a member of "+outer)
	require.False(t, byWhat(c.Check(t.Context()))[noteReplicators].NotChecked)
}
