package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// withProfile gives a campaign the profile of a mail gateway.
func withProfile(t *testing.T, c *config.Campaign) *config.Campaign {
	t.Helper()
	p, err := config.BuiltInProfile("barracuda-esg")
	require.NoError(t, err)
	c.Profile = p
	return c
}

// A source, a row and a secret's metadata say which lines of the profile they
// answer, and each is kept with whoever says it.
func TestSourcesSayWhichLinesOfTheProfileTheyAnswer(t *testing.T) {
	c := withProfile(t, &config.Campaign{Directories: map[string]config.Directory{"corp": {Driver: config.OpenLDAP}}})
	s := config.Source{Name: "list", Type: config.Manifest, File: "m.csv", ProfileLines: []string{"ldap-lookup"},
		Content: []byte("account,line\nuid=a,ldap-smtp-auth backup-target\nuid=b,\n")}
	var got []Candidate
	require.NoError(t, manifest(c, s, func(f Candidate) { got = append(got, f) }))
	require.Equal(t, []credential.LineRef{{Line: "ldap-lookup", By: credential.BySource}, {Line: "ldap-smtp-auth", By: credential.ByManifest}, {Line: "backup-target", By: credential.ByManifest}}, got[0].Lines)
	require.Equal(t, []credential.LineRef{{Line: "ldap-lookup", By: credential.BySource}}, got[1].Lines)

	kv := fromMetadata(c, config.Source{Type: config.VaultKV}, vault.SecretMeta{Mount: "kv", Path: "a", Custom: map[string]string{"account": "a", "line": "ldap-lookup ldap-lokup"}})
	require.Equal(t, []credential.LineRef{{Line: "ldap-lookup", By: credential.ByMetadata}}, kv.Lines)
	require.Contains(t, kv.UnknownLine, "did you mean ldap-lookup?")

	// Without a profile, what metadata says of lines means nothing.
	c.Profile = nil
	require.Empty(t, fromMetadata(c, config.Source{Type: config.VaultKV}, vault.SecretMeta{Custom: map[string]string{"account": "a", "line": "x"}}).Lines)
}

func TestARowThatNamesALineThatIsNotThereIsAMistake(t *testing.T) {
	c := withProfile(t, &config.Campaign{Directories: map[string]config.Directory{"corp": {Driver: config.OpenLDAP}}})
	s := config.Source{Name: "list", Type: config.Manifest, File: "m.csv", Content: []byte("account,line\nuid=a,ldap-lokup\nuid=b,Pl4nted!{}secret=+\n")}
	err := manifest(c, s, func(Candidate) {})
	require.ErrorContains(t, err, "m.csv:2: line: profile barracuda-esg has no line ldap-lokup; did you mean ldap-lookup?")
	require.ErrorContains(t, err, "m.csv:3: line: profile barracuda-esg has no line (of other characters)")
	require.NotContains(t, err.Error(), "Pl4nted")
	c.Profile = nil
	require.ErrorContains(t, manifest(c, s, func(Candidate) {}), "m.csv:2: line: names a line of a profile, and the campaign file names no profile")
}

// Several sources find one account: it answers the lines of all of them, once.
func TestTheLinesOfAnAccountAreThoseOfAllThatFoundIt(t *testing.T) {
	l := &draft{}
	l.found(Candidate{Lines: []credential.LineRef{{Line: "b", By: credential.BySource}, {Line: "a", By: credential.BySource}}})
	l.reason(Candidate{Lines: []credential.LineRef{{Line: "a", By: credential.BySource}, {Line: "a", By: credential.ByMetadata}}, UnknownLine: "no line c"})
	l.tidy()
	require.Equal(t, []credential.LineRef{{Line: "a", By: credential.ByMetadata}, {Line: "a", By: credential.BySource}, {Line: "b", By: credential.BySource}}, l.Lines)
	require.Equal(t, credential.FindingUnknownLine, l.findings[0].Code)
}

// A prefix in Vault holds accounts beside logins to Vault. Its line is theirs
// that can be what it is about; one that nothing of its source fits stays a
// mistake, whatever another source finds.
func TestALineOfASourceIsForWhatItFits(t *testing.T) {
	c := withProfile(t, campaign())
	c.Sources = []config.Source{{Name: "vault", ProfileLines: []string{"ldap-lookup"}}, {Name: "logins", ProfileLines: []string{"ldap-lookup"}}}
	found := []Candidate{from(t, "vault alice kv/a#p"), from(t, "vault approle/esg kv/b#p"), from(t, "vault bob -"), from(t, "list bob kv/c#p")}
	for i := range found[:3] {
		found[i].Lines = []credential.LineRef{{Line: "ldap-lookup", By: credential.BySource}}
	}
	lines := func(found []Candidate) map[string]int {
		t.Helper()
		roll, _, err := merge(c, found, people(), ownIdentities{})
		require.NoError(t, err)
		out := map[string]int{}
		for _, one := range roll.Credentials {
			out[one.Name] = len(one.Lines)
		}
		return out
	}
	alice, bob := person("alice").Name, person("bob").Name
	require.Equal(t, map[string]int{alice: 1, bob: 1, "approle/esg": 0}, lines(found))

	alone := from(t, "logins approle/esg -")
	alone.Lines = found[0].Lines
	require.Equal(t, map[string]int{alice: 1, bob: 1, "approle/esg": 1}, lines(append(found, alone)), "nothing of source logins can be it: said, not passed over")
}
