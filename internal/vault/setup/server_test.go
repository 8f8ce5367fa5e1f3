package setup

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/vaulttest"
)

var server *lab.Vault

func TestMain(m *testing.M) { os.Exit(vaulttest.Run(m, &server)) }

func open(t *testing.T, c *config.Campaign, addr string, token credential.Secret) *ownmount.Store {
	t.Helper()
	vaulttest.Environment(t, addr, token)
	s, err := ownmount.Open(t.Context(), ownmount.Settings{Mount: c.Vault.Mount, Transit: c.Vault.Transit})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func newStoreOf(t *testing.T) (*ownmount.Store, *config.Campaign) {
	t.Helper()
	c := vaulttest.NewCampaign()
	s := open(t, c, server.Address(), server.RootToken())
	_, err := Run(t.Context(), s, c, nil)
	require.NoError(t, err)
	return s, c
}
