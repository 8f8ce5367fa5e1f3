package inventory

import (
	"context"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/lab"
)

// What Vault would delete by itself is seen by the listing, by whichever
// setting, at whichever path the new value would go to, before anything is set.
func TestTheListingSeesWhatVaultWouldDeleteByItself(t *testing.T) {
	servers(t)
	require.NoError(t, realVault.Client().Sys().MountWithContext(t.Context(), "fleeting", &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	require.Eventually(t, func() bool { // a new mount is set up in the background
		_, err := realVault.Client().Logical().WriteWithContext(t.Context(), "fleeting/config", map[string]any{"max_versions": 10})
		return err == nil
	}, 5*time.Minute, 20*time.Millisecond)
	names := []string{"mounts", "secrets", "absent", "bare", "mended", "plain", "adopted", "deleted"}
	var accounts []lab.Account
	for _, name := range names {
		accounts = append(accounts, lab.Account{UID: name, Password: "stolen-" + name})
	}
	s, _ := oddSlapd(t, accounts...)
	holds := map[string]any{"data": map[string]any{"password": "x"}}
	write(t, "fleeting/data/mounts", holds)
	write(t, "kv/data/keeps/secrets", holds)
	write(t, "kv/data/keeps/plain", holds)
	write(t, "kv/data/keeps/deleted", holds)
	_, err := realVault.Client().Logical().DeleteWithContext(t.Context(), "kv/data/keeps/deleted")
	require.NoError(t, err)
	write(t, "kv/metadata/keeps/secrets", map[string]any{"delete_version_after": "2h"})
	write(t, "kv/metadata/keeps/bare", map[string]any{"delete_version_after": "2h"})
	write(t, "kv/metadata/keeps/mended", map[string]any{"delete_version_after": "2h"})
	write(t, "kv/data/keeps/mended", holds)
	write(t, "kv/metadata/keeps/mended", map[string]any{"delete_version_after": "0s"})
	write(t, "fleeting/config", map[string]any{"delete_version_after": "1h"})

	c := campaign()
	c.Vault.Adopt = "fleeting/rollcall/{directory}/{account}#password"
	c.Sources = []config.Source{manifestSource("account,path", "mounts,fleeting/mounts#password", "absent,fleeting/absent#password", "secrets,kv/keeps/secrets#password",
		"bare,kv/keeps/bare#password", "mended,kv/keeps/mended#password", "plain,kv/keeps/plain#password", "deleted,kv/keeps/deleted#password", "adopted,")}
	d := slapdDirectory(s)
	c.Directories["corp"] = d
	client, err := directory.Open("corp", d, func(context.Context) (credential.Secret, error) {
		return credential.NewSecret(s.BinderPassword), nil
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	list := func(token string) *credential.Roll {
		t.Helper()
		roll, _, err := listIn(t.Context(), c, map[string]Directory{"corp": client}, openVault(t, token), "c", time.Now())
		require.NoError(t, err)
		return roll
	}
	open := map[string]string{
		"mounts": "vault write fleeting/config delete_version_after=0s", "absent": "vault write fleeting/config", "adopted": "vault write fleeting/config",
		"deleted": "vault write fleeting/config", // its new value would go to Rollcall's own path
		"secrets": "vault kv metadata put -mount=kv -delete-version-after=0s keeps/secrets", "bare": "vault kv metadata put -mount=kv",
	}
	root := list(realVault.RootToken().Reveal())
	for _, name := range names {
		cred := byName(root)["uid="+name+",ou=people,"+s.BaseDN()]
		if mend, is := open[name]; is {
			require.Equal(t, credential.DeletesItself, cred.Problem, name)
			require.Contains(t, details(root, cred.ID, credential.FindingPlace), mend, name)
			require.NotContains(t, details(root, cred.ID, credential.FindingPlace), "exclude:", "a person named it, or Rollcall did")
		} else {
			require.Empty(t, cred.Problem, "%s: what it writes stays", name)
		}
	}
	require.Contains(t, warned(root), "fleeting/, where Rollcall's own paths are (vault.adopt), deletes what is written after 1h0m0s")

	// Who may not read the settings of a mount goes by those of the secret, and
	// who may read neither by the present version.
	write(t, "sys/policies/acl/no-settings", map[string]any{"policy": `path "+/data/*" { capabilities = ["read"] }
path "kv/metadata/*" { capabilities = ["read", "list"] }
path "rollcall/*" { capabilities = ["read", "list"] }
path "sys/auth" { capabilities = ["read"] }
path "auth/+/users" { capabilities = ["list"] }`})
	got, err := realVault.Client().Auth().Token().CreateWithContext(t.Context(), &vaultapi.TokenCreateRequest{Policies: []string{"no-settings"}})
	require.NoError(t, err)
	some := byName(list(got.Auth.ClientToken))
	for name, problem := range map[string]credential.Problem{"secrets": credential.DeletesItself, "bare": credential.DeletesItself, "plain": "", "mounts": "", "mended": credential.DeletesItself} {
		require.Equal(t, problem, some["uid="+name+",ou=people,"+s.BaseDN()].Problem, name)
	}
}

func warned(roll *credential.Roll) (out string) {
	for _, w := range roll.Warnings {
		out += w.Detail + "\n"
	}
	return out
}
