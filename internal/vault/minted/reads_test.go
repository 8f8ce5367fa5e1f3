package minted

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
)

// Two tokens with one digest are taken to reach the same. Where Vault does not
// show all, there is none.
func TestNoDigestOfRightsWhereVaultDoesNotShowAllOfThem(t *testing.T) {
	t.Parallel()
	for _, of := range []struct {
		version, namespace, root string
		digest                   bool
	}{
		{"1.21.0", "", "", true}, {"1.30.2+ent", "", "", true},
		{"1.20.4", "", "", false}, {"2.4.1", "", "", false}, {"", "", "", false},
		{"1.21.0", "ns1", "", false}, {"1.21.0", "", "ns1/", false},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if strings.HasSuffix(r.URL.Path, "sys/health") {
				_, _ = w.Write([]byte(`{"version":"` + of.version + `"}`))
				return
			}
			_, _ = w.Write([]byte(`{"data":{"chroot_namespace":"` + of.root + `","exact_paths":{"kv/data/x":{"capabilities":["read"]}}}}`))
		}))
		config := vaultapi.DefaultConfig()
		config.Address = server.URL
		client, err := vaultapi.NewClient(config)
		require.NoError(t, err)
		client.ClearNamespace()
		if of.namespace != "" {
			client.SetNamespace(of.namespace)
		}
		got := New(client, "vault").Rights(t.Context(), "t", []string{"kv/data/x"})
		require.Equal(t, of.digest, got != "", "%+v", of)
		server.Close()
	}
}
