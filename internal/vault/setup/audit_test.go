package setup

import (
	"path/filepath"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

func TestNoAuditDeviceMayKeepValuesAsTheyAre(t *testing.T) {
	s, root, c := restricted(t, vault.WorkerPolicy)
	ctx, sys := t.Context(), server.Client().Sys()
	mount := c.Vault.Mount + "-live"
	require.NoError(t, sys.Mount(mount, &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	known := []credential.Credential{{ID: "corp/a", Kind: credential.LDAPPassword, Paths: []credential.Path{{Mount: mount, Path: "a", Field: "password"}}}}
	device := func(name string, options map[string]string) {
		options["file_path"] = filepath.Join(t.TempDir(), "log")
		require.NoError(t, sys.EnableAuditWithOptions(name, &vaultapi.EnableAuditOptions{Type: "file", Options: options}))
		t.Cleanup(func() { _ = sys.DisableAudit(name) })
	}
	tune := func(keys ...string) {
		_, err := server.Client().Logical().Write("sys/mounts/"+mount+"/tune", map[string]any{"audit_non_hmac_response_keys": keys})
		require.NoError(t, err)
	}
	tune("data")
	require.NoError(t, RequireAudit(ctx, root, c, known), "nothing keeps anything")
	device(mount+"-hashed", map[string]string{})
	require.ErrorContains(t, RequireAudit(ctx, root, c, known), "for the mount "+mount+"/ audit devices keep data as it is (audit_non_hmac_response_keys)")
	require.NoError(t, RequireAudit(ctx, root, c, nil), "nothing of the campaign goes through it")
	// The name of a field of the secret counts, and so does any other one in
	// it.
	for _, field := range []string{"password", "bind_password", "value"} {
		tune("version", field)
		require.ErrorContains(t, RequireAudit(ctx, root, c, known), "keep "+field+" as it is")
	}
	spare := []credential.Credential{{ID: "corp/a", Kind: credential.LDAPPassword, Spare: &credential.Path{Mount: mount, Path: "spare", Field: "password"}}}
	require.ErrorContains(t, RequireAudit(ctx, root, c, spare), "keep value as it is", "Rollcall's own path for it is one too")
	known[0].Paths[0].Field = "version"
	tune("version")
	require.ErrorContains(t, RequireAudit(ctx, root, c, known), "keep version as it is", "a secret may have a field of any name")
	known[0].Paths[0].Field = "password"
	_, err := server.Client().Logical().Write("sys/mounts/"+c.Vault.Mount+"/tune", map[string]any{"audit_non_hmac_request_keys": "secret"})
	require.NoError(t, err)
	require.ErrorContains(t, RequireAudit(ctx, root, c, known), "for the mount "+c.Vault.Mount+"/ audit devices keep secret as it is", "values are staged there")
	_, err = server.Client().Logical().Write("sys/mounts/"+c.Vault.Mount+"/tune", map[string]any{"audit_non_hmac_request_keys": ""})
	require.NoError(t, err)
	tune("metadata")
	require.True(t, Audit(ctx, s, c, known).OK)
	require.False(t, Audit(ctx, s, c, known).NotChecked)

	at := mount + "-raw"
	device(at, map[string]string{"log_raw": "True"})
	err = RequireAudit(ctx, s, c, known)
	require.ErrorContains(t, err, "the audit device sys/audit/"+at+" (file) keeps values as they are")
	require.ErrorContains(t, err, "nothing was changed")
	require.ErrorContains(t, err, `accept: - {vault: "sys/audit/`+at+`", reason: …}`)
	require.False(t, Audit(ctx, s, c, known).OK)
	c.Accept = []config.Accept{{Vault: "sys/audit/" + at, Reason: "the log is on this machine"}}
	require.NoError(t, RequireAudit(ctx, s, c, known))
	require.Contains(t, Audit(ctx, s, c, known).Detail, "accepted by the campaign file")

	c.Accept = nil
	blind := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.LedgerPolicy))
	require.NoError(t, RequireAudit(ctx, blind, c, known))
	check := Audit(ctx, blind, c, known)
	require.True(t, check.OK)
	require.True(t, check.NotChecked)
	require.Contains(t, check.Detail, "not checked")
}

// A directory account that logs in to Vault sends its new password there
// (auth/MOUNT/login/NAME, key "password"), and Rollcall's own worker its
// secret-id: the mounts' keys count as those of a secret's mount do.
func TestNoAuditDeviceKeepsWhatDirectoryAccountsLogInWith(t *testing.T) {
	_, root, c := restricted(t, vault.WorkerPolicy)
	ctx, sys := t.Context(), server.Client().Sys()
	mount := c.Vault.Mount + "-ldap"
	require.NoError(t, sys.EnableAuthWithOptions(mount, &vaultapi.EnableAuthOptions{Type: "ldap"}))
	t.Cleanup(func() { _ = sys.DisableAuth(mount) })
	name := c.Vault.Mount + "-plain"
	require.NoError(t, sys.EnableAuditWithOptions(name, &vaultapi.EnableAuditOptions{Type: "file", Options: map[string]string{"file_path": filepath.Join(t.TempDir(), "log")}}))
	t.Cleanup(func() { _ = sys.DisableAudit(name) })
	known := []credential.Credential{{ID: "corp/a", Kind: credential.LDAPPassword, Authority: "corp", Subject: "a",
		Paths: []credential.Path{{Mount: "kv", Path: "a", Field: "password"}}, Logins: []credential.VaultLogin{{Mount: mount, Names: []string{"svc"}}}}}
	require.NoError(t, RequireAudit(ctx, root, c, known))
	_, err := server.Client().Logical().Write("sys/auth/"+mount+"/tune", map[string]any{"audit_non_hmac_request_keys": []string{"password"}})
	require.NoError(t, err)
	require.Error(t, RequireAudit(ctx, root, c, known), "each login with the new password is in the log as it is")
}

// So does the mount where Rollcall's own worker logs in: who has its secret-id
// from the log reads what is staged and every new value.
func TestNoAuditDeviceKeepsTheSecretIDThatWorkersLogInWith(t *testing.T) {
	_, root, c := restricted(t, vault.WorkerPolicy)
	ctx, sys := t.Context(), server.Client().Sys()
	name := c.Vault.Mount + "-own"
	require.NoError(t, sys.EnableAuditWithOptions(name, &vaultapi.EnableAuditOptions{Type: "file", Options: map[string]string{"file_path": filepath.Join(t.TempDir(), "log")}}))
	t.Cleanup(func() { _ = sys.DisableAudit(name) })
	known := []credential.Credential{{ID: "corp/a", Kind: credential.LDAPPassword, Authority: "corp", Subject: "a", Paths: []credential.Path{{Mount: "kv", Path: "a", Field: "password"}}}}
	require.NoError(t, RequireAudit(ctx, root, c, known))
	tune := func(keys string) {
		_, err := server.Client().Logical().Write("sys/auth/approle/tune", map[string]any{"audit_non_hmac_request_keys": keys})
		require.NoError(t, err)
	}
	tune("secret_id")
	t.Cleanup(func() { tune("") })
	require.Error(t, RequireAudit(ctx, root, c, known), "rollcall-worker's secret-id is in the log as it is")
}
