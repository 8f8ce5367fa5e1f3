package directory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/directory/adacl"
	"rollcall/internal/lab"
)

// accountsAreLookedAt runs on the domain of TestActiveDirectory.
func accountsAreLookedAt(t *testing.T, s *lab.Samba) {
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	elsewhere := "CN=elsewhere,CN=Users," + s.BaseDN()
	req := ldap.NewAddRequest(elsewhere, nil)
	req.Attribute("objectClass", []string{"user"})
	req.Attribute("sAMAccountName", []string{"elsewhere"})
	require.NoError(t, admin.Add(req))

	c := open(t, domainOf(s), s.BinderPassword)
	ids := map[string]string{} // by DN
	require.NoError(t, c.Search(t.Context(), s.LDAPS(), "", "(&(objectClass=user)(!(objectClass=computer)))", nil, func(e Entry) error {
		ids[e.DN] = e.ID
		return nil
	}))
	var delegated []string
	for dn, id := range ids {
		if strings.HasSuffix(dn, s.ServicesDN()) {
			delegated = append(delegated, id)
		}
	}
	require.GreaterOrEqual(t, len(delegated), 5)

	got := byWhat(c.Check(t.Context(), delegated...))
	require.True(t, got["rights"].OK, "%+v", got["rights"])
	require.True(t, got["protected"].OK, "%+v", got["protected"])
	require.NotContains(t, got, "copies")
	require.NoError(t, s.AddACE(t.Context(), s.AccountDN("svc0001"), s.BinderDN, "(OD;;CR;"+adacl.UnixUserPassword+";;%s)"))
	hidden := byWhat(c.Check(t.Context(), delegated...))["copies"]
	require.True(t, hidden.NotChecked, "%+v", hidden)
	require.Contains(t, hidden.Detail, fmt.Sprintf("whether 1 of %d accounts", len(delegated)))
	require.Contains(t, hidden.Detail, "(unixUserPassword: confidential)")

	got = byWhat(c.Check(t.Context(), append(delegated, ids[elsewhere], ids[s.AdminDN])...))
	require.False(t, got["rights"].OK)
	require.Contains(t, got["rights"].Detail, "on 1 of ")
	require.Contains(t, got["rights"].Detail, elsewhere)
	require.NotContains(t, got["rights"].Detail, s.AdminDN)
	require.Contains(t, got["rights"].Do, "dsacls")
	require.False(t, got["protected"].OK)
	require.Contains(t, got["protected"].Detail, s.AdminDN)
	require.Contains(t, got["protected"].Do, "CN=AdminSDHolder,CN=System,DC=ad,DC=example,DC=org")

	// More than fit into one search.
	many := make([]string, 3*accountsChunk)
	for i := range many {
		many[i] = delegated[0]
	}
	got = byWhat(c.Check(t.Context(), append(many, ids[elsewhere])...))
	require.Contains(t, got["rights"].Detail, "on 1 of 4 accounts")
}

func TestADomainIsNamedByTheEndOfItsBase(t *testing.T) {
	require.Equal(t, "DC=ad,DC=example,DC=org", domainDN("ou=Services,dc=ad,DC=Example,dc=org"))
	require.Equal(t, "ad.example.org", config.Domain("ou=Services,dc=ad,DC=Example,dc=org"))
}
