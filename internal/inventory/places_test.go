package inventory

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// fromVault is a candidate that nothing but a secret's own metadata makes.
func fromVault(account, path string) Candidate {
	return Candidate{Kind: credential.LDAPPassword, Authority: "corp", Account: account, AnyField: true,
		Path:   &credential.Path{Mount: "kv", Path: path, Field: "password"},
		Reason: credential.Reason{Source: "vault", Type: config.VaultKV, Detail: "kv/" + path}}
}

// Whoever writes Vault's part of the device can name one account in any number
// of secrets, with names as long as Vault takes: the roll's entry must fit into
// the ledger.
func TestWhatGathersManyPathsIsOneCredentialsTroubleAndFitsIntoTheLedger(t *testing.T) {
	for name, long := range map[string]int{"short": 1, "long": 3000} {
		found := []Candidate{from(t, "list bob kv/bob#password")}
		for i := range 400 {
			found = append(found, fromVault("alice", fmt.Sprintf("apps/%s%03d", strings.Repeat("x", long), i)))
		}
		roll, _, err := merge(campaign(), found, people(), nil)
		require.NoError(t, err)
		require.Len(t, roll.Credentials, 2)
		for _, c := range roll.Credentials {
			if c.Name == person("bob").Name {
				require.Empty(t, c.Problem, name)
				continue
			}
			require.Equal(t, credential.TooManyPaths, c.Problem, name)
			text, err := json.Marshal(c)
			require.NoError(t, err)
			require.Less(t, len(text), 60_000, name)
			for _, f := range roll.Findings[c.ID] {
				require.Less(t, len(f.Detail), 60_000)
			}
		}
	}
}

func TestWhoseAPathIsByWhoNamesIt(t *testing.T) {
	told, _, err := merge(campaign(), []Candidate{fromVault("alice", "apps/a"), from(t, "list alice -")}, people(), nil)
	require.NoError(t, err)
	c := told.Credentials[0]
	require.False(t, c.Hearsay, "a person's list ties it")
	require.Empty(t, c.Named, "and nobody but the secret names the path")
	require.NotNil(t, c.Spare)
	require.Contains(t, c.Spare.Path, c.Subject, "nobody else's value can lie there")

	alone, _, err := merge(campaign(), []Candidate{fromVault("alice", "apps/a")}, people(), nil)
	require.NoError(t, err)
	require.True(t, alone.Credentials[0].Hearsay)
	require.Nil(t, alone.Credentials[0].Spare, "nothing is set on the secret's own word")

	// A thief says of the path of another account that it is alice's.
	both, _, err := merge(campaign(), []Candidate{fromVault("alice", "apps/b"), from(t, "list bob kv/apps/b#password")}, people(), nil)
	require.NoError(t, err)
	for _, c := range both.Credentials {
		if c.Name == person("bob").Name {
			require.Empty(t, c.Problem, "it does not keep bob's from being rotated")
			require.Len(t, c.Paths, 1)
		} else {
			require.Equal(t, credential.Unproved, c.Problem)
		}
	}

	c2 := campaign()
	c2.Confirm = []config.Confirm{{Account: "alice", Path: credential.Path{Mount: "kv", Path: "apps/a", Field: "password"}, Reason: "asked"}}
	confirmed, _, err := merge(c2, []Candidate{fromVault("alice", "apps/a")}, people(), nil)
	require.NoError(t, err)
	require.Equal(t, confirmed.Credentials[0].Paths, confirmed.Credentials[0].Confirmed)
	require.False(t, confirmed.Credentials[0].Hearsay)
}
