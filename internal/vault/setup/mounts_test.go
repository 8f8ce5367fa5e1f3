package setup

import (
	"strings"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

// A mount may have several segments, and the roll may not be listed yet when
// init runs: what the file names is asked of Vault.
func TestInitAsksWhereMountsEndThoughTheRollCannotBeListed(t *testing.T) {
	vaulttest.KVMount(t, "team/mail", map[string]any{"max_versions": 10})
	c := vaulttest.NewCampaign()
	c.Sources = []config.Source{{Name: "kv", Type: config.VaultKV, Prefix: "team/mail/esg-01"}}
	c.Vault.Adopt = "team/mail/new/{directory}/{account}#password"
	c.Directories = map[string]config.Directory{"corp": {Driver: config.OpenLDAP, Bind: config.Bind{
		DN: "cn=rollcall,dc=example,dc=org", Password: credential.Path{Mount: "team", Path: "mail/bind", Field: "password"}}}}
	_, err := server.Client().KVv2("team/mail").Put(t.Context(), "bind", map[string]any{"password": "b"})
	require.NoError(t, err)
	done, err := Run(t.Context(), open(t, c, server.Address(), server.RootToken()), c, nil)
	require.NoError(t, err)
	require.NotContains(t, strings.Join(done, "\n"), "NOT THERE")

	token := vaulttest.TokenWith(t, vault.WorkerPolicy)
	s := open(t, c, server.Address(), token)
	live, err := s.ReadLive(t.Context(), c.Directories["corp"].Bind.Password, 0)
	require.NoError(t, err)
	require.Equal(t, "b", live.Value.Reveal())
	require.NoError(t, s.ListSecrets(t.Context(), "team/mail/esg-01", func(vault.SecretMeta) error { return nil }))
	require.NoError(t, RequireRights(t.Context(), s, vault.WorkerPolicy, c, nil))
	rights, _, err := missingRights(t.Context(), s, rulesOf(vault.WorkerPolicy, c, WithMounts(t.Context(), s, c, nil)))
	require.NoError(t, err)
	require.Empty(t, rights)
	for _, r := range rulesOf(vault.WorkerPolicy, c, WithMounts(t.Context(), s, c, nil)) {
		require.False(t, strings.HasPrefix(r.path, "team/data/"), r.path)
		require.False(t, r.path == "team/mail/data/*", "no more than the file names")
		if r.path == "team/mail/data/bind" {
			require.Equal(t, []string{read}, r.caps, "a single bind password is not written")
		}
	}
}

// vault.adopt is a guess unless the file says where new values go: many a Vault
// has no mount called kv.
func TestAMountForNewValuesThatIsNotThereIsToldByInitAndDoctor(t *testing.T) {
	one := "one-" + vaulttest.NewCampaign().Vault.Mount
	require.NoError(t, server.Client().Sys().MountWithContext(t.Context(), one, &vaultapi.MountInput{Type: "kv"}))
	for mount, says := range map[string]string{"nowhere": "Vault has no mount", one: "not KV version 2"} {
		c := vaulttest.NewCampaign()
		c.Vault.Adopt = mount + "/rollcall/{directory}/{account}#password"
		done, err := Run(t.Context(), open(t, c, server.Address(), server.RootToken()), c, nil)
		require.NoError(t, err)
		require.Contains(t, strings.Join(done, "\n"), says)
		require.Contains(t, strings.Join(done, "\n"), "vault: {adopt:")
		for _, token := range []credential.Secret{server.RootToken(), vaulttest.TokenWith(t, vault.WorkerPolicy)} {
			vaulttest.Environment(t, server.Address(), token)
			var wrong []Check
			for _, check := range Doctor(t.Context(), c, nil, "") {
				if !check.OK {
					wrong = append(wrong, check)
				}
			}
			require.Len(t, wrong, 1)
			require.Contains(t, wrong[0].Detail, says)
			require.Contains(t, wrong[0].Do, "vault: {adopt:")
		}
		// A worker's login must not take it for a right that it lacks.
		_, err = open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy)).Cut(t.Context(), mount+"/rollcall/corp/a")
		require.True(t, vault.IsKind(err, vault.NoMount) || vault.IsKind(err, vault.NotKV2), "%v", err)
	}
}
