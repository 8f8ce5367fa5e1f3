package config

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
)

var update = flag.Bool("update", false, "write the golden files in testdata")

func TestExampleLoadsWithEverythingSet(t *testing.T) {
	c, err := Load("example.yaml")
	require.NoError(t, err)
	require.Equal(t, "esg-01", c.Device)
	require.Equal(t, []Interval{{
		From: time.Date(2022, 10, 10, 0, 0, 0, 0, time.UTC),
		To:   time.Date(2023, 5, 20, 23, 59, 59, 0, time.UTC),
	}}, c.Exposure)
	require.Equal(t, []string{"ldaps://ldap1.example.org:636", "ldaps://ldap2.example.org:636"}, c.Directories["corp"].Servers)
	require.Equal(t, credential.Path{Mount: "kv", Path: "rollcall-bind/corp", Field: "password"}, c.Directories["corp"].Bind.Password)
	require.Equal(t, []Bind{
		{DN: "cn=rollcall,ou=services,dc=example,dc=org", Password: credential.Path{Mount: "kv", Path: "rollcall-bind/corp", Field: "password"}},
		{DN: "cn=rollcall-b,ou=services,dc=example,dc=org", Password: credential.Path{Mount: "kv", Path: "rollcall-bind/corp-b", Field: "password"}},
	}, c.Directories["corp"].Identities())
	require.Len(t, c.Directories["plant"].Identities(), 1)
	require.Contains(t, c.Directories["corp"].CA, "BEGIN CERTIFICATE")
	appdb := c.Authority("appdb")
	require.Equal(t, []string{"postgresql://db1.example.org:5432", "postgresql://db2.example.org:5433"}, appdb.ServerNames())
	require.Equal(t, []authority.Login{
		{Name: "rollcall", Secret: credential.Path{Mount: "kv", Path: "rollcall-bind/appdb", Field: "password"}},
		{Name: "rollcall_b", Secret: credential.Path{Mount: "kv", Path: "rollcall-bind/appdb-b", Field: "password"}},
	}, appdb.Logins())
	require.Equal(t, PasswordPolicy{Length: 40, Symbols: defaultSymbols}, appdb.Passwords())
	require.Equal(t, credential.PostgresPassword, c.KindOf("appdb"))
	require.True(t, c.Directories["plant"].StartTLS)
	require.Equal(t, PasswordPolicy{Length: 32, Symbols: "-_.~"}, c.Directories["corp"].Password)
	require.Equal(t, PasswordPolicy{Length: 32, Symbols: defaultSymbols}, c.Directories["plant"].Password)
	require.Equal(t, Duration(10*time.Second), c.Directories["plant"].Timeout)
	for _, of := range SourceTypes() {
		require.True(t, slices.ContainsFunc(c.Sources, func(s Source) bool { return s.Type == of }), "no example of a source of type %s", of)
	}
	for _, of := range Sections() {
		require.True(t, slices.ContainsFunc(slices.Collect(maps.Values(c.Systems)), func(s authority.Settings) bool { return s.Type() == of }), "no example of the section %s", of)
	}
	require.Equal(t, credential.UserPassword, c.Sources[3].Kind)
	require.Equal(t, DS389, c.Directories["campus"].Driver)
	require.Equal(t, "replace", c.Directories["campus"].Set, "the extended operation is bound by the policy there")
	require.Equal(t, credential.LDAPPassword, c.Directories["campus"].Kind())
	require.Equal(t, "exop", c.Directories["plant"].Set)
	require.Contains(t, string(c.Sources[0].Content), "recipient verification")
	require.Equal(t, []string{"manifest", "vault-kv", "directory", "mail-users", "vault-users", "vault-logins"},
		[]string{c.Sources[0].Name, c.Sources[1].Name, c.Sources[2].Name, c.Sources[3].Name, c.Sources[4].Name, c.Sources[5].Name})
	require.Equal(t, Source{Name: "vault-users", Type: VaultUserpass, Mount: "userpass", User: "esg-01*", CIDR: "192.0.2.10/32", Line: c.Sources[4].Line}, c.Sources[4])
	require.Equal(t, PasswordPolicy{Length: 40, Symbols: defaultSymbols}, c.Vault.Password)
	require.Equal(t, Limits{Batch: 100, Parallel: 4, Concurrency: 16, RetryMin: Duration(5 * time.Second),
		RetryMax: Duration(5 * time.Minute), Deadline: Duration(4 * time.Hour)}, c.Limits)
	require.True(t, filepath.IsAbs(c.LedgerDir))
	require.Equal(t, "ledger", filepath.Base(c.LedgerDir))
}

