package inventory

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/minted"
)

// syncs are what Vault Enterprise answers to a list of associations (API docs
// of sys/sync), by the mode that a test calls it with.
const syncsAt = "/v1/sys/sync/associations "

var syncs = map[string]struct {
	status int
	body   string
}{
	syncsAt + "disabled, pushes":        {http.StatusOK, `{"data":{"key_info":{"kv_1":{}},"keys":["kv_1"],"total_associations":1,"total_secrets":1}}`},
	syncsAt + "disabled, pushes none":   {http.StatusOK, `{"data":{"total_associations":0,"total_secrets":0}}`},
	syncsAt + "disabled, none":          {http.StatusNotFound, `{"errors":[]}`},
	syncsAt + "disabled, not activated": {http.StatusBadRequest, `{"errors":["the secrets sync feature has not been activated"]}`},
	syncsAt + "disabled, denied":        {http.StatusForbidden, `{"errors":["permission denied"]}`},
}

// A new value goes to wherever Vault pushes its secret.
func TestThatVaultPushesSecretsElsewhereIsSaidUntilAPersonHasLooked(t *testing.T) {
	servers(t)
	c := campaign()
	c.Vault.Mount, c.Directories = "rollcall", map[string]config.Directory{}
	c.Sources = []config.Source{{Name: "role", Type: config.VaultAppRole, Mount: "approle", Role: "none-*"}}
	list := func(mode string) (of []credential.Finding) {
		t.Helper()
		v := openVaultAt(t, inCluster(t, mode), realVault.RootToken().Reveal())
		roll, _, err := List(t.Context(), c, Authorities{Tokens: minted.New(v.API(), credential.VaultAuthority), Directories: map[string]Directory{}}, v, "c", time.Now())
		require.NoError(t, err)
		for _, w := range roll.Warnings {
			if w.Code == credential.FindingSynced || w.Code == credential.FindingAccepted {
				of = append(of, w)
			}
		}
		return of
	}
	for _, mode := range []string{"disabled", "disabled, pushes none", "disabled, none", "disabled, not activated"} {
		require.Empty(t, list(mode), mode)
	}
	said := list("disabled, pushes")
	require.Len(t, said, 1)
	require.True(t, said[0].Code.Incomplete(), "exit code 2")
	require.Contains(t, list("disabled, denied")[0].Detail, "not shown to this login")
	c.Accept = []config.Accept{{Vault: "sys/sync/associations", On: time.Now().Add(-time.Minute), Reason: "one store, ours (B. Kurz)"}}
	require.Equal(t, credential.FindingAccepted, list("disabled, pushes")[0].Code)
}

// inCluster is the real Vault, which says of itself what one of Enterprise does
// (API docs of sys/health).
func inCluster(t *testing.T, mode string) string {
	t.Helper()
	at, err := url.Parse(realVault.Address())
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(at)
	proxy.Transport = realVault.Client().CloneConfig().HttpClient.Transport
	proxy.ModifyResponse = func(r *http.Response) error {
		if said, is := syncs[r.Request.URL.Path+" "+mode]; is {
			r.StatusCode = said.status
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(said.body)), int64(len(said.body))
			r.Header.Set("Content-Length", strconv.Itoa(len(said.body)))
		}
		if r.Request.URL.Path != "/v1/sys/health" {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		if r.Request.Header.Get("X-Vault-Namespace") != "" || mode == "refused" {
			r.StatusCode, body = http.StatusNotFound, []byte(`{"errors":["unsupported path"]}`)
		}
		body = bytes.Replace(body, []byte(`"replication_performance_mode":"disabled"`), []byte(`"replication_performance_mode":"`+mode+`"`), 1)
		if _, is := syncs[syncsAt+mode]; is {
			body = regexp.MustCompile(`"version":"[^"]*"`).ReplaceAll(body, []byte(`"version":"1.21.0+ent"`))
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return nil
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL
}

// What is ended at one cluster of performance replication lives on at the
// others, which have the same secrets.
func TestAVaultOfSeveralClustersIsSaidUntilAPersonHasLookedAtTheOthers(t *testing.T) {
	servers(t)
	api := realVault.Client()
	for name, local := range map[string]bool{"clusters-near": false, "clusters-far": true} {
		write(t, "auth/approle/role/"+name, map[string]any{"token_policies": "default", "local_secret_ids": local})
		t.Cleanup(func() { _, _ = api.Logical().Delete("auth/approle/role/" + name) })
	}
	c := campaign()
	c.Vault.Mount, c.Directories = "rollcall", map[string]config.Directory{}
	list := func(mode, role string, accepts ...config.Accept) (of []credential.Finding) {
		t.Helper()
		c.Sources = []config.Source{{Name: "role", Type: config.VaultAppRole, Mount: "approle", Role: role}}
		c.Accept = accepts
		v := openVaultAt(t, inCluster(t, mode), realVault.RootToken().Reveal())
		roll, _, err := List(t.Context(), c, Authorities{Tokens: minted.New(v.API(), credential.VaultAuthority), Directories: map[string]Directory{}}, v, "c", time.Now())
		require.NoError(t, err)
		for _, w := range roll.Warnings {
			if w.Code == credential.FindingOtherClusters || w.Code == credential.FindingAccepted {
				of = append(of, w)
			}
		}
		return of
	}
	require.Empty(t, list("disabled", "clusters-*"))
	for _, mode := range []string{"primary", "secondary"} {
		said := list(mode, "clusters-near")
		require.Len(t, said, 1)
		require.Equal(t, credential.FindingOtherClusters, said[0].Code)
		require.True(t, said[0].Code.Incomplete(), "exit code 2")
		require.NotContains(t, said[0].Detail, "local_secret_ids")
		require.Contains(t, said[0].Detail, `accept: - {vault: "sys/replication/performance", on: TIME, reason: …}`)
	}
	require.Contains(t, list("refused", "clusters-near")[0].Detail, "it does not say")
	require.Contains(t, list("primary", "clusters-*")[0].Detail, "approle/clusters-far are each cluster's own as well (local_secret_ids)")
	said := list("primary", "clusters-*", config.Accept{Vault: "sys/replication/performance", On: time.Now().Add(-time.Minute), Reason: "ended at both others (B. Kurz)"})
	require.Len(t, said, 1)
	require.Equal(t, credential.FindingAccepted, said[0].Code)
	require.Contains(t, said[0].Detail, "B. Kurz")
}
