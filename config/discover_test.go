package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestADirectoryMayFindItsServers(t *testing.T) {
	c := mustLoad(t, `
device: esg-01
directories:
  windows:
    driver: active-directory
    servers: [ ldaps://dc1.ad.example.org ]
    discover: configuration
    base: ou=services,dc=ad,dc=example,dc=org
    bind: {dn: "cn=r,dc=ad,dc=example,dc=org", password: kv/a#b}
  corp:
    driver: openldap
    servers: [ ldaps://ldap1.example.org ]
    discover: dns
    base: dc=example,dc=org
    bind: {dn: "cn=r,dc=example,dc=org", password: kv/a#b}
sources:
  - {type: vault-kv, prefix: kv/a}
`)
	require.Equal(t, FromConfiguration, c.Directories["windows"].Discover)
	require.Equal(t, FromDNS, c.Directories["corp"].Discover)
}

func TestTheDomainOfADNIsItsLastParts(t *testing.T) {
	for dn, want := range map[string]string{
		"dc=example,dc=org":                      "example.org",
		"OU=Services, DC=AD,dc = Example,DC=org": "ad.example.org",
		"dc=lost,ou=x,dc=example,dc=org":         "example.org",
		"o=Example":                              "",
		"dc=example,dc=org,o=x":                  "",
	} {
		require.Equal(t, want, Domain(dn), dn)
	}
}

func TestAServerIsNamedAsTheFileNamesIt(t *testing.T) {
	for text, want := range map[string]string{
		"ldaps://LDAP2.example.org":     "ldaps://ldap2.example.org:636",
		"ldap://10.0.0.5/":              "ldap://10.0.0.5:389",
		"ldaps://ldap2.example.org:636": "ldaps://ldap2.example.org:636",

		"ldaps://LDAP.example.org@192.0.2.7":         "ldaps://ldap.example.org:636@192.0.2.7",
		"ldap://ldap.example.org:1389@[2001:DB8::7]": "ldap://ldap.example.org:1389@2001:db8::7",
	} {
		got, err := ServerURL(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for text, words := range map[string]string{
		"ldap2.example.org":                  "must be a URL like",
		"ldaps://user:pass@ldap.example.org": "without a login",
		"ldaps://a@b@192.0.2.7":              "without a login",
		"ldaps://192.0.2.7:636@192.0.2.8":    "names two addresses",
		"ldaps://cn=x:secret@192.0.2.7":      "must be a URL like",
	} {
		_, err := ServerURL(text)
		require.ErrorContains(t, err, words, text)
		require.NotContains(t, err.Error(), "secret")
	}
}

// The campaign file may name one machine behind a name, and no login.
func TestAServerBehindANameIsNoLogin(t *testing.T) {
	file := func(server string) error {
		_, err := load("c.yaml", t.TempDir(), []byte("device: esg-01\ndirectories:\n  corp:\n    driver: openldap\n    servers: ['"+server+"']\n    base: dc=example,dc=org\n    bind: {dn: 'cn=r,dc=example,dc=org', password: 'kv/bind#password'}\nsources: [{type: vault-kv, prefix: kv/a}]\n"))
		return err
	}
	require.NoError(t, file("ldaps://ldap.example.org@192.0.2.7"))
	require.NoError(t, file("ldaps://ldap.example.org:636@2001:db8::7"))
	for _, login := range []string{"ldaps://svc@192.0.2.7", "ldaps://svc:PLANTED@192.0.2.7", "ldaps://svc.x:PLANTED@192.0.2.7", "ldaps://svc.x@ldap.example.org", "https://svc.x@192.0.2.7"} {
		err := file(login)
		require.ErrorContains(t, err, "c.yaml:5: a URL with a login in it", login)
		require.NotContains(t, err.Error(), "PLANTED")
	}
}
