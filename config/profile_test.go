package config

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/profile"
)

// The build has a profile for each type of device that was looked at, and each
// can be read by the rules of internal/profile: every line has a source, and
// what is not verified is a question.
func TestEveryProfileOfTheBuildHolds(t *testing.T) {
	require.Equal(t, []string{
		"barracuda-esg", "cisco-asa-ftd", "cisco-secure-email", "citrix-netscaler", "f5-bigip", "fortigate", "generic",
		"ivanti-connect-secure", "microsoft-exchange", "paloalto-panos", "sonicwall", "veeam",
	}, ProfileNames())
	files, err := filepath.Glob("profiles/*")
	require.NoError(t, err)
	require.Len(t, files, len(ProfileNames()), "a file that is no profile")
	for _, name := range ProfileNames() {
		p, err := BuiltInProfile(name)
		require.NoError(t, err)
		require.Equal(t, name, p.Name, "the file is called what the profile is")
		require.NotEmpty(t, p.Advice, name)
		for _, l := range p.Lines {
			require.NotEmpty(t, l.Sources, "%s: %s", name, l.ID)
			require.True(t, l.Grade.Verified() || l.Ask != "", "%s: %s is not verified and asks nothing", name, l.ID)
			for _, s := range l.Sources {
				require.NotEmpty(t, p.SourceOf(s).Read, "%s: %s", name, s)
			}
		}
	}
}

// The profile of the Barracuda ESG has every row of the research that it was
// made from, by the kind of each.
func TestTheBarracudaProfileIsWhole(t *testing.T) {
	p, err := BuiltInProfile("barracuda-esg")
	require.NoError(t, err)
	for id, kind := range map[string]credential.LineKind{
		"ldap-lookup": credential.DirectoryBind, "ldap-smtp-auth": credential.DirectoryBind,
		"smtp-auth-users": credential.PassingUserPassword, "sso-users": credential.PassingUserPassword, "admin-directory-accounts": credential.PassingUserPassword,
		"radius-secret": credential.SharedSecret, "cluster-secret": credential.SharedSecret,
		"remote-mailboxes": credential.ServiceLogin, "smart-host": credential.ServiceLogin, "syslog-target": credential.ServiceLogin,
		"built-in-admin": credential.LocalAccount, "local-accounts": credential.LocalAccount, "guest": credential.LocalAccount,
		"api-password": credential.APIKey, "mail-encryption": credential.APIKey, "snmp": credential.SNMP,
		"backup-target": credential.BackupTarget, "old-backups": credential.Content, "mail-content": credential.Content,
		"tls-key": credential.TLSKey, "dkim-key": credential.TLSKey, "saml-oidc": credential.SAMLOIDC,
		"cloud-control": credential.CloudAccount, "support-access": credential.SSHKey,
		"databases": credential.Database, "vault-logins": credential.LoginToVault,
	} {
		l, ok := p.Line(id)
		require.True(t, ok, id)
		require.Equal(t, kind, l.Kind, id)
	}
	require.Len(t, p.Lines, 26)
	for _, unverified := range []string{"guest", "smart-host", "dkim-key", "saml-oidc", "mail-encryption", "support-access", "databases", "vault-logins"} {
		l, _ := p.Line(unverified)
		require.Equal(t, profile.Unverified, l.Grade, unverified)
	}
}
