package directory

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/lab"
)

func startDNS(t *testing.T) *lab.DNS {
	t.Helper()
	d, err := lab.StartDNS("127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(d.Close)
	return d
}

// finding is a directory of which the file names one server that nobody needs
// to reach.
func finding(driver, place string) config.Directory {
	return config.Directory{
		Driver: driver, Servers: []string{"ldaps://ldap1.example.org:636"}, Base: "OU=Services, DC=Example,dc=org", Discover: place,
		Bind: config.Bind{DN: "cn=rollcall,dc=example,dc=org"}, Timeout: patience,
	}
}

func TestServersAreFoundInDNSWithTheirPorts(t *testing.T) {
	dns := startDNS(t)
	c := open(t, finding(config.OpenLDAP, config.FromDNS), "unused")
	c.resolver = dns.Resolver()

	_, err := c.Discover(t.Context())
	require.ErrorContains(t, err, "DNS has no SRV record _ldaps._tcp.example.org")
	require.False(t, IsUnreachable(err), "waiting does not help")
	dns.Fail(true)
	_, err = c.Discover(t.Context())
	require.True(t, IsUnreachable(err), "%v", err)
	dns.Fail(false)

	dns.Service("_ldap._tcp.example.org", lab.SRV{Target: "other.example.org", Port: 389})
	dns.Service("_ldaps._tcp.example.org", lab.SRV{Target: "LDAP3.example.org", Port: 1636}, lab.SRV{Target: "ldap1.example.org", Port: 636}, lab.SRV{Target: "ldap2.example.org", Port: 636})
	found, err := c.Discover(t.Context())
	require.NoError(t, err)
	got := found.Servers
	require.Equal(t, []string{"ldaps://ldap1.example.org:636", "ldaps://ldap2.example.org:636", "ldaps://ldap3.example.org:1636"}, got,
		"the write server first, and once; whether a name resolves is not asked")

	dns.Service("_ldaps._tcp.example.org", lab.SRV{Target: ".", Port: 0})
	_, err = c.Discover(t.Context())
	require.ErrorContains(t, err, "no such service")
}

func TestClearTextServersAreFoundByTheirOwnService(t *testing.T) {
	dns := startDNS(t)
	dns.Service("_ldap._tcp.example.org", lab.SRV{Target: "ldap2.example.org", Port: 389})
	d := finding(config.OpenLDAP, config.FromDNS)
	d.Servers, d.StartTLS = []string{"ldap://ldap1.example.org:389"}, true
	c := open(t, d, "unused")
	c.resolver = dns.Resolver()
	found, err := c.Discover(t.Context())
	require.NoError(t, err)
	got := found.Servers
	require.Equal(t, []string{"ldap://ldap1.example.org:389", "ldap://ldap2.example.org:389"}, got)
}

func TestWithoutDiscoverTheServersAreThoseOfTheFile(t *testing.T) {
	c := open(t, finding(config.OpenLDAP, ""), "unused")
	c.resolver = startDNS(t).Resolver()
	found, err := c.Discover(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"ldaps://ldap1.example.org:636"}, found.Servers)
}

// controllersAreFound runs on the domain of TestActiveDirectory, whose one
// controller calls itself dc1.ad.example.org and is reached by an address.
func controllersAreFound(t *testing.T, s *lab.Samba) {
	d := domainOf(s)
	d.Base = s.ServicesDN()
	port := s.LDAPS()[strings.LastIndex(s.LDAPS(), ":")+1:]
	for _, place := range []string{config.FromConfiguration, config.FromDNS} {
		t.Run(place, func(t *testing.T) {
			d.Discover = place
			c := open(t, d, s.BinderPassword)
			dns := startDNS(t)
			c.resolver = dns.Resolver()
			dns.Service("_ldap._tcp.dc._msdcs.ad.example.org", lab.SRV{Target: "dc1.ad.example.org", Port: 389})
			found, err := c.Discover(t.Context())
			require.NoError(t, err)
			require.Equal(t, []string{s.LDAPS()}, found.Servers, "it is the one that the file names")
		})
	}
	require.NoError(t, s.AddController(t.Context(), "DC2.ad.example.org"))
	d.Discover = config.FromConfiguration
	found, err := open(t, d, s.BinderPassword).Discover(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{s.LDAPS(), "ldaps://dc2.ad.example.org:" + port}, found.Servers)

	checks := byWhat(open(t, domainOf(s), s.BinderPassword).Check(t.Context()))
	require.False(t, checks["servers"].OK)
	require.Contains(t, checks["servers"].Detail, "DC2.ad.example.org")

	free, err := lab.FreePort()
	require.NoError(t, err)
	d.Servers = []string{"ldaps://127.0.0.1:" + strconv.Itoa(free)}
	_, err = open(t, d, s.BinderPassword).Discover(t.Context())
	require.True(t, IsUnreachable(err), "%v", err)
}
