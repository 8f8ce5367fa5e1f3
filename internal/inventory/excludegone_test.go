package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// A schedule excludes what is gone by itself later: a token expires, somebody
// deletes an AppRole, a user or a secret. Nobody has to edit the file for the
// others to be rotated, and no run ends with exit code 2 because of it. A slip
// that no campaign ever took off anything is told as before.
func TestAnExcludeOfWhatHasEndedByItselfIsNoSlip(t *testing.T) {
	sources := []config.Source{{Name: "manifest", Type: config.Manifest, File: "m.csv"}, {Name: "kv", Type: config.VaultKV, Prefix: "kv/x"}}
	token := Candidate{Kind: credential.VaultToken, Authority: credential.VaultAuthority, Account: "token/abc", Reason: credential.Reason{Source: "manifest", Type: config.Manifest}}
	role, kv := from(t, "manifest approle/esg -"), from(t, "kv - kv/x/gone#password")
	kv.Reason.Type = config.VaultKV
	names := from(t, "kv bob kv/x/gone#password")
	names.Reason.Type = config.VaultKV
	like := from(t, "manifest alice kv/x/gome#password")
	for name, tc := range map[string]struct {
		found   Candidate
		exclude config.Exclude
	}{
		"a token":         {token, config.Exclude{Account: "token/abc"}},
		"an AppRole":      {role, config.Exclude{Account: "approle/esg"}},
		"a secret":        {kv, config.Exclude{Path: "kv/x/gone#password"}},
		"a whole secret":  {kv, config.Exclude{Path: "kv/x/gone"}},
		"one that names":  {names, config.Exclude{Path: "kv/x/gone"}},
		"an account":      {from(t, "manifest bob -"), config.Exclude{Account: "bob"}},
		"an account's DN": {from(t, "manifest bob -"), config.Exclude{Account: person("bob").Name}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.exclude.Reason = "asked"
			c := campaign()
			c.Sources, c.Exclude = sources, []config.Exclude{tc.exclude}
			list := func(there bool, before past) (*credential.Roll, []Warning) {
				before.choose(c)
				known := people()
				known[reference{credential.VaultAuthority, "token/abc"}] = []Account{tokenAccount("abc")}
				found := []Candidate{like}
				if there {
					found = append(found, tc.found)
				} else if tc.found.Path == nil {
					for _, gone := range []reference{{credential.VaultAuthority, "token/abc"}, {credential.VaultAuthority, "approle/esg"},
						{"corp", accountKey("bob")}, {"corp", accountKey(person("bob").Name)}, {"corp", accountKey(person("bob").Subject)}} {
						delete(known, gone)
					}
				}
				roll, warnings, err := mergeAll(c, found, known, nil, unfound{past: before})
				require.NoError(t, err)
				return roll, warnings
			}
			roll, _ := list(true, past{})
			require.Len(t, roll.Excluded, 1)
			require.Len(t, roll.Credentials, 1)
			for n := range 3 { // each campaign knows the one before it
				last := &ownmount.LastRoll{Campaign: "c", Credentials: roll.Credentials, Excluded: roll.Excluded, Dead: map[string]bool{}, Sources: sources}
				var warnings []Warning
				roll, warnings = list(false, past{last: last})
				for _, w := range warnings {
					require.NotContains(t, []credential.FindingCode{credential.FindingExcludeNothing, credential.FindingExcludeMistyped}, w.Code, "campaign %d: %s", n, w.Detail)
				}
				require.Len(t, roll.Credentials, 1, "nothing but what is there is on the roll: %v", roll.Credentials)
			}
		})
	}
	c := campaign()
	c.Sources, c.Exclude = sources, []config.Exclude{{Path: "kv/x/gone#password", Reason: "asked"}}
	_, warnings, err := mergeAll(c, []Candidate{like}, people(), nil, unfound{})
	require.NoError(t, err)
	require.Equal(t, credential.FindingExcludeMistyped, warnings[0].Code)
}
