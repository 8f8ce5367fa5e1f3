package inventory

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// A path that a list names for an account which is not there has an owner: the
// words are about him, and name the row.
func TestAPathThatARowNamesIsNotSaidToHaveNoOwner(t *testing.T) {
	row := from(t, "list STRASSE kv/x/n1#bindpw")
	row.Reason.Detail = "n.csv:2, by hand"
	kv := func(path string, any bool) Candidate {
		c := from(t, "vault - "+path)
		c.Reason.Type, c.AnyField = config.VaultKV, any
		return c
	}
	for _, found := range [][]Candidate{{row, kv("kv/x/n1#password", true)}, {kv("kv/x/n1#bindpw", false), row}, {kv("kv/x/n1#password", true), row, kv("kv/x/n1#bindpw", false)}} {
		roll, _, err := merge(campaign(), found, people(), nil)
		require.NoError(t, err)
		require.Len(t, roll.Credentials, 1)
		line := roll.Credentials[0]
		require.Equal(t, credential.NoAccount, line.Problem)
		require.Equal(t, "kv/x/n1#bindpw", pathList(line.Paths))
		require.Contains(t, line.Reasons, found[0].Reason, "what else names the path stays evidence")
		require.Equal(t, []credential.Finding{{Code: credential.FindingNoAccount, Detail: `the account "STRASSE" (n.csv:2, by hand) is not in corp: deleted, renamed, outside the base, or mistyped`}}, roll.Findings[line.ID])
	}
	// Another field of the secret, which is named as such, is another matter.
	roll, _, err := merge(campaign(), []Candidate{row, kv("kv/x/n1#apikey", false)}, people(), nil)
	require.NoError(t, err)
	require.Len(t, roll.Credentials, 2)
}

// Its entry is called cn=…, and nobody logs in by that.
func TestAnAccountThatIsNamedByTheBeginningOfItsDNIsPointedOut(t *testing.T) {
	const dn = "cn=mgw-02,ou=appliances,dc=example,dc=org"
	known := people()
	known[reference{"corp", dnKey(dn)}] = []Account{{Subject: uuidOf("mgw"), Name: dn}}
	roll, _, err := merge(campaign(), []Candidate{from(t, "found "+dn+" kv/x/alice#password"), from(t, "list mgw-02 kv/x/node-a#password")}, known, nil)
	require.NoError(t, err)
	i := slices.IndexFunc(roll.Credentials, func(c credential.Credential) bool { return c.Problem == credential.NoAccount })
	require.GreaterOrEqual(t, i, 0)
	require.Equal(t, []credential.Finding{{Code: credential.FindingNoAccount, Detail: `no account of corp logs in as "mgw-02" (list mgw-02 kv/x/node-a#password); cn=mgw-02,ou=appliances,dc=example,dc=org is on the roll, whose name begins with that: if it is meant, write its DN`}}, roll.Findings[roll.Credentials[i].ID])
}
