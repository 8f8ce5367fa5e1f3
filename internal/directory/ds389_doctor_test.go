package directory

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

const partner389 = "cn=rollcall-b,ou=services,dc=example,dc=org"

func startDS389(t *testing.T, o lab.DS389Options) *lab.DS389 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if o.CA == nil {
		var err error
		o.CA, err = lab.NewCA()
		require.NoError(t, err)
	}
	o.Dir = t.TempDir()
	s, err := lab.StartDS389(ctx, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	return s
}

func configOf389(servers ...*lab.DS389) config.Directory {
	s := servers[0]
	d := config.Directory{
		Driver: config.DS389, Base: s.BaseDN(), CA: s.CA,
		Bind: config.Bind{DN: s.BinderDN, Password: credential.Path{Mount: "kv", Path: "rollcall/bind", Field: "password"}},
		Set:  "replace", Connections: 8, Timeout: patience,
	}
	for _, s := range servers {
		d.Servers = append(d.Servers, s.LDAPS())
	}
	return d
}

// as389 does something as the Directory Manager, and returns once it is in
// force.
func as389(t *testing.T, s *lab.DS389, what func(*ldap.Conn) error) {
	t.Helper()
	conn, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, what(conn))
	require.NoError(t, s.AwaitIdle(t.Context()))
}

func put389(t *testing.T, s *lab.DS389, dn, name, value string) {
	t.Helper()
	as389(t, s, func(conn *ldap.Conn) error {
		req := ldap.NewModifyRequest(dn, nil)
		req.Replace(name, []string{value})
		return conn.Modify(req)
	})
}

func grant389(t *testing.T, s *lab.DS389, dn, aci string) {
	t.Helper()
	as389(t, s, func(conn *ldap.Conn) error {
		req := ldap.NewModifyRequest(dn, nil)
		req.Add("aci", []string{aci})
		return conn.Modify(req)
	})
}

func TestDoctorOn389DirectoryServer(t *testing.T) {
	s := startDS389(t, lab.DS389Options{Accounts: lab.SeedAccounts("user", 3)})

	t.Run("in order", func(t *testing.T) {
		got := byWhat(open(t, configOf389(s), s.BinderPassword).Check(t.Context()))
		for _, what := range []string{"connect", "certificate", "bind", "base", "server", "rights", "policy", "clock"} {
			require.Contains(t, got, what)
			require.True(t, got[what].OK, "%+v", got[what])
			require.Empty(t, got[what].Do)
		}
		require.Contains(t, got["rights"].Detail, "userPassword of 3 of 5 accounts", "not of those in ou=services")
		require.Contains(t, got["policy"].Detail, "not shown")
	})
	t.Run("an identity without rights is told the rule that grants them", func(t *testing.T) {
		d := configOf389(s)
		d.Bind.DN = s.AccountDN("user0001")
		got := byWhat(open(t, d, s.SeededPassword("user0001")).Check(t.Context()))
		require.True(t, got["base"].OK)
		require.False(t, got["rights"].OK)
		require.Contains(t, got["rights"].Do, `allow (write) userdn="ldap:///`+d.Bind.DN+`"`)
		// What it says works.
		_, rule, _ := strings.Cut(got["rights"].Do, "aci: ")
		grant389(t, s, s.PeopleDN(), rule)
		got = byWhat(open(t, d, s.SeededPassword("user0001")).Check(t.Context()))
		require.True(t, got["rights"].OK, got["rights"].Detail)
	})
	t.Run("the driver of another sort of server", func(t *testing.T) {
		other := startSlapd(t, lab.SlapdOptions{})
		d := configOf(other)
		d.Driver = config.DS389
		got := byWhat(open(t, d, other.BinderPassword).Check(t.Context()))
		require.False(t, got["server"].OK)
		require.Contains(t, got["server"].Do, "driver")
		d = configOf389(s)
		d.Driver = config.OpenLDAP
		got = byWhat(open(t, d, s.BinderPassword).Check(t.Context()))
		require.False(t, got["server"].OK, "it offers the password policy control too")
		require.Contains(t, got["server"].Do, "driver: 389ds")
	})
	t.Run("a wrong password", func(t *testing.T) {
		got := byWhat(open(t, configOf389(s), "wrong").Check(t.Context()))
		require.False(t, got["bind"].OK)
		require.NotContains(t, got, "server")
	})
	t.Run("a base that is not there", func(t *testing.T) {
		d := configOf389(s)
		d.Base = "dc=example,dc=com"
		got := byWhat(open(t, d, s.BinderPassword).Check(t.Context()))
		require.False(t, got["base"].OK)
		require.False(t, got["rights"].OK)
	})
	t.Run("the server's time is read", func(t *testing.T) {
		c := open(t, configOf389(s), s.BinderPassword)
		require.NoError(t, c.servers[0].admin(t.Context(), "", (*pool).use, func(cn *conn) error {
			before := time.Now()
			there, err := cn.serverTime(t.Context())
			require.WithinRange(t, there, before.Add(-2*time.Second), time.Now().Add(2*time.Second), "it tells whole seconds")
			return err
		}))
	})
}

