package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// A list of what a device knew names people too: they logged in to it.
func TestAnAccountThatMayBeAPersonsIsSaidToBeOneWhereNothingReadsItsPassword(t *testing.T) {
	s, admin := oddSlapd(t, lab.Account{UID: "svc-esg", Password: "x"}, lab.Account{UID: "in-vault", Password: "x", Attrs: map[string][]string{"givenName": {"Ida"}}})
	addLDIF(t, admin, `
dn: uid=anna.schmidt,`+s.PeopleDN()+`
objectClass: inetOrgPerson
uid: anna.schmidt
cn: Anna Schmidt
sn: Schmidt
givenName: Anna
employeeNumber: 4711
userPassword: hers
`)
	c := &config.Campaign{Vault: config.Vault{Adopt: "kv/rollcall/{directory}/{account}#password"}, Sources: []config.Source{{Name: "list", Type: config.Manifest, File: "m.yaml", Content: []byte(`
- {directory: corp, account: svc-esg}
- {directory: corp, account: anna.schmidt}
- {directory: corp, account: in-vault, path: kv/apps/in-vault#password}
`)}}}
	d := config.Directory{Driver: config.OpenLDAP, Servers: []string{s.LDAPS()}, Base: s.BaseDN(), CA: s.CA, Bind: config.Bind{DN: s.BinderDN}, Timeout: patience}
	roll, _ := listLDAP(t, d, s.BinderPassword, c)
	require.Len(t, roll.Credentials, 3)
	for _, cr := range roll.Credentials {
		said := details(roll, cr.ID, credential.FindingPerhapsPerson)
		if cr.Name != "uid=anna.schmidt,"+s.PeopleDN() {
			require.Empty(t, said, cr.Name)
			continue
		}
		require.Equal(t, credential.LDAPPassword, cr.Kind)
		require.Contains(t, said, "its entry has givenName, employeeNumber, as people's have")
		require.Contains(t, said, "will lie at "+cr.Paths[0].String()+", and its owner is locked out until somebody hands it over")
		require.NotContains(t, said, "Anna", "values of the entry are nobody's business")
	}
}
