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
		{ID: "corp/1", Name: "uid=one", Kind: credential.LDAPPassword, Reasons: by("vault", "list")},
		{ID: "corp/2", Name: "uid=two", Kind: credential.LDAPPassword, Reasons: by("vault")},
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
	require.Equal(t, "source vault (line 14 of the campaign file) found 2 credentials that may be it, or ldap-smtp-auth, which has no answer either: `line: ldap-lookup` there gives it all of them; "+
		"where some are the one and some the other, name the line of each in the column line of a manifest; "+
		"source list found 1 credential that may be it, or ldap-smtp-auth, which has no answer either: you know which; if it is this, write `line: ldap-lookup` there, or ldap-lookup in the column line of its row", may("ldap-lookup"))
	require.Contains(t, may("ldap-smtp-auth"), "or ldap-lookup, which has no answer either: `line: ldap-smtp-auth`")
	require.Empty(t, may("api-password"), "a login to Vault is no API key of the box")
	for _, l := range roll.Profile.Lines {
		switch l.Line {
		case "vault-logins":
			require.Equal(t, 1, l.Matched, "the one line of its kind")
		case "ldap-lookup":
			require.Equal(t, []string{"uid=one", "uid=two"}, MayBe(roll, l), "which they are is said by name, where names may be said")
		case "tls-key":
			require.Empty(t, MayBe(roll, l))
		}
	}
	require.Empty(t, may("tls-key"))

	roll.Credentials[0].Lines = []credential.LineRef{{Line: "ldap-lookup", By: credential.BySource}}
	_, err = account(spec, roll)
	require.NoError(t, err)
	require.Empty(t, may("ldap-lookup"), "answered")
	require.Equal(t, "source vault (line 14 of the campaign file) found 1 credential that may be it: if so, write `line: ldap-smtp-auth` there", may("ldap-smtp-auth"), "the other line is answered")
	spec.Sources[0].ProfileLines = []string{"ldap-lookup"}
	_, err = account(spec, roll)
	require.NoError(t, err)
	require.Contains(t, may("ldap-smtp-auth"), "write `line: [ldap-lookup, ldap-smtp-auth]` there", "it has one already")
}