// policyACI shows the identity what doctor looks at.
func policyACI(dn string) string {
	return `(targetattr="objectClass || passwordMaxFailure || passwordLockout || passwordIsGlobalPolicy || passwordMustChange || nsslapd-pwpolicy-local")(version 3.0; acl "Rollcall"; allow (read, search) userdn="ldap:///` + dn + `";)`
}

func TestDoctorSeesAPolicyOf389DirectoryServerThatKeepsCredentialsOpen(t *testing.T) {
	ca, err := lab.NewCA()
	require.NoError(t, err)
	supplier := startDS389(t, lab.DS389Options{CA: ca, Policy: lab.DS389Policy{MustChange: true, MaxFailure: 3}})
	consumer := startDS389(t, lab.DS389Options{CA: ca, ReplicaOf: supplier, LooksLike: supplier})
	policies := func() (out []Check) {
		for _, s := range []*lab.DS389{supplier, consumer} {
			for _, c := range open(t, configOf389(supplier, consumer), supplier.BinderPassword).Check(t.Context()) {
				if c.What == "policy" && c.Server == s.LDAPS() {
					out = append(out, c)
				}
			}
		}
		require.Len(t, out, 2)
		return out
	}
	for _, s := range []*lab.DS389{supplier, consumer} {
		grant389(t, s, "cn=config", policyACI(s.BinderDN))
	}
	got := policies()
	require.False(t, got[0].OK)
	require.Contains(t, got[0].Do, "turn passwordMustChange off")
	require.False(t, got[1].OK)
	require.Contains(t, got[1].Do, "set passwordIsGlobalPolicy: on")

	forced := func() bool {
		c := open(t, configOf389(supplier), supplier.BinderPassword)
		policies, _, err := c.Forcing(t.Context())
		require.NoError(t, err)
		forced := c.Forced(t.Context(), supplier.LDAPS(), Entry{DN: supplier.AccountDN("nobody")})
		require.Equal(t, forced, slices.Contains(policies, "cn=config"), "list and plan say what doctor says")
		return forced
	}
	require.True(t, forced())

	put389(t, supplier, "cn=config", "passwordMustChange", "off")
	require.False(t, forced())
	put389(t, consumer, "cn=config", "passwordIsGlobalPolicy", "on")
	for _, c := range policies() {
		require.True(t, c.OK, c.Detail)
		require.Contains(t, c.Detail, "stands in nobody's way")
	}
	t.Run("a server that takes no changes", func(t *testing.T) { takesNone389(t, supplier, consumer) })
	t.Run("behind a balancer", func(t *testing.T) { behindABalancer389(t, supplier, consumer) })
	t.Run("servers that replicate", func(t *testing.T) { others389(t, supplier, consumer) })
	t.Run("accounts by which they do", func(t *testing.T) { replicators389(t, supplier, consumer) })
}

