package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
)

// One domain for all: making it takes longer than each case. The later ones
// change it.
func TestEachThingThatIsWrongWithADomainIsFoundByDoctorAndPlanBeforeAnythingIsChanged(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 1, Domain: 3})
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	require.NoError(t, e.Vault.SeedKV(t.Context(), map[string]map[string]any{"infra/reader": {"password": e.Domain.ReaderPassword}}))
	server := e.Domain.LDAPS()
	clear := u.edited(server, e.Domain.LDAP())
	reader := u.edited(e.Domain.BinderDN, e.Domain.ReaderDN).edited("kv/infra/rollcall-bind-domain#", "kv/infra/reader#")
	late := relayed(t, e, server, e.Domain.CA, "127.0.0.1", 10*time.Minute)
	other := relayed(t, e, server, e.Domain.CA, "dc9.ad.example.org", 0)
	tenMinutes := `the server's clock differs from ours by (10m|9m5\d)`

	for _, row := range []struct {
		name string
		u    *user
		want []string // regular expressions for one line and what to do about it
	}{
		{"LDAP without TLS", clear, []string{`directories.windows.servers: ldap:// sends passwords in clear text; use ldaps://, or set starttls: true`}},
		{"LDAP without TLS, on purpose", clear.edited("driver: active-directory\n", "driver: active-directory\n    insecure: true\n"), []string{`not possible with active-directory, which takes passwords only over TLS`}},
		{"a base of another domain", u.edited("base: "+e.Domain.BaseDN(), "base: DC=other,DC=example,DC=net"), []string{`domain .*is not in this domain controller's domain "DC=ad,DC=example,DC=org"`, "correct base"}},
		{"a base that is not there", u.edited("base: "+e.Domain.BaseDN(), "base: OU=Nowhere,"+e.Domain.BaseDN()), []string{`base `, "correct base"}},
		{"a server that is none of a domain", u.edited(server, e.Slapd.LDAPS()), []string{`windows ` + e.Slapd.LDAPS()}},
		{"an identity without the right to reset", reader, []string{`rights .*lacks the right Reset Password on 3 of 3 accounts on the roll: CN=svc-ad-`, `dsacls "OU=…" /I:S /G "DOMAIN\\account:CA;Reset Password;user"`}},
		{"a clock that differs", u.edited(server, late), []string{`clock .*` + tenMinutes, "NTP"}},
		{"a certificate for another host", u.edited(server, other), []string{`connect .*its certificate is not trusted for 127\.0\.0\.1.*`, "it is for dc9.ad.example.org: use the name that is in the certificate"}},
	} {
		t.Run(row.name, func(t *testing.T) { found(t, row.u, row.want...) })
	}
	t.Run("an account of a protected group", func(t *testing.T) {
		restore := protect(t, e, e.Domain.AccountDN("svc-ad-0001"))
		found(t, u, `protected .*1 of 3 accounts on the roll belongs to a protected group \(adminCount 1\) and bind.dn may not reset it: CN=svc-ad-0001,`,
			`dsacls "CN=AdminSDHolder,CN=System,DC=ad,DC=example,DC=org"`)
		require.Contains(t, u.run("plan", "-o", "json").out, `"what": "protected"`)
		restore()
	})
	require.Zero(t, u.run("plan").code, "all is well again")
	t.Run("an identity whose resets expire at once", func(t *testing.T) {
		require.NoError(t, e.Domain.AddACE(t.Context(), e.Domain.BaseDN(), e.Domain.BinderDN, "(OD;;CR;ccc2dc7d-a6ad-4a7a-8846-c04e3cc53501;;%s)"))
		found(t, u, `unexpire .*the right Unexpire Password on the domain: no`, `dsacls "DC=ad,DC=example,DC=org" /G "DOMAIN\\account:CA;Unexpire Password"`)
	})

	require.True(t, nothingStaged(t, e))
	for _, s := range e.Stolen {
		require.True(t, binds(t, e, s.Servers[0], s.DN, credential.NewSecret(s.Password)), "%s was touched", s.DN)
		require.Equal(t, 1, versions(t, e.Vault.Client(), e.Live[s.ID]), s.DN)
	}
	campaigns, err := filepath.Glob(filepath.Join(e.Dir, "ledger", "*"))
	require.NoError(t, err)
	require.Empty(t, campaigns, "no campaign was begun")
}

