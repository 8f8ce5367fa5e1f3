package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

func TestAPlanMarksEachSecretThatIsMade(t *testing.T) {
	there, made := credential.Path{Mount: "kv", Path: "mail/relay", Field: "password"}, credential.Path{Mount: "kv", Path: "mail/rely", Field: "password"}
	roll := &credential.Roll{
		Waves: []credential.Wave{{Name: "rest"}}, Servers: map[string][]string{"corp": {"ldap://a"}},
		Credentials: []credential.Credential{{ID: "corp/1", Name: "uid=a", Authority: "corp", Kind: credential.LDAPPassword, Paths: []credential.Path{there, made}, Makes: []credential.Path{made}}},
	}
	changes := changesOf(roll)
	require.Equal(t, []planWrite{{Path: there.String()}, {Path: made.String(), New: true}}, changes[0].Writes)
	var out bytes.Buffer
	printChanges(&out, changes, 100)
	require.Contains(t, out.String(), "    ~ kv/mail/relay#password\n    + kv/mail/rely#password\n")
	require.Contains(t, sumOf("esg-01", changes), "written to 2 places in Vault, 1 of which is made new")
	require.Contains(t, paths(roll.Credentials[0]), "kv/mail/rely#password (made new: nothing is there)")

	rows := notThere([]credential.Finding{{Code: credential.FindingNewSecret, Detail: "kv/mail/rely#password"}, {Code: credential.FindingAudit}})
	require.Len(t, rows, 1)
	require.False(t, rows[0].OK)
}

// Whoever reads the password of a listed account at a place that nobody named
// would be cut off: a plan says where was looked, and that this is all.
func TestAPlanSaysWhereInVaultNobodyLooked(t *testing.T) {
	roll := &credential.Roll{Waves: []credential.Wave{{Name: "all"}}, Credentials: []credential.Credential{{ID: "corp/1", Name: "uid=a,dc=example", Kind: credential.LDAPPassword, Authority: "corp"}}}
	said := func(sources ...config.Source) string {
		var out bytes.Buffer
		p := planOf(&config.Campaign{Device: "esg-01", Sources: sources}, roll)
		require.NoError(t, p.print(&out, 400, time.UTC))
		return out.String()
	}
	require.Contains(t, said(config.Source{Type: config.VaultKV, Prefix: "kv/apps/esg-01"}), "in Vault: the passwords of these accounts were looked for only below kv/apps/esg-01, and at the places that manifests name. Who reads one elsewhere in Vault keeps the old value and is cut off")
	require.Contains(t, said(), "only at the places that manifests name")
}
