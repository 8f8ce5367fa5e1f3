package directory

import (
	"slices"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

// Only a policy that is the account's for certain is believed: the one that its
// entry names, or the default one where cn=config is shown.
func TestAPolicyThatHasEachResetChangedIsSeenBeforeOne(t *testing.T) {
	t.Parallel()
	const own, spared = "cn=own,ou=policies,dc=example,dc=org", "cn=services,ou=policies,dc=example,dc=org"
	accounts := lab.SeedAccounts("user", 3)
	accounts[1].Attrs = map[string][]string{"pwdPolicySubentry": {own}}
	accounts[2].Attrs = map[string][]string{"pwdPolicySubentry": {spared}}
	for name, row := range map[string]struct {
		options lab.SlapdOptions
		forced  []bool // by account
		wrong   bool   // in doctor
	}{
		"the default one, shown":      {lab.SlapdOptions{Policy: lab.SlapdPolicy{MustChange: true}, ShowsConfig: true}, []bool{true, true, false}, true},
		"the default one, not shown":  {lab.SlapdOptions{Policy: lab.SlapdPolicy{MustChange: true}}, []bool{false, true, false}, false},
		"not the default one, shown":  {lab.SlapdOptions{ShowsConfig: true}, []bool{false, true, false}, false},
		"not the default, none shown": {lab.SlapdOptions{}, []bool{false, true, false}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			row.options.Accounts = accounts
			s := startSlapd(t, row.options)
			admin, err := s.AdminConn(t.Context())
			require.NoError(t, err)
			defer admin.Close()
			add := ldap.NewAddRequest(own, nil)
			for name, value := range map[string]string{"cn": "own", "pwdAttribute": "userPassword", "pwdMustChange": "TRUE"} {
				add.Attribute(name, []string{value})
			}
			add.Attribute("objectClass", []string{"device", "pwdPolicy"})
			require.NoError(t, admin.Add(add))

			d := configOf(s)
			d.Base = s.PeopleDN() // the policies lie beside it
			c := open(t, d, s.BinderPassword)
			for i, forced := range row.forced {
				e, found, err := c.one(t.Context(), s.LDAPS(), "", s.AccountDN(accounts[i].UID), ldap.ScopeBaseObject, "(objectClass=*)", c.accountAttributes())
				require.NoError(t, err)
				require.True(t, found)
				require.Equal(t, forced, c.Forced(t.Context(), s.LDAPS(), e), accounts[i].UID)
			}
			policies, _, err := c.Forcing(t.Context())
			require.NoError(t, err)
			require.Contains(t, policies, own)
			require.Equal(t, row.options.Policy.MustChange, slices.Contains(policies, "cn=default,ou=policies,dc=example,dc=org"))
			seen := byWhat(c.Check(t.Context()))[noteReset]
			require.Equal(t, !row.wrong, seen.OK, seen.Detail)
			require.Contains(t, seen.Detail, own)
		})
	}
}