// takesNone389: a consumer that is named first, and a supplier that was made
// read-only.
func takesNone389(t *testing.T, supplier, consumer *lab.DS389) {
	standing := func(s *lab.DS389) Standing {
		_, got, err := open(t, configOf389(s), supplier.BinderPassword).Writes(t.Context())
		require.NoError(t, err)
		return got
	}
	require.Equal(t, Standing{}, standing(supplier))
	require.True(t, standing(consumer).Replica)
	k := byWhat(open(t, configOf389(consumer), supplier.BinderPassword).Check(t.Context()))[provider]
	require.True(t, k.Stops)
	for _, dn := range []string{"cn=userroot,cn=ldbm database,cn=plugins,cn=config", "cn=config"} {
		put389(t, supplier, dn, "nsslapd-readonly", "on")
		require.True(t, standing(supplier).ReadOnly, dn)
		put389(t, supplier, dn, "nsslapd-readonly", "off")
	}
	require.Equal(t, Standing{}, standing(supplier))
}

// behindABalancer389: both are in step, so that only what they say of
// themselves tells them apart.
func behindABalancer389(t *testing.T, supplier, consumer *lab.DS389) {
	b, err := lab.StartBalancer("127.0.0.1:0", consumer.LDAPS(), supplier.LDAPS())
	require.NoError(t, err)
	t.Cleanup(b.Close)
	address := "ldaps://" + b.Addr()
	d := configOf389(supplier)
	d.Servers = append(d.Servers, address)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	require.NoError(t, consumer.AwaitReplication(ctx))
	c := open(t, d, supplier.BinderPassword)
	again := func() Again {
		seen, err := c.LookAgain(t.Context(), address, nil, 3, c.Changed)
		require.NoError(t, err)
		return seen
	}
	bad := byWhat(c.Check(t.Context()))["machine"]
	require.False(t, bad.OK)
	require.True(t, bad.Stops)
	require.Equal(t, address, bad.Server)
	require.Contains(t, bad.Detail, "netscapemdsuffix was cn=ldap://dc=localhost:")
	require.Contains(t, again().Contradicts, "netscapemdsuffix")

	// Two containers may call themselves alike. The id comes of the time of the
	// first start, and that of two which the test starts at once may be the
	// same (2.3.1).
	see := func(s *server) sight {
		cn, err := s.dial(t.Context())
		require.NoError(t, err)
		defer cn.close()
		seen, err := cn.introduce(t.Context())
		require.NoError(t, err)
		return seen
	}
	b.Behind(consumer.LDAPS())
	require.Empty(t, again().Contradicts)
	one, other := see(c.servers[0]), see(c.servers[1])
	machine := other.machine()
	require.NotEmpty(t, one.fixed[rootID])
	require.NotEmpty(t, other.fixed[rootID])
	one.fixed["netscapemdsuffix"], other.fixed["netscapemdsuffix"] = "alike", "alike"
	one.fixed[rootID] = "of another start"
	require.Contains(t, contradiction([]sight{one, other}), "its nsUniqueId was")
	require.NoError(t, consumer.Restart(ctx))
	require.Equal(t, machine, see(c.servers[1]).machine(), "one that is started again during a campaign is no other one")
}

