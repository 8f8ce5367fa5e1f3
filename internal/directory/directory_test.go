package directory

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

func startSlapd(t *testing.T, o lab.SlapdOptions) *lab.Slapd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var err error
	if o.CA == nil {
		o.CA, err = lab.NewCA()
		require.NoError(t, err)
	}
	o.Dir = t.TempDir()
	s, err := lab.StartSlapd(ctx, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	})
	return s
}

// patience is how long a server of a test may take to answer: the machine does
// much besides.
const patience = config.Duration(5 * time.Minute)

func configOf(s *lab.Slapd) config.Directory {
	return config.Directory{
		Driver: "openldap", Servers: []string{s.LDAPS()}, Base: s.BaseDN(), CA: s.CA,
		Bind: config.Bind{DN: s.BinderDN, Password: credential.Path{Mount: "kv", Path: "rollcall/bind", Field: "password"}},
		Set:  "exop", Connections: 8, Timeout: patience,
	}
}

func open(t *testing.T, d config.Directory, password string) *Client {
	t.Helper()
	c, err := Open("corp", d, func(context.Context) (credential.Secret, error) { return credential.NewSecret(password), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestOpenRefusesWhatCannotBeSafeOrRight(t *testing.T) {
	good := config.Directory{Driver: config.OpenLDAP, Servers: []string{"ldaps://ldap.example.org"}, Bind: config.Bind{DN: "cn=rollcall,dc=example,dc=org"}}
	for name, row := range map[string]struct {
		change func(*config.Directory)
		words  string // empty: it opens
	}{
		"LDAPS":                    {func(*config.Directory) {}, ""},
		"clear text":               {func(d *config.Directory) { d.Servers = []string{"ldap://ldap.example.org"} }, "clear text"},
		"clear text said to be so": {func(d *config.Directory) { d.Servers, d.Insecure = []string{"ldap://ldap.example.org"}, true }, ""},
		"StartTLS":                 {func(d *config.Directory) { d.Servers, d.StartTLS = []string{"ldap://ldap.example.org"}, true }, ""},
		"another driver":           {func(d *config.Directory) { d.Driver = "ldap" }, "driver"},
		"clear text to Active Directory": {func(d *config.Directory) {
			d.Driver, d.Servers, d.Insecure = config.ActiveDirectory, []string{"ldap://ldap.example.org"}, true
		}, "only over TLS"},
		"another scheme": {func(d *config.Directory) { d.Servers = []string{"https://ldap.example.org"} }, "scheme"},
		"no URL":         {func(d *config.Directory) { d.Servers = []string{"ldap.example.org"} }, "not a URL"},
		"no server":      {func(d *config.Directory) { d.Servers = nil }, "servers is empty"},
		"no DN":          {func(d *config.Directory) { d.Bind.DN = "rollcall" }, "not a DN"},
		"no certificate": {func(d *config.Directory) { d.CA = "hello" }, "ca_file"},
	} {
		t.Run(name, func(t *testing.T) {
			d := good
			row.change(&d)
			_, err := Open("corp", d, nil)
			if row.words == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, row.words)
			require.ErrorContains(t, err, "directory corp")
		})
	}
}

// A DN that has one spelling is not parsed to tell it from another: its types
// are named as servers write them.
func TestDNsWithOneSpellingAreComparedAsTheyStand(t *testing.T) {
	whole := rapid.StringMatching(`(cn|OU|uid|Dc)=[ab.A_-]{0,2}`)
	part := rapid.OneOf(whole, rapid.StringMatching(`[acnAou1.]{0,2}=?[ab.A_-]{0,2}`), rapid.StringMatching(`(commonName|userid|0.9.2342.19200300.100.1.1)=[ab.A_-]{0,2}`))
	rapid.Check(t, func(t *rapid.T) {
		require.True(t, plainDN(strings.Join(rapid.SliceOfN(whole, 0, 3).Draw(t, "plain"), ",")))
		a := strings.Join(rapid.SliceOfN(part, 0, 3).Draw(t, "a"), ",")
		b := strings.Join(rapid.SliceOfN(part, 0, 3).Draw(t, "b"), ",")
		if rapid.Bool().Draw(t, "alike") {
			b = strings.ToUpper(a)
		}
		da, err := ParseDN(a)
		db, err2 := ParseDN(b)
		require.Equal(t, err == nil && err2 == nil && da.EqualFold(db), SameDN(a, b), "%q %q", a, b)
	})
}

func TestSameDN(t *testing.T) {
	require.True(t, SameDN("cn=Rollcall, ou=Services,dc=example,dc=org", "CN=rollcall,ou=services,dc=example,dc=org"))
	require.False(t, SameDN("cn=rollcall,dc=example,dc=org", "cn=rollcall,ou=services,dc=example,dc=org"))
	require.True(t, SameDN("userid=a,dc=x", "uid=A,domainComponent=x"))
	require.False(t, SameDN("userid=a,dc=x", "uid=b,dc=x"))
	require.False(t, SameDN("nonsense", "nonsense"))
}
