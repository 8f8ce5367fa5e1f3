package listing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// Where a profile has two lines of a kind, nobody but a person knows which of
// them an account is: the advice is the very line to write, and where.
func TestWhatMayAnswerALineIsSaidWithTheLineToWrite(t *testing.T) {
	p, err := config.BuiltInProfile("barracuda-esg")
	require.NoError(t, err)
	spec := &config.Campaign{Device: "esg-01", Profile: p, AnswersFile: "answers.yaml", Sources: []config.Source{
		{Name: "vault", Type: config.VaultKV, Line: 14}, {Name: "list", Type: config.Manifest}}}
	by := func(sources ...string) (out []credential.Reason) {
		for _, s := range sources {
			out = append(out, credential.Reason{Source: s, Detail: "one"}, credential.Reason{Source: s, Detail: "two"})
		}
		return out
	}
	roll := &credential.Roll{Findings: map[string][]credential.Finding{}, Credentials: []credential.Credential{
		{ID: "corp/1", Kind: credential.LDAPPassword, Reasons: by("vault", "list")},
		{ID: "corp/2", Kind: credential.LDAPPassword, Reasons: by("vault")},
		{ID: "corp/3", Kind: credential.LDAPPassword, Reasons: by("vault"), Own: true},
		{ID: "vault/approle/x", Kind: credential.AppRoleSecretID, Reasons: by("vault")},
	}}
	_, err = account(spec, roll)
	require.NoError(t, err)
	may := func(id string) string {
		for _, l := range roll.Profile.Lines {
			if l.Line == id {
				return l.May
			}
		}
		return "no such line"
	}
	require.Equal(t, "source vault (line 14 of the campaign file) found 2 credentials that may be it: if so, write `line: ldap-lookup` there; "+
		"source list found 1 credential that may be it: if so, write `line: ldap-lookup` there, or ldap-lookup in the column line of its rows", may("ldap-lookup"))
	require.Contains(t, may("ldap-smtp-auth"), "`line: ldap-smtp-auth`")
	require.Contains(t, may("api-password"), "found 1 credential")
	require.Empty(t, may("tls-key"))

	roll.Credentials[0].Lines = []credential.LineRef{{Line: "ldap-lookup", By: credential.BySource}}
	_, err = account(spec, roll)
	require.NoError(t, err)
	require.Empty(t, may("ldap-lookup"), "answered")
	require.Contains(t, may("ldap-smtp-auth"), "vault (line 14 of the campaign file) found 1 credential ")
	spec.Sources[0].ProfileLines = []string{"ldap-lookup"}
	_, err = account(spec, roll)
	require.NoError(t, err)
	require.Contains(t, may("api-password"), "write `line: [ldap-lookup, api-password]` there", "it has one already")
}
