package inventory

import (
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
