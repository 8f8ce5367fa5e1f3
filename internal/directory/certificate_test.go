package directory

import (
	"crypto/tls"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/address"
	"rollcall/internal/lab"
)

// shows is a listener that shows a certificate and does nothing more.
func shows(t *testing.T, certFile, keyFile string) (port string) {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	require.NoError(t, err)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _ = c.(*tls.Conn).Handshake(); _ = c.Close() }()
		}
	}()
	_, port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

func TestACertificateThatIsNotGoodSaysWhatHelps(t *testing.T) {
	ca, err := lab.NewCA()
	require.NoError(t, err)
	other, err := lab.NewCA()
	require.NoError(t, err)
	dir := t.TempDir()
	bare, bareKey, _, err := ca.IssueBare(dir, "localhost", time.Hour)
	require.NoError(t, err)
	elsewhere, elsewhereKey, _, err := ca.IssueFor("ldap7.example.org", dir, "other", time.Hour)
	require.NoError(t, err)
	good, goodKey, _, err := ca.Issue(dir, "good", time.Hour)
	require.NoError(t, err)
	ended, endedKey, _, err := ca.Issue(dir, "ended", -time.Minute)
	require.NoError(t, err)
	for name, row := range map[string]struct {
		cert, key string
		ca        *lab.CA
		do        []string
		not       string
	}{
		"only a CN":    {bare, bareKey, ca, []string{"only in its subject (CN)", "with localhost among its subjectAltNames"}, "ca_file"},
		"another name": {elsewhere, elsewhereKey, ca, []string{"it is for ldap7.example.org", "ldaps://NAME@ADDRESS", "with localhost among"}, "ca_file"},
		"another CA":   {good, goodKey, other, []string{"name the CA that signed it as ca_file"}, "subjectAltNames"},
		"past its end": {ended, endedKey, ca, []string{"renew it, or set the clock"}, "ca_file"},
	} {
		t.Run(name, func(t *testing.T) {
			d := finding(config.OpenLDAP, "")
			d.Servers, d.CA = []string{"ldaps://localhost:" + shows(t, row.cert, row.key) + "@127.0.0.1"}, string(row.ca.PEM)
			got := byWhat(open(t, d, "unused").Check(t.Context()))
			require.Len(t, got, 1)
			k := got["connect"]
			require.False(t, k.OK)
			require.True(t, k.Stops, "no waiting mends it")
			for _, words := range row.do {
				require.Contains(t, k.Do, words)
				require.Contains(t, k.Detail, words)
			}
			require.NotContains(t, k.Do, row.not)
		})
	}
}

// The lab's second identity may not read cn=Monitor, as most may not.
func TestAClockThatIsNotShownIsSaidNotToBeChecked(t *testing.T) {
	s := startSlapd(t, lab.SlapdOptions{ShowsConfig: true})
	d := configOf(s)
	d.Bind.DN = s.PartnerDN
	k := byWhat(open(t, d, s.PartnerPassword).Check(t.Context()))["clock"]
	require.True(t, k.NotChecked, "%+v", k)
	require.True(t, k.OK, "nothing is known to be wrong")
	require.Empty(t, k.Do)
	for _, k := range open(t, configOf(s), s.BinderPassword).Check(t.Context()) {
		require.False(t, k.NotChecked, "%+v", k)
	}
}

func TestAnAddressToWhichThereIsNoWayIsNoServerThatIsDown(t *testing.T) {
	c := open(t, finding(config.OpenLDAP, ""), "unused")
	for cause, way := range map[syscall.Errno]bool{syscall.ENETUNREACH: false, syscall.EAFNOSUPPORT: false, syscall.ECONNREFUSED: true, syscall.EHOSTUNREACH: true} {
		err := c.servers[0].unreachable("connect", &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", cause)})
		require.True(t, IsUnreachable(err))
		require.Equal(t, !way, address.NoRoute(err), cause)
		require.Equal(t, !way, strings.Contains(c.servers[0].mend(err), "this machine has no way to that address"))
	}
}