func TestDefaultsFillAShortFile(t *testing.T) {
	c := mustLoad(t, `
device: esg-01
sources:
  - {type: vault-kv, prefix: kv/a}
  - {type: vault-kv, prefix: /kv/b/}
  - {name: vault-kv-3, type: vault-kv, prefix: kv/c}
  - {type: vault-kv, prefix: kv/d}
  - {type: vault-approle, mount: auth/approle/, cidr: 192.0.2.1}
`)
	require.Equal(t, Vault{Mount: "rollcall", Transit: "rollcall-transit", Adopt: "kv/rollcall/{directory}/{account}#password",
		HandOver: "kv/rollcall/handover/{directory}/{account}#password"}, c.Vault)
	var names []string
	for _, s := range c.Sources {
		names = append(names, s.Name)
	}
	require.Equal(t, []string{"vault-kv", "vault-kv-2", "vault-kv-3", "vault-kv-4", "vault-approle"}, names)
	require.Equal(t, "kv/b", c.Sources[1].Prefix)
	require.Equal(t, "approle", c.Sources[4].Mount)
	require.Equal(t, "192.0.2.1/32", c.Sources[4].CIDR)
	require.Equal(t, 5, c.Sources[1].Line)
	require.Zero(t, c.Limits.Batch, "how many there are decides")
}

func TestAUserpassSourceSaysWhatTiesAUserToTheDevice(t *testing.T) {
	for text, want := range map[string]string{
		"{type: vault-userpass}":                                           "says nothing that ties a user to the device; give user or cidr",
		"{type: vault-userpass, user: '['}":                                "user: not a valid pattern",
		"{type: vault-userpass, cidr: here}":                               "cidr: not a network or address",
		"{type: vault-userpass, user: x, role: y}":                         "role: does not belong to a source of type vault-userpass, which takes mount, user, cidr",
		"{type: vault-userpass, user: x, mount: /}":                        "mount: must be the name of a userpass auth mount, for example userpass",
		"{type: vault-approle, role: x, user: y}":                          "user: does not belong to a source of type vault-approle",
		"{type: vault-kv, prefix: kv/a, account_field: ''}":                "account_field: names the field of each secret that says whose it is, for example username",
		"{type: vault-kv, prefix: kv/a, account_field: bind_password}":     "account_field: is called like a field that holds a secret: name the one that says whose it is",
		"{type: vault-kv, prefix: kv/a, directory: nowhere}":               "directory: no directory is called nowhere",
		"{type: vault-kv, prefix: kv/a, filter: x}":                        "filter: does not belong to a source of type vault-kv, which takes prefix, account_field, directory",
		"{type: vault-approle, role: x, account_field: username}":          "account_field: does not belong to a source of type vault-approle",
		"{type: vault-kv, prefix: kv/a}\nvault: {password: {length: 100}}": "password: length: userpass takes no password of more than 72 bytes",
	} {
		_, err := load("c.yaml", t.TempDir(), []byte("device: esg-01\nsources:\n  - "+text+"\n"))
		require.ErrorContains(t, err, want, text)
	}
}

func TestEveryMistakeIsToldWithItsLineAndNoSecret(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, err := Load(file)
			require.Nil(t, c)
			var errs *Errors
			require.ErrorAs(t, err, &errs)
			require.NotContains(t, err.Error(), "PLANTED")
			for i, p := range errs.List {
				require.True(t, i == 0 || errs.List[i-1].Line <= p.Line, "not in the order of lines")
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(err.Error()+"\n"), 0o644))
			}
			want, readErr := os.ReadFile(golden)
			require.NoError(t, readErr)
			require.Equal(t, string(want), err.Error()+"\n")
		})
	}
}

