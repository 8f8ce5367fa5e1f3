package setup

import (
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

func TestSetupOnANewVaultMakesAllAndASecondTimeChangesNothing(t *testing.T) {
	c := vaulttest.NewCampaign()
	s := open(t, c, server.Address(), server.RootToken())
	first, err := Run(t.Context(), s, c, nil)
	require.NoError(t, err)
	require.Contains(t, first, "mount "+c.Vault.Mount+"/ (kv) made")
	require.Contains(t, first, "key "+c.Vault.Transit+"/keys/ledger (ed25519, not exportable) made")
	vkey, err := s.VerifierKey(t.Context(), "o")
	require.NoError(t, err)

	second, err := Run(t.Context(), s, c, nil)
	require.NoError(t, err)
	require.Len(t, second, len(first))
	for _, line := range second {
		require.NotContains(t, line, "made")
	}
	again, err := s.VerifierKey(t.Context(), "o")
	require.NoError(t, err)
	require.Equal(t, vkey, again)

	key, err := server.Client().Logical().ReadWithContext(t.Context(), c.Vault.Transit+"/keys/ledger")
	require.NoError(t, err)
	require.Equal(t, []any{false, false}, []any{key.Data["exportable"], key.Data["deletion_allowed"]})
}

func TestSetupRefusesWhatIsInTheWay(t *testing.T) {
	admin := server.Client()
	for _, row := range []struct {
		name    string
		prepare func(t *testing.T, c *config.Campaign)
		want    string
	}{
		{"a KV version 1 mount", func(t *testing.T, c *config.Campaign) {
			require.NoError(t, admin.Sys().MountWithContext(t.Context(), c.Vault.Mount, &vaultapi.MountInput{Type: "kv"}))
		}, "needs a kv2 mount"},
		{"another engine at the transit mount", func(t *testing.T, c *config.Campaign) {
			require.NoError(t, admin.Sys().MountWithContext(t.Context(), c.Vault.Transit, &vaultapi.MountInput{Type: "kv"}))
		}, "needs a transit mount"},
		{"a ledger key that can be exported", func(t *testing.T, c *config.Campaign) {
			require.NoError(t, admin.Sys().MountWithContext(t.Context(), c.Vault.Transit, &vaultapi.MountInput{Type: "transit"}))
			_, err := admin.Logical().WriteWithContext(t.Context(), c.Vault.Transit+"/keys/ledger", map[string]any{"type": "ed25519", "exportable": true})
			require.NoError(t, err)
		}, "not exportable"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := vaulttest.NewCampaign()
			row.prepare(t, c)
			_, err := Run(t.Context(), open(t, c, server.Address(), server.RootToken()), c, nil)
			require.ErrorContains(t, err, row.want)
		})
	}
	c := vaulttest.NewCampaign()
	_, err := Run(t.Context(), open(t, c, server.Address(), vaulttest.TokenWith(t, "default")), c, nil)
	denied(t, err)
}

func TestDoctorFindsNothingWrongWithTheRolesThatSetupMakes(t *testing.T) {
	_, _, c := restricted(t, vault.WorkerPolicy)
	for _, policy := range []string{vault.WorkerPolicy, vault.LedgerPolicy, vault.OperatorPolicy} {
		roleID, file := vaulttest.NewAppRole(t, policy, nil)
		vaulttest.AsAppRole(t, roleID, file)
		checks := Doctor(t.Context(), c, nil, "")
		want := 8 // of which one is another role's rights, not looked at
		switch policy {
		case vault.WorkerPolicy:
			want += 2 // the password policy that the file names is tried, and the mounts that it names
		case vault.OperatorPolicy:
			want++ // two other roles
		}
		require.Len(t, checks, want)
		for _, ch := range checks {
			require.True(t, ch.OK, "%+v", ch)
			require.Empty(t, ch.Do)
		}
	}
}

