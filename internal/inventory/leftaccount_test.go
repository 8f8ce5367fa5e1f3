package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
)

// What it means for the others that an account is left out does not depend on
// how a person did that.
func TestWhatLeavingAnAccountOutMeansIsSaidHoweverItIsDone(t *testing.T) {
	t.Parallel()
	id := "corp/" + uuidOf("bob")
	was := credential.Credential{ID: id, Kind: credential.LDAPPassword, Authority: "corp", Subject: uuidOf("bob"), Name: person("bob").Name,
		Reasons: []credential.Reason{{Source: "gone", Type: "directory", Detail: "tag"}}}
	ways := map[string]struct {
		exclude config.Exclude
		found   string // empty: an earlier campaign left it
	}{
		"by account":               {config.Exclude{Account: "bob", Reason: "later"}, "a bob kv/x/bob#password"},
		"by path":                  {config.Exclude{Path: "kv/x/bob#password", Reason: "later"}, "a bob kv/x/bob#password"},
		"by document":              {config.Exclude{Path: "kv/x/bob", Reason: "later"}, "a bob kv/x/bob#password"},
		"by campaign":              {config.Exclude{Campaign: "c1", Reason: "later"}, ""},
		"by a path of an old name": {config.Exclude{Path: "kv/x/bob#password", Reason: "later"}, "a " + person("bob").Name + " kv/x/bob#password"},
	}
	reads := directory.Resets{Readers: []string{uuidOf("bob")}, ReadsHow: directory.ReadsReplicated}
	resets := directory.Resets{Alike: []directory.Alike{{Accounts: []string{uuidOf("alice"), uuidOf("bob")}, By: []string{uuidOf("bob")}}}}
	traits := map[string]struct {
		lost unfound
		code credential.FindingCode
		says string
	}{
		"logs in to Vault": {unfound{logins: map[string][]credential.VaultLogin{id: {{Mount: "corp-ldap", Names: []string{"bob"}}}}},
			credential.FindingLoginExcluded, "is a login to Vault and is left out (later)"},
		"reads others": {unfound{resets: map[string]directory.Resets{"corp": reads}}, credential.FindingReadsOthers, "and is left out (later)"},
		"resets others": {unfound{resets: map[string]directory.Resets{"corp": resets}}, credential.FindingResetsOthers,
			"may set the passwords of 1 other account of the roll, and is left out (later)"},
		"resets others of a server": {unfound{around: map[string]authority.Seen{"corp": {Resets: map[string]string{uuidOf("bob"): "CREATEROLE"}}}}, credential.FindingResetsOthers,
			"may set the passwords of 1 other account of the roll, and is left out (later)"},
		"nothing": {},
	}
	for trait, is := range traits {
		for way, of := range ways {
			t.Run(trait+" "+way, func(t *testing.T) {
				c := campaign()
				c.Exclude = []config.Exclude{of.exclude}
				found := []Candidate{from(t, "a alice kv/x/alice#password")}
				lost := is.lost
				if of.found == "" {
					lost.past.kept = []kept{{Credential: was, campaign: "c1"}}
				} else {
					found = append(found, from(t, of.found))
				}
				roll, warnings, err := mergeAll(c, found, people(), nil, lost)
				require.NoError(t, err)
				require.Len(t, roll.Credentials, 1)
				require.Equal(t, person("alice").Name, roll.Credentials[0].Name)
				require.Len(t, roll.Excluded, 1)
				if is.code == "" {
					require.Empty(t, warnings)
					return
				}
				require.Len(t, warnings, 1)
				require.Equal(t, is.code, warnings[0].Code)
				require.Contains(t, warnings[0].Detail, is.says)
			})
		}
	}
}

// One that stays on the roll by another place is asked, and one whose name is
// another's as well may be either.
func TestAPathThatIsLeftOutMeansWhomItsNameMayMean(t *testing.T) {
	t.Parallel()
	lost := unfound{logins: map[string][]credential.VaultLogin{}}
	for _, id := range []string{uuidOf("bob"), uuidOf("plant")} {
		lost.logins["corp/"+id] = []credential.VaultLogin{{Mount: "corp-ldap", Names: []string{"x"}}}
	}
	c := campaign()
	c.Exclude = []config.Exclude{{Path: "kv/x/bob#password", Reason: "a leftover"}, {Path: "kv/x/svc#password", Reason: "later"}}
	roll, warnings, err := mergeAll(c, []Candidate{from(t, "a bob kv/x/bob#password"), from(t, "b bob kv/y/bob#password"), from(t, "a svc kv/x/svc#password")}, people(), nil, lost)
	require.NoError(t, err)
	require.Len(t, roll.Credentials, 1)
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0].Detail, svc("plant").Name+" is a login to Vault and is left out (later)")
}
