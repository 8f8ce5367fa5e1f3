package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// A login may hold an equals sign and so read like a DN.
func TestALoginThatReadsLikeADNIsFoundByItsLogin(t *testing.T) {
	t.Parallel()
	s, admin := oddSlapd(t, lab.Account{UID: "svc-mail", Password: "x"})
	addLDIF(t, admin, `
		dn: cn=one,ou=people,dc=example,dc=org
		objectClass: inetOrgPerson
		cn: one
		sn: one
		uid: a=b
		userPassword: secret-of-a-b

		dn: cn=two,ou=people,dc=example,dc=org
		objectClass: inetOrgPerson
		cn: two
		sn: two
		uid: x=y,z=w
		uid: uid=gone,ou=people,dc=example,dc=org
		userPassword: secret-of-x-y`)
	manifest := func(rows string) *config.Campaign {
		return &config.Campaign{Vault: config.Vault{Mount: "rollcall", Adopt: "kv/rollcall/{directory}/{account}#password"}, Sources: []config.Source{
			{Name: "list", Type: config.Manifest, File: "m.csv", Content: []byte("account,path\n" + rows)}}}
	}
	rows := "a=b,kv/a#p\nA=B,kv/a#p\n\"x=y,z=w\",kv/x#p\nuid=svc-mail,kv/rdn#p\n\"uid=svc-mail,ou=people,dc=example,dc=org\",kv/m#p\n" +
		"\"UID=svc-mail, OU=people,dc=example,dc=org\",kv/m#p\n\"uid=gone,ou=people,dc=example,dc=org\",kv/gone#p\nc=d,kv/c#p\n"
	roll, _ := listLDAP(t, slapdDirectory(s), s.BinderPassword, manifest(rows))
	found := map[string]credential.Problem{}
	for _, c := range roll.Credentials {
		require.Len(t, c.Paths, 1, c.Name)
		found[c.Paths[0].Path] = c.Problem
	}
	require.Equal(t, map[string]credential.Problem{
		"a": "", "x": "", "m": "",
		"rdn":  credential.NoAccount, // part of a DN, and nobody's login
		"gone": credential.NoAccount, // a DN below base is that entry, and not who calls himself so
		"c":    credential.NoAccount,
	}, found)

	leftOut := manifest(rows)
	leftOut.Exclude = []config.Exclude{{Account: "a=b", Reason: "stays"}}
	roll, _ = listLDAP(t, slapdDirectory(s), s.BinderPassword, leftOut)
	require.Len(t, roll.Excluded, 1)
	require.Len(t, roll.Credentials, len(found)-1)
	leftOut.Exclude[0].Account = "x=y,z=w" // one login of two, which could have been added
	_, err := tryLDAP(t, slapdDirectory(s), s.BinderPassword, leftOut)
	require.ErrorContains(t, err, "by a name that can be added to an entry")
}