func TestDoctorSaysWhatIsWrongAndWhatToDo(t *testing.T) {
	_, _, c := restricted(t, vault.WorkerPolicy)
	c.Limits.Deadline = config.Duration(4 * time.Hour)
	ca, err := lab.NewCA()
	require.NoError(t, err)
	sealed, err := lab.StartVault(t.Context(), lab.VaultOptions{Dir: t.TempDir(), CA: ca})
	require.NoError(t, err)
	defer sealed.Kill()
	require.NoError(t, sealed.Seal(t.Context()))
	short, err := server.Client().Auth().Token().CreateWithContext(t.Context(), &vaultapi.TokenCreateRequest{
		TTL: "1h", Renewable: new(bool), Policies: []string{vault.WorkerPolicy}})
	require.NoError(t, err)

	for _, row := range []struct {
		name   string
		set    func(t *testing.T)
		check  string
		detail string
	}{
		{"nobody there", func(t *testing.T) { t.Setenv("VAULT_ADDR", "http://127.0.0.1:1") }, "vault reachable", "no answer"},
		{"sealed", func(t *testing.T) {
			t.Setenv("VAULT_ADDR", sealed.Address())
			t.Setenv("VAULT_CACERT", sealed.CAFile())
		}, "vault unsealed", "sealed"},
		{"http where TLS is spoken", func(t *testing.T) {
			t.Setenv("VAULT_ADDR", strings.Replace(sealed.Address(), "https://", "http://", 1))
		}, "vault reachable", "VAULT_ADDR says http://, and what answers there speaks TLS: write https://"},
		{"the address of a browser", func(t *testing.T) { t.Setenv("VAULT_ADDR", server.Address()+"/ui/vault") }, "vault environment",
			"VAULT_ADDR has a path, /ui…, that is no part of it: write " + server.Address()},
		{"certificate not checked", func(t *testing.T) { t.Setenv("VAULT_SKIP_VERIFY", "1") }, "vault certificate", "VAULT_SKIP_VERIFY"},
		{"no login", func(t *testing.T) { t.Setenv("VAULT_TOKEN", "") }, "vault login", "no login"},
		{"a token that is no more", func(t *testing.T) { t.Setenv("VAULT_TOKEN", "hvs.gone") }, "vault login", "expired or revoked"},
		{"a token that ends too early", func(t *testing.T) { t.Setenv("VAULT_TOKEN", short.Auth.ClientToken) }, "vault login", "cannot be renewed"},
		{"a missing right", func(t *testing.T) { t.Setenv("VAULT_TOKEN", vaulttest.TokenWith(t, "default").Reveal()) }, "vault rights",
			"create, read, update is missing on "},
	} {
		t.Run(row.name, func(t *testing.T) {
			vaulttest.Environment(t, server.Address(), server.RootToken())
			row.set(t)
			var hit bool
			for _, ch := range Doctor(t.Context(), c, []credential.Credential{}, "") {
				if ch.What == row.check && !ch.OK {
					require.NotEmpty(t, ch.Do)
					hit = hit || strings.Contains(ch.Detail, row.detail)
				}
			}
			require.True(t, hit)
		})
	}
}

// A mount that was there before may delete what is staged on it while that is
// the only copy.
func TestAMountThatDeletesWhatIsWrittenToItIsSetRightByInitAndRefusedBefore(t *testing.T) {
	c := vaulttest.NewCampaign()
	s := open(t, c, server.Address(), server.RootToken())
	require.False(t, OwnMount(t.Context(), s).OK)
	require.Contains(t, OwnMount(t.Context(), s).Detail, "there is no KV v2 mount "+c.Vault.Mount+"/: Rollcall was not set up here")
	require.ErrorContains(t, RequireRights(t.Context(), s, vault.WorkerPolicy, c, nil), "run `rollcall init`")

	require.NoError(t, server.Client().Sys().MountWithContext(t.Context(), c.Vault.Mount, &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	require.Eventually(t, func() bool {
		_, err := server.Client().Logical().WriteWithContext(t.Context(), c.Vault.Mount+"/config", map[string]any{"delete_version_after": "4s", "cas_required": true})
		return err == nil
	}, time.Minute, 20*time.Millisecond)
	for _, policy := range []string{vault.WorkerPolicy, vault.LedgerPolicy} {
		require.ErrorContains(t, RequireRights(t.Context(), s, policy, c, nil), "deletes what is written to it after 4s")
	}
	var wrong []Check
	for _, ch := range Doctor(t.Context(), c, nil, "") {
		if !ch.OK {
			wrong = append(wrong, ch)
		}
	}
	require.Len(t, wrong, 1)
	require.Equal(t, "vault own mount", wrong[0].What)

	_, err := Run(t.Context(), s, c, nil)
	require.NoError(t, err)
	require.NoError(t, RequireRights(t.Context(), s, vault.WorkerPolicy, c, nil))
	is, err := server.Client().Logical().ReadWithContext(t.Context(), c.Vault.Mount+"/config")
	require.NoError(t, err)
	require.Equal(t, []any{"0s", false}, []any{is.Data["delete_version_after"], is.Data["cas_required"]})
	_, err = s.Put(t.Context(), "test", c.Vault.Mount, "staging/corp/x", 0, map[string]any{"secret": "s"})
	require.NoError(t, err)
	meta, err := server.Client().Logical().ReadWithContext(t.Context(), c.Vault.Mount+"/data/staging/corp/x")
	require.NoError(t, err)
	require.Empty(t, meta.Data["metadata"].(map[string]any)["deletion_time"])

	old := vaulttest.NewCampaign()
	require.NoError(t, server.Client().Sys().MountWithContext(t.Context(), old.Vault.Mount, &vaultapi.MountInput{Type: "kv"}))
	require.Contains(t, OwnMount(t.Context(), open(t, old, server.Address(), server.RootToken())).Detail, "there is no KV v2 mount")
}
