package inventory

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// Lists of a namespace have nothing of those above it, and a token of a parent
// may read new values in it.
func TestNamespacesOfVaultAboveOursAreSaidUntilAPersonAcceptsThem(t *testing.T) {
	servers(t)
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"spaces/a": {"password": "x"}}))
	behind, err := url.Parse(realVault.Address())
	require.NoError(t, err)
	real := httputil.NewSingleHostReverseProxy(behind)
	listener := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/sys/internal/ui/resultant-acl" {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"data": {"chroot_namespace": "team-mail/", "root": false}}`))
			return
		}
		real.ServeHTTP(w, r)
	}))
	t.Cleanup(listener.Close)
	root := realVault.RootToken().Reveal()
	c := campaign()
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource("account,path", "bystander0001,kv/spaces/a#password")}
	list := func(v *ownmount.Store) (hidden, accepted []string) {
		roll, _, err := listIn(t.Context(), c, openDirectory(t, corp()), v, "c", time.Now())
		require.NoError(t, err)
		for _, w := range roll.Warnings {
			switch {
			case !strings.HasPrefix(w.Detail, namespacesAbove):
			case w.Code == credential.FindingVaultHidden:
				require.True(t, w.Code.Incomplete())
				hidden = append(hidden, w.Detail)
			case w.Code == credential.FindingAccepted:
				accepted = append(accepted, w.Detail)
			}
		}
		return hidden, accepted
	}
	hidden, _ := list(openVault(t, root))
	require.Empty(t, hidden, "there is none above the root")

	inOne := openVault(t, root)
	inOne.API().SetNamespace("team-mail")
	for _, v := range []*ownmount.Store{inOne, openVaultAt(t, listener.URL, root)} {
		c.Accept = nil
		hidden, _ = list(v)
		require.Len(t, hidden, 1)
		require.Contains(t, hidden[0], "sees the namespace team-mail")
		c.Accept = []config.Accept{{Vault: namespacesAbove, Reason: "nobody's policy there names ours"}}
		hidden, accepted := list(v)
		require.Empty(t, hidden)
		require.Len(t, accepted, 1)
	}
}
