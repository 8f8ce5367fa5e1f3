package inventory

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
)

const teaDN = "drink=tea,ou=people,dc=example,dc=org"

// teaPeople adds an entry whose DN has a type that only the schema of its
// server knows by other names (cosine: drink is favouriteDrink).
func teaPeople(t *testing.T) {
	t.Helper()
	conn, err := slapd.AdminConn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	t.Cleanup(func() {
		conn, err := slapd.AdminConn(context.Background())
		if err == nil {
			_ = conn.Del(ldap.NewDelRequest("uid=dora,"+teaDN, nil))
			_ = conn.Del(ldap.NewDelRequest(teaDN, nil))
			_ = conn.Close()
		}
	})
	addLDIF(t, conn, `
		dn: drink=tea,ou=people,dc=example,dc=org
		objectClass: organizationalUnit
		objectClass: extensibleObject
		ou: tea

		dn: uid=dora,drink=tea,ou=people,dc=example,dc=org
		objectClass: inetOrgPerson
		cn: dora
		sn: dora
		uid: dora
		userPassword: not used`)
}

// One entry has many DNs, and Vault and the directory take each (RFC 4512
// section 2.5, RFC 4514).
func TestWhomVaultsConfigurationNamesIsFoundByEverySpelling(t *testing.T) {
	servers(t)
	teaPeople(t)
	for _, at := range []string{"spelt-engine"} {
		write(t, "sys/mounts/"+at, map[string]any{"type": "ldap"})
		t.Cleanup(func() { require.NoError(t, realVault.Client().Sys().Unmount(at)) })
	}
	write(t, "spelt-engine/config", map[string]any{"binddn": "0.9.2342.19200300.100.1.1=carol,ou=people,dc=example,dc=org", "bindpass": "x", "url": slapd.LDAPS(), "certificate": slapd.CA, "userdn": "OU=people,domainComponent=example,dc=org"})
	write(t, "spelt-engine/static-role/one", map[string]any{"dn": "userid=esg0001,2.5.4.11=people,dc=example,dc=org", "username": "by-its-dn", "skip_import_rotation": true, "rotation_period": "24h"})
	write(t, "spelt-engine/static-role/two", map[string]any{"dn": "uid=esg0002,ou=people,dc=example,dc=org", "username": "by-its-dn-too", "skip_import_rotation": true, "rotation_period": "24h"})
	binds := map[string]string{
		"userid=alice,ou=people,dc=example,dc=org":                             "alice",
		"uid=bob,organizationalUnitName=people,domainComponent=example,dc=org": "bob",
		`UID = \65sg0003 , OU=people,dc=example,dc=org`:                        "esg0003",
		"uid=#04076573673030303" + "4,ou=people,dc=example,dc=org":             "esg0004",
		"uid=jo\u0308rg,ou=people,dc=example,dc=org":                           "jörg", // as macOS types it
		"uid=dora,favouriteDrink=tea,ou=people,dc=example,dc=org":              "dora",
		"userid=esg0005,ou=people,0.9.2342.19200300.100.1.25=example,dc=org":   "esg0005",
	}
	want := map[string]credential.Problem{"carol": credential.VaultsBind, "esg0001": credential.KeptByVault, "esg0002": credential.KeptByVault, "esg0006": ""}
	for dn, who := range binds {
		ldapMount(t, "spelt-"+who, map[string]any{"binddn": dn, "bindpass": "x"})
		want[who] = credential.VaultsBind
	}
	c := campaign()
	c.Directories["corp"] = corp()
	rows := []string{"account"}
	for who := range want {
		rows = append(rows, who)
	}
	c.Sources = []config.Source{manifestSource(rows...)}
	root := realVault.RootToken().Reveal()
	dirs := openDirectory(t, corp())
	roll, warnings, err := listIn(t.Context(), c, dirs, openVault(t, root), "c", time.Now())
	require.NoError(t, err)
	now, err := UsedByVault(t.Context(), c, Authorities{Directories: dirs}, openVault(t, root), "corp")
	require.NoError(t, err)
	got, again := map[string]credential.Problem{}, map[string]credential.Problem{}
	for _, a := range roll.Credentials {
		of := rdnOf(a.Name)
		if len(of) == 0 {
			continue // what other tests left
		}
		who := of[0]
		got[who], again[who] = a.Problem, ""
		if len(now[a.ID]) > 0 {
			again[who] = now[a.ID][0]
		}
	}
	require.Equal(t, want, got, "list")
	require.Equal(t, want, again, "right before Set")
	for _, w := range warnings {
		// A listing that sets nothing does not look at tokens, and says so.
		place, _, _ := strings.Cut(w.Detail, ": ")
		tokens := strings.HasPrefix(place, "auth/spelt-") && strings.HasSuffix(place, "/login")
		require.Equal(t, tokens, w.Code.Incomplete(), "%s", w.Detail)
	}
}

