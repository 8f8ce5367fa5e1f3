package vault

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/vault/vaulttest"
)

func TestAnAppRoleTokenIsReplacedAtItsEndAndRevokedByClose(t *testing.T) {
	roleID, file := vaulttest.NewAppRole(t, "own-short", map[string]any{"token_ttl": "2s", "token_max_ttl": "3s"})
	vaulttest.AsAppRole(t, roleID, file)
	s, err := Open(t.Context(), "m")
	require.NoError(t, err)
	first := s.api.Token()
	require.Eventually(t, func() bool { return s.api.Token() != first }, time.Minute, 20*time.Millisecond)
	require.NoError(t, s.Close())
	last := s.api.Token()
	_, err = server.Client().Auth().Token().LookupWithContext(t.Context(), last)
	require.Error(t, err, "revoked by Close")
}

func TestATokenThatHasEndedIsNoErrorOfClose(t *testing.T) {
	roleID, file := vaulttest.NewAppRole(t, "own-ended", map[string]any{"token_ttl": "1h"})
	vaulttest.AsAppRole(t, roleID, file)
	s, err := Open(t.Context(), "m")
	require.NoError(t, err)
	require.NoError(t, server.Client().Auth().Token().RevokeTree(s.api.Token()))
	require.NoError(t, s.Close())
}

func TestALoginThatMakesNoSenseIsRefusedBeforeAnythingIsSent(t *testing.T) {
	for _, row := range []struct {
		name string
		set  func(t *testing.T)
		want string
	}{
		{"no login", func(t *testing.T) { t.Setenv("VAULT_TOKEN", "") }, "no login"},
		{"a role without a secret-id", func(t *testing.T) { t.Setenv(EnvRoleID, "r") }, EnvSecretIDFile + " is not"},
		{"a secret-id without a role", func(t *testing.T) { t.Setenv(EnvSecretIDFile, "f") }, EnvRoleID + " is not"},
		{"a secret-id file that others can read", func(t *testing.T) {
			t.Setenv(EnvRoleID, "r")
			t.Setenv(EnvSecretIDFile, vaulttest.WriteFile(t, "hunter2", 0o644))
		}, "chmod 0600"},
		{"an empty secret-id file", func(t *testing.T) {
			t.Setenv(EnvRoleID, "r")
			t.Setenv(EnvSecretIDFile, vaulttest.WriteFile(t, "\n", 0o600))
		}, "is empty"},
		{"a secret-id file that is not there", func(t *testing.T) {
			t.Setenv(EnvRoleID, "r")
			t.Setenv(EnvSecretIDFile, filepath.Join(t.TempDir(), "none"))
		}, "no such file"},
		{"a certificate that nobody looks at", func(t *testing.T) {
			t.Setenv("VAULT_ADDR", "https://vault.example.org:8200")
			t.Setenv("VAULT_SKIP_VERIFY", "true")
		}, "VAULT_SKIP_VERIFY is set"},
		{"clear text to another machine", func(t *testing.T) { t.Setenv("VAULT_ADDR", "http://vault.example.org:8200") }, "clear text"},
		{"an address that is no URL", func(t *testing.T) { t.Setenv("VAULT_ADDR", "http://[::1") }, "VAULT_"},
		{"an address without a scheme", func(t *testing.T) { t.Setenv("VAULT_ADDR", "vault.example.org:8200") }, "write https://"},
	} {
		t.Run(row.name, func(t *testing.T) {
			vaulttest.Environment(t, server.Address(), server.RootToken())
			row.set(t)
			_, err := Open(t.Context(), "m")
			require.ErrorContains(t, err, row.want)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
}

func TestTheTokenFileOfTheVaultCommandServesToo(t *testing.T) {
	vaulttest.Environment(t, server.Address(), credential.Secret{})
	require.NoError(t, os.WriteFile(filepath.Join(os.Getenv("HOME"), ".vault-token"), []byte(server.RootToken().Reveal()+"\n"), 0o600))
	s, err := Open(t.Context(), "m")
	require.NoError(t, err)
	require.NoError(t, s.Close())
	_, err = server.Client().Auth().Token().LookupSelfWithContext(t.Context())
	require.NoError(t, err, "a person's token outlives Close")
}

func TestARefusedLoginSaysWhatToDoAndNeverTheSecret(t *testing.T) {
	roleID, _ := vaulttest.NewAppRole(t, "own-wrong", map[string]any{"secret_id_num_uses": 3})
	vaulttest.AsAppRole(t, roleID, vaulttest.WriteFile(t, "wrong-secret-id", 0o600))
	_, err := Open(t.Context(), "m")
	require.ErrorContains(t, err, "log in")
	require.NotContains(t, err.Error(), "wrong-secret-id")

	vaulttest.Environment(t, server.Address(), credential.NewSecret("hvs.expired"))
	_, err = Open(t.Context(), "m")
	require.True(t, IsKind(err, TokenExpired), "%v", err)
	require.NotContains(t, err.Error(), "hvs.expired")
}

func TestATokenWithAnEndIsRenewed(t *testing.T) {
	admin := server.Client().Auth().Token()
	got, err := admin.CreateWithContext(t.Context(), &vaultapi.TokenCreateRequest{TTL: "1h", Policies: []string{"default"}})
	require.NoError(t, err)
	s := open(t, vaulttest.NewCampaign(), server.Address(), credential.NewSecret(got.Auth.ClientToken))
	require.WithinDuration(t, time.Now().Add(40*time.Minute), s.dueAfter(Lease{TTL: time.Hour, Renewable: true}), time.Minute, "when two thirds of it are over")
	s.login.renewed <- Lease{TTL: time.Second, Renewable: true} // as if they nearly were
	require.Eventually(t, func() bool {
		token, err := admin.LookupWithContext(t.Context(), got.Auth.ClientToken)
		return err == nil && token.Data["last_renewal_time"] != nil
	}, time.Minute, 100*time.Millisecond)
}

// atOnce is less than any call of a test waits for an answer (vaulttest), and
// more than one takes on a machine that is busy.
const atOnce = 2 * time.Minute

func TestASealedVaultAndAWrongCertificateAreSaidAtOnce(t *testing.T) {
	ca, err := lab.NewCA()
	require.NoError(t, err)
	v, err := lab.StartVault(t.Context(), lab.VaultOptions{Dir: t.TempDir(), CA: ca})
	require.NoError(t, err)
	defer v.Kill()

	vaulttest.Environment(t, v.Address(), v.RootToken())
	_, err = Open(t.Context(), "m")
	require.True(t, IsKind(err, Unreachable), "%v", err)
	require.ErrorContains(t, err, "VAULT_CACERT")

	t.Setenv("VAULT_CACERT", v.CAFile())
	s, err := Open(t.Context(), "m")
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	require.NoError(t, v.Seal(t.Context()))
	began := time.Now()
	_, err = s.ReadLive(t.Context(), credential.Path{Mount: "kv", Path: "a", Field: "b"}, 0)
	require.True(t, IsKind(err, Sealed), "%v", err)
	require.Less(t, time.Since(began), atOnce)

	v.Kill()
	began = time.Now()
	_, err = s.Get(t.Context(), "read a staged value", "m", "staging/corp/x", 0)
	require.True(t, IsKind(err, Unreachable), "%v", err)
	require.Less(t, time.Since(began), atOnce)
}