// found: doctor and plan both end with code 1 and say it once, with what to do.
func found(t *testing.T, u *user, want ...string) {
	t.Helper()
	for _, command := range []string{"doctor", "plan"} {
		r := u.run(command)
		require.Equal(t, 1, r.code, "%s: %s%s", command, r.out, r.err)
		wrong := 0
		for line := range strings.Lines(r.out + r.err) {
			if strings.Contains(line, "WRONG") || strings.Contains(line, "campaign.yaml:") || strings.Contains(line, "edited-") && strings.Contains(line, ".yaml:") {
				wrong++
			}
		}
		require.Equal(t, 1, wrong, "%s says one thing: %s%s", command, r.out, r.err)
		for _, w := range want {
			require.Regexp(t, w, r.out+r.err, command)
		}
	}
}

// clock is when the root DSE of a domain controller was read ([MS-ADTS]
// 3.1.1.3.2.5), and the time of OpenLDAP's monitor (slapd-monitor(5)).
var clock = regexp.MustCompile(`(\d{14})(\.0)?Z`)

// relayed is a server behind a TLS connection of its own: with a certificate
// for that host, and a clock that is late. ca signed the server's certificate.
func relayed(t *testing.T, e *estate.Estate, server, ca, host string, late time.Duration) string {
	t.Helper()
	issue := e.CA.Issue
	if host != "127.0.0.1" {
		issue = func(dir, name string, lifetime time.Duration) (string, string, string, error) {
			return e.CA.IssueFor(host, dir, name, lifetime)
		}
	}
	cert, key, _, err := issue(t.TempDir(), "relay", 90*24*time.Hour)
	require.NoError(t, err)
	pair, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM([]byte(ca)))
	to, err := url.Parse(server)
	require.NoError(t, err)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				there, err := tls.Dial("tcp", to.Host, &tls.Config{RootCAs: roots})
				if err != nil {
					return
				}
				defer there.Close()
				go func() {
					_, _ = io.Copy(there, client)
					_ = there.Close()
				}()
				_, _ = io.Copy(lateClock{client, late}, there)
			}()
		}
	}()
	return "ldaps://" + l.Addr().String()
}

type lateClock struct {
	net.Conn
	by time.Duration
}

func (c lateClock) Write(b []byte) (int, error) {
	changed := b
	if c.by > 0 && (strings.Contains(string(b), "currentTime") || strings.Contains(string(b), "monitorTimestamp")) {
		changed = clock.ReplaceAllFunc(b, func(at []byte) []byte {
			parts := clock.FindSubmatch(at)
			when, err := time.Parse("20060102150405", string(parts[1]))
			if err != nil {
				return at
			}
			return append([]byte(when.Add(-c.by).Format("20060102150405")), at[14:]...)
		})
	}
	if _, err := c.Conn.Write(changed); err != nil {
		return 0, err
	}
	return len(b), nil
}

// protect makes of an account what a protected group does with its members
// within the hour: it has AdminSDHolder's access control list, and inherits
// nothing ([MS-ADTS] 3.1.1.6.1). Samba leaves that to whoever puts the account
// into the group.
func protect(t *testing.T, e *estate.Estate, dn string) (restore func()) {
	t.Helper()
	conn, err := e.Domain.AdminConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	flags := ber.NewSequence("SDFlagsRequestValue")
	flags.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, 4, "flags"))
	control := ldap.NewControlString("1.2.840.113556.1.4.801", true, string(flags.Bytes()))
	read := func(dn string) []byte {
		res, err := conn.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 0, false, "(objectClass=*)", []string{"nTSecurityDescriptor"}, []ldap.Control{control}))
		require.NoError(t, err)
		return res.Entries[0].GetRawAttributeValue("nTSecurityDescriptor")
	}
	write := func(sd []byte, adminCount []string) {
		req := ldap.NewModifyRequest(dn, []ldap.Control{control})
		req.Replace("nTSecurityDescriptor", []string{string(sd)})
		req.Replace("adminCount", adminCount)
		require.NoError(t, conn.Modify(req))
	}
	before := read(dn)
	holder := read("CN=AdminSDHolder,CN=System," + e.Domain.BaseDN())
	holder[3] |= 0x10 // SE_DACL_PROTECTED ([MS-DTYP] 2.4.6)
	write(holder, []string{"1"})
	return func() { write(before, nil) }
}