// Who logs in at a mount is told by where it looks for accounts, and by what
// they are called there.
func TestAccountsLogInToVaultBelowAUserDNOfAnySpelling(t *testing.T) {
	servers(t)
	teaPeople(t)
	for name, more := range map[string]map[string]any{
		"below-long":     {"userdn": "organizationalUnitName=people,dc=example,dc=org"},
		"below-oid":      {"userdn": "2.5.4.11=People, domainComponent=example,dc=org", "userattr": "userid"},
		"below-named":    {"userdn": "favouriteDrink=tea,ou=people,dc=example,dc=org"},
		"below-balancer": {"url": "ldaps://192.0.2.1", "userdn": "ou=people,domainComponent=example,domainComponent=org"},
		"below-tea":      {"url": "ldaps://192.0.2.1", "userdn": "favouriteDrink=tea,ou=people,dc=example,dc=org"},
		"below-other":    {"userdn": "organizationalUnitName=services,dc=example,dc=org"},
		"below-common":   {"userattr": "commonName"},
	} {
		ldapMount(t, name, more)
		write(t, "auth/"+name+"/users/alice", map[string]any{"policies": "reads-kv"})
		write(t, "auth/"+name+"/users/dora", map[string]any{"policies": "reads-kv"})
	}
	roll, warnings := listOf(t, realVault.RootToken().Reveal(), "alice", "dora")
	at := map[string][]string{}
	for who, logins := range loginsOf(roll) {
		for _, l := range logins {
			at[who] = append(at[who], l.Mount)
			require.False(t, l.Plain, "%s at %s", who, l.Mount)
			if l.Mount == "below-common" {
				require.Equal(t, "alice", loginsOf(roll)["alice"][0].Names[0])
			}
		}
	}
	require.ElementsMatch(t, []string{"below-long", "below-oid", "below-balancer", "below-common"}, at["alice"])
	require.ElementsMatch(t, []string{"below-long", "below-oid", "below-named", "below-balancer", "below-tea", "below-common"}, at["dora"])
	for _, w := range warnings {
		if w.Code == credential.FindingVaultHidden {
			require.Contains(t, w.Detail, "cannot be told by its url (ldaps://192.0.2.1)", "of those that ask a server of no file")
		}
	}
}

// What nobody can tell is taken to hold, and said.
func TestAUserDNThatNobodyKnowsHoldsEveryAccount(t *testing.T) {
	servers(t)
	ldapMount(t, "odd-below", map[string]any{"userdn": "favouriteDrink=gone,dc=example,dc=org", "token_policies": "reads"})
	ldapMount(t, "odd-bind", map[string]any{"userdn": "ou=nobody,dc=example,dc=org", "binddn": "favouriteDrink=gone,dc=example,dc=org", "bindpass": "x"})
	roll, warnings := listOf(t, realVault.RootToken().Reveal(), "alice")
	require.Len(t, roll.Credentials[0].Logins, 1)
	require.Equal(t, "odd-below", roll.Credentials[0].Logins[0].Mount)
	said := ""
	for _, w := range warnings {
		if w.Code == credential.FindingVaultHidden {
			said += w.Detail + "\n"
		}
	}
	require.Contains(t, said, `auth/odd-below: it looks for accounts below "favouriteDrink=gone,dc=example,dc=org", and corp shows bind.dn no entry of that name`)
	require.Contains(t, said, `auth/odd-bind: auth/odd-bind/config names "favouriteDrink=gone,dc=example,dc=org"`)
	require.Contains(t, said, `accept: - {vault: "auth/odd-bind", reason: …}`)
}

func TestTwoSpellingsOfADNHaveOneKey(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		types := rapid.SampledFrom([][]string{{"uid", "UserID", "0.9.2342.19200300.100.1.1"}, {"cn", "commonName", "2.5.4.3"}, {"OU", "organizationalUnitName", "2.5.4.11"}, {"dc", "domainComponent"}, {"employeeType"}})
		values := rapid.SampledFrom([][]string{{"a", "A", `\61`, "#040161"}, {"b c", "B  C", `b\20c`}, {`x\,y`, `X\2cY`}, {"jörg", "jo\u0308rg", `j\c3\b6rg`}})
		a, b := "", ""
		for i := range rapid.IntRange(1, 3).Draw(r, "parts") {
			if i > 0 {
				a, b = a+",", b+",  "
			}
			k, v := types.Draw(r, "type"), values.Draw(r, "value")
			one := func(label string) string {
				return rapid.SampledFrom(k).Draw(r, label) + "=" + rapid.SampledFrom(v).Draw(r, label)
			}
			x, y := one("a"), one("b")
			if rapid.Bool().Draw(r, "two") {
				x, y = x+"+givenName=z", "GN=Z+"+y
			}
			a, b = a+x, b+y
		}
		require.Equal(r, dnKey(a), dnKey(b))
		require.NotEqual(r, dnKey(a), dnKey("uid=other,"+b))
		require.True(r, directory.Within("uid=below,"+a, a))
	})
	for dn, is := range map[string]bool{"uid=a,dc=x": true, "USERID=a+2.5.4.3=b,dc=x": true, "employeeType=x,dc=x": false, "1.2.3=x": false, "<SID=S-1-5-21-1>": false, `uid="a`: false, "OID.2.5.4.3=x": false} {
		require.Equal(t, is, directory.Comparable(dn), dn)
	}
}