// others389: nobody sees by default who replicates.
func others389(t *testing.T, supplier, consumer *lab.DS389) {
	b, err := lab.StartBalancer("127.0.0.1:0", supplier.LDAPS())
	require.NoError(t, err)
	t.Cleanup(b.Close)
	others := func(servers []string, accepted ...string) Others {
		d := configOf389(supplier)
		d.Servers = servers
		o, err := open(t, d, supplier.BinderPassword).Others(t.Context(), accepted...)
		require.NoError(t, err)
		return o
	}
	alone := []string{"ldaps://" + b.Addr()}
	o := others(alone)
	require.Empty(t, o.Names)
	// What it says works.
	_, rule, _ := strings.Cut(o.Hidden, "aci: ")
	require.NotEmpty(t, rule)
	for _, s := range []*lab.DS389{supplier, consumer} {
		grant389(t, s, "cn=mapping tree,cn=config", rule)
	}
	o = others(alone)
	require.Len(t, o.Names, 1)
	require.Regexp(t, `^127\.0\.0\.1:\d+$`, o.Names[0])
	require.Contains(t, o.Detail, "1 server makes changes there")
	require.Contains(t, o.Detail, "the file names no server for these")
	require.Empty(t, others(append(alone, consumer.LDAPS())).Names)
	require.Equal(t, o.Names, others(append(alone, supplier.LDAPS())).Names, "the same machine by another address is not the other one")
	require.Empty(t, others(alone, o.Names[0]).Names)
	// Of a consumer alone, who makes changes is known.
	o = others([]string{consumer.LDAPS()})
	require.Len(t, o.Names, 1)
	require.Regexp(t, `^localhost:\d+$`, o.Names[0])
	as389(t, supplier, func(conn *ldap.Conn) error {
		require.NoError(t, conn.Bind(supplier.BinderDN, supplier.BinderPassword))
		res, err := conn.Search(ldap.NewSearchRequest("cn=mapping tree,cn=config", ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, "(nsDS5ReplicaHost=*)", []string{"nsDS5ReplicaCredentials", "nsDS5ReplicaHost"}, nil))
		require.NoError(t, err)
		require.Empty(t, res.Entries[0].GetEqualFoldAttributeValue("nsDS5ReplicaCredentials"))
		return nil
	})
}

// Each of a pair is an administrator by way of a group, as docs/rights.md says.
func TestAPairOn389DirectoryServerResetsEachOtherWhateverThePolicy(t *testing.T) {
	s := startDS389(t, lab.DS389Options{Policy: lab.DS389Policy{History: 5, MinAge: time.Hour, MinLength: 60, MaxFailure: 3}})
	as389(t, s, func(conn *ldap.Conn) error {
		req := ldap.NewAddRequest(partner389, nil)
		req.Attribute("objectClass", []string{"organizationalRole", "simpleSecurityObject"})
		req.Attribute("userPassword", []string{"second-identity"})
		return conn.Add(req)
	})
	pairs := func() (out []Check) {
		for _, c := range openPair(t, configOf389(s), partner389, s.BinderPassword, "second-identity").Check(t.Context()) {
			if c.What == "pair" {
				out = append(out, c)
			}
		}
		require.Len(t, out, 2)
		return out
	}
	rules := map[string]string{s.BinderDN: partner389, partner389: s.BinderDN}
	for _, c := range pairs() {
		require.False(t, c.OK, c.Detail)
		require.Contains(t, c.Do, "aci: ")
	}
	for on, by := range rules {
		grant389(t, s, on, writeRule(by)[len("aci: "):])
	}
	for _, c := range pairs() {
		require.True(t, c.OK, c.Detail)
	}

	as389(t, s, func(conn *ldap.Conn) error {
		req := ldap.NewAddRequest("cn=rollcall-administrators,ou=services,"+s.BaseDN(), nil)
		req.Attribute("objectClass", []string{"groupOfNames"})
		req.Attribute("member", []string{s.BinderDN, partner389})
		return conn.Add(req)
	})
	put389(t, s, "cn=config", "passwordAdminDN", "cn=rollcall-administrators,ou=services,"+s.BaseDN())
	p := openPair(t, configOf389(s), partner389, s.BinderPassword, "second-identity")
	for n, dn := range []string{s.BinderDN, partner389} {
		for _, value := range []string{"one", "two", "one"} { // too short, too soon and in the history
			next := credential.NewSecret(value + "-" + dn[:4])
			require.NoError(t, p.ResetPassword(t.Context(), dn, next, credential.Secret{}))
			answer, err := p.Bind(t.Context(), s.LDAPS(), dn, next)
			require.NoError(t, err)
			require.Equal(t, protocol.Accepted, answer)
			p.put(n, next.Reveal())
		}
	}
}
