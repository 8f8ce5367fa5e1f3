package inventory

import (
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory/adacl"
	"rollcall/internal/lab"
)

// A domain shows a copy for UNIX to nobody without control access on it, not
// even that there is one. That is said once, with exit code 2.
func TestACopyThatADomainDoesNotShowIsSaid(t *testing.T) {
	s := startDomain(t, lab.SeedAccounts("svc", 3))
	list := func(accept ...config.Accept) (told []string, roll *credential.Roll) {
		roll = listDomain(t, s, accept, "(sAMAccountName=svc*)")
		for _, w := range roll.Warnings {
			if w.Code == credential.FindingCopiesHidden {
				require.True(t, w.Code.Incomplete())
				told = append(told, w.Detail)
			}
		}
		return told, roll
	}
	told, _ := list()
	require.Empty(t, told, "bind.dn has what docs/rights.md says")

	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	copy := ldap.NewModifyRequest(s.AccountDN("svc0001"), nil)
	copy.Replace("unixUserPassword", []string{"$6$abc$def"})
	require.NoError(t, admin.Modify(copy))
	_, roll := list()
	require.Equal(t, credential.SecondCopy, byName(roll)[s.AccountDN("svc0001")].Problem)

	require.NoError(t, s.AddACE(t.Context(), s.AccountDN("svc0001"), s.BinderDN, "(OD;;CR;"+adacl.UnixUserPassword+";;%s)"))
	told, roll = list()
	require.Empty(t, byName(roll)[s.AccountDN("svc0001")].Problem, "it is not seen any more")
	require.Len(t, told, 1)
	require.Contains(t, told[0], "whether 1 of 3 accounts on the roll keeps its password a second time for UNIX (unixUserPassword: confidential)")
	require.Contains(t, told[0], `/G "DOMAIN\account:RPCA;unixUserPassword"`)

	told, _ = list(config.Accept{Directory: "ad", Finding: credential.FindingCopiesHidden, Reason: "an administrator looked"})
	require.Empty(t, told)
}