func TestBadCACertificatesAreRefused(t *testing.T) {
	for name, tc := range map[string]struct{ pem, want string }{
		"no PEM":        {"hello", "holds no PEM certificate"},
		"a private key": {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "a PEM block that is no certificate"},
		"garbage":       {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1 in the file cannot be read"},
		"empty":         {"", "the file is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.pem"), []byte(tc.pem), 0o600))
			_, err := load("c.yaml", dir, []byte(`
device: esg-01
directories:
  corp:
    driver: openldap
    servers: [ldaps://ldap1.example.org]
    base: dc=example,dc=org
    ca_file: ca.pem
    bind: {dn: "cn=r,dc=example,dc=org", password: "kv/bind#password"}
sources: [{type: vault-kv, prefix: kv/a}]
`))
			require.ErrorContains(t, err, tc.want)
			require.ErrorContains(t, err, "c.yaml:8: ")
		})
	}
}

func TestAFileThatCannotBeReadIsNotAMistakeInIt(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "none.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)
	var errs *Errors
	require.NotErrorAs(t, err, &errs)
}

func TestAWorkerReadsTheExampleBackFromJSON(t *testing.T) {
	c, err := Load("example.yaml")
	require.NoError(t, err)
	b, err := json.Marshal(c)
	require.NoError(t, err)
	var back Campaign
	require.NoError(t, json.Unmarshal(b, &back))
	c.LedgerDir, c.Watch = "", nil
	for i := range c.Sources {
		c.Sources[i].Line = 0
	}
	require.Equal(t, *c, back)
}

func mustLoad(t *testing.T, text string) *Campaign {
	t.Helper()
	c, err := load("campaign.yaml", t.TempDir(), []byte(text))
	require.NoError(t, err)
	return c
}

func TestPeopleAreListedOnADomainOnly(t *testing.T) {
	c, err := load("c.yaml", t.TempDir(), []byte(`
device: esg-01
vault:
  handover: secrets/for-people/{account}#value
directories:
  windows:
    driver: active-directory
    servers: [ldaps://dc1.example.org]
    base: dc=example,dc=org
    bind: {dn: "cn=r,dc=example,dc=org", password: "kv/bind#password"}
sources:
  - {type: directory, directory: windows, filter: (memberOf=cn=mail users), kind: user-password}
waves:
  - {name: people, kind: user-password}
`))
	require.NoError(t, err)
	require.Equal(t, credential.UserPassword, c.Sources[0].Kind)
	require.Equal(t, "secrets/for-people/{account}#value", c.Vault.HandOver)
	require.True(t, c.Directories["windows"].Takes(credential.UserPassword))
	require.False(t, Directory{Driver: OpenLDAP}.Takes(credential.UserPassword))
}

func TestAFileThatPutsLoginsToVaultLaterIsRefusedWithTheReason(t *testing.T) {
	const file = `device: esg-01
sources:
  - {type: vault-approle, role: esg-*}
waves:
%s`
	for name, row := range map[string]struct {
		waves   string
		refused bool
	}{
		"logins second":              {"  - {name: one, source: vault-approle}\n  - {name: two, kind: approle-secret-id}\n", true},
		"logins second, by name":     {"  - {name: one, account: svc-*}\n  - {name: two, directory: vault}\n", true},
		"logins first":               {"  - {name: one, kind: approle-secret-id, batch: 1}\n  - {name: two, account: svc-*}\n", false},
		"logins first, in two waves": {"  - {name: one, kind: approle-secret-id, account: '*/a'}\n  - {name: two, directory: vault}\n  - {name: three, account: svc-*}\n", false},
		"no wave of logins":          {"  - {name: one, account: svc-*}\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load("campaign.yaml", t.TempDir(), []byte(fmt.Sprintf(file, row.waves)))
			if !row.refused {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "reads each new value as it is written")
			require.ErrorContains(t, err, "put the waves of logins first")
		})
	}
}

func TestAServerThatAPersonTypesIsTheSameWhateverItsAuthority(t *testing.T) {
	for text, want := range map[string]string{
		"postgresql://DB2.example.org":                  "postgresql://db2.example.org:5432",
		"postgresql://db2.example.org:5433@192.0.2.7":   "postgresql://db2.example.org:5433@192.0.2.7",
		"LDAPS://ldap1.example.org":                     "ldaps://ldap1.example.org:636",
		"ldaps://ldap1.example.org:636@::ffff:10.0.0.5": "ldaps://ldap1.example.org:636@10.0.0.5",
	} {
		got, err := ServerURL(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"postgresql://db2.example.org/erp", "mysql://db.example.org", "postgresql://", "db2"} {
		_, err := ServerURL(text)
		require.ErrorContains(t, err, "must be a URL like")
	}
}
