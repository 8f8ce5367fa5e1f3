package vault

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/vault/vaulttest"
)

var server *lab.Vault

func TestMain(m *testing.M) { os.Exit(vaulttest.Run(m, &server)) }

// SetUp does what init does: that is a package above this one, whose tests
// these are not (see setup_test.go).
var SetUp func(*testing.T, *config.Campaign)

func open(t *testing.T, c *config.Campaign, addr string, token credential.Secret) *Client {
	t.Helper()
	vaulttest.Environment(t, addr, token)
	s, err := Open(t.Context(), c.Vault.Mount)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// newClient is a client with root rights.
func newClient(t *testing.T) *Client {
	t.Helper()
	return open(t, vaulttest.NewCampaign(), server.Address(), server.RootToken())
}
