package ownmount

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

var server *lab.Vault

func TestMain(m *testing.M) { os.Exit(vaulttest.Run(m, &server)) }

// SetUp does what init does: that is a package above this one, whose tests
// these are not (see setup_test.go).
var SetUp func(*testing.T, *config.Campaign)

func open(t *testing.T, c *config.Campaign, addr string, token credential.Secret) *Store {
	t.Helper()
	vaulttest.Environment(t, addr, token)
	s, err := Open(t.Context(), Settings{Mount: c.Vault.Mount, Transit: c.Vault.Transit})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// newStore is a store with root rights on mounts that init made.
func newStore(t *testing.T) *Store {
	t.Helper()
	s, _ := newStoreOf(t)
	return s
}

func newStoreOf(t *testing.T) (*Store, *config.Campaign) {
	t.Helper()
	c := vaulttest.NewCampaign()
	c.Sources = []config.Source{{Type: config.VaultKV, Prefix: "kv/apps"}}
	s := open(t, c, server.Address(), server.RootToken())
	SetUp(t, c)
	return s, c
}

// restricted is a store whose token has that one policy of a campaign.
func restricted(t *testing.T, policy string) (limited, root *Store, c *config.Campaign) {
	t.Helper()
	root, c = newStoreOf(t)
	return open(t, c, server.Address(), vaulttest.TokenWith(t, policy)), root, c
}

func denied(t *testing.T, err error) {
	t.Helper()
	require.True(t, vault.IsDenied(err), "%v", err)
}
