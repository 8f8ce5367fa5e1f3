package approlesecretid

import (
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/vault"
)

// What an error says travels through Temporal and into its database.
func TestAVaultThatDoesNotAnswerIsSaidWithoutTheRole(t *testing.T) {
	conf := vaultapi.DefaultConfig()
	conf.Address, conf.MaxRetries = "http://127.0.0.1:1", 0
	api, err := vaultapi.NewClient(conf)
	require.NoError(t, err)
	au := New(api, "vault")
	c := credential.Credential{Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/esg-01-login"}
	acc := kind.Account{Subject: c.Subject}
	_, err = au.Account(t.Context(), "vault", c)
	require.ErrorIs(t, err, vault.ErrNoAnswer)
	require.NotContains(t, err.Error(), "esg-01-login")
	err = au.Set(t.Context(), acc, credential.NewSecret("new"), credential.Secret{})
	require.ErrorIs(t, err, vault.ErrNoAnswer)
	require.NotContains(t, err.Error(), "esg-01-login")
	_, _, err = au.Retire(t.Context(), acc, credential.NewSecret("new"))
	require.ErrorIs(t, err, vault.ErrNoAnswer)
	require.NotContains(t, err.Error(), "esg-01-login")
}
