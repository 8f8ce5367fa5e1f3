package directory

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/lab"
)

func TestANameIsAsManyServersAsItHasAddresses(t *testing.T) {
	dns := startDNS(t)
	dns.Host("ldap.example.org", [4]byte{192, 0, 2, 7}, [4]byte{192, 0, 2, 3})
	dns.Host("ldap2.example.org", [4]byte{192, 0, 2, 2})
	d := finding(config.OpenLDAP, "")
	d.Servers = []string{
		"ldaps://ldap.example.org:636", "ldaps://ldap2.example.org:636", "ldaps://192.0.2.4:636",
		"ldaps://ldap.example.org:636@192.0.2.7", "ldaps://gone.example.org:636",
	}
	c := open(t, d, "unused")
	c.resolver = dns.Resolver()
	found, err := c.Discover(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{
		"ldaps://ldap.example.org:636@192.0.2.3", "ldaps://ldap.example.org:636@192.0.2.7",
		"ldaps://ldap2.example.org:636", "ldaps://192.0.2.4:636", "ldaps://gone.example.org:636",
	}, found.Servers, "by number, whatever the order in DNS: the write server is the same in each campaign")
	require.Equal(t, map[string]string{"ldaps://ldap2.example.org:636": "192.0.2.2"}, found.Addresses)
	require.Len(t, found.Notes, 2)
	require.Contains(t, found.Notes[0], "2 addresses, each of which is a server of its own; passwords are set at 192.0.2.3")
	require.Contains(t, found.Notes[0], "ldaps://ldap.example.org:636@192.0.2.7")
	require.Contains(t, found.Notes[1], "gone.example.org")

	dns.InTurn(true)
	inTurn, err := c.Discover(t.Context())
	require.NoError(t, err)
	require.Equal(t, found.Servers, inTurn.Servers, "a name server that gives one address at a time")
	dns.InTurn(false)

	// The campaign asks these, whatever DNS says later.
	dns.Host("ldap2.example.org", [4]byte{192, 0, 2, 99})
	dns.Host("gone.example.org", [4]byte{192, 0, 2, 5}, [4]byte{192, 0, 2, 6})
	d.Servers, d.Addresses = found.Servers, found.Addresses
	listed := open(t, d, "unused")
	listed.resolver = dns.Resolver()
	for n, want := range []string{"192.0.2.3", "192.0.2.7", "192.0.2.2", "192.0.2.4"} {
		at, err := listed.servers[n].where(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, at)
		require.NotContains(t, listed.servers[n].tls.ServerName, "@")
	}
	require.Equal(t, "ldap.example.org", listed.servers[1].tls.ServerName, "the certificate is held to the name")
	_, err = listed.servers[4].where(t.Context())
	require.ErrorContains(t, err, "several addresses (192.0.2.5, 192.0.2.6)", "it had none at the listing: one of two is not picked")
	dns.Host("gone.example.org", [4]byte{192, 0, 2, 5})
	at, err := listed.servers[4].where(t.Context())
	require.NoError(t, err)
	require.Equal(t, "192.0.2.5", at)
	dns.Host("gone.example.org", [4]byte{192, 0, 2, 6})
	_, err = listed.servers[4].where(t.Context())
	require.ErrorContains(t, err, "may be another machine")
}

// Servers commonly listen at one of the two, and a name of this machine must
// not keep every campaign from its end. Nothing else is ever passed over.
func TestOnlyTheOtherLoopbackAddressIsPassedOver(t *testing.T) {
	free, err := lab.FreePort()
	require.NoError(t, err)
	port := strconv.Itoa(free)
	l, err := net.Listen("tcp4", "127.0.0.1:"+port)
	require.NoError(t, err)
	defer l.Close()
	dns := startDNS(t)
	dns.Host("here.example.org", [4]byte{127, 0, 0, 1})
	dns.Host6("here.example.org", net.IPv6loopback)
	dns.Host("two.example.org", [4]byte{127, 0, 0, 1}, [4]byte{127, 0, 0, 2})
	d := finding(config.OpenLDAP, "")
	d.Servers = []string{fmt.Sprintf("ldaps://here.example.org:%s", port), fmt.Sprintf("ldaps://two.example.org:%s", port)}
	c := open(t, d, "unused")
	c.resolver = dns.Resolver()
	found, err := c.Discover(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{d.Servers[0], d.Servers[1] + "@127.0.0.1", d.Servers[1] + "@127.0.0.2"}, found.Servers)
	require.Equal(t, "127.0.0.1", found.Addresses[d.Servers[0]])
	require.Contains(t, strings.Join(found.Notes, " "), "nothing listens at ::1 of this machine")

	require.NoError(t, l.Close())
	found, err = c.Discover(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{d.Servers[0], d.Servers[1] + "@127.0.0.1", d.Servers[1] + "@127.0.0.2"}, found.Servers)
	require.Empty(t, found.Addresses, "where nothing listens it cannot be told yet which one is meant")
	_, err = c.servers[0].dial(t.Context())
	require.ErrorContains(t, err, "refused")
	again, err := net.Listen("tcp4", "127.0.0.1:"+port)
	require.NoError(t, err)
	defer again.Close()
	at, err := c.servers[0].where(t.Context())
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1", at)
}
