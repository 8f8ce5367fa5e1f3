package vault_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup"
)

func init() {
	vault.SetUp = func(t *testing.T, c *config.Campaign) {
		t.Helper()
		s, err := ownmount.Open(t.Context(), ownmount.Settings{Mount: c.Vault.Mount, Transit: c.Vault.Transit})
		require.NoError(t, err)
		_, err = setup.Run(t.Context(), s, c, nil)
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
}
