package minted

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
)

// A Vault has tokens by the hundred thousand: each is looked up once in a
// process, and what is kept of it is small.
func TestManyTokensAreLookedUpOnceAndKeptInLittleMemory(t *testing.T) {
	const n = 6000
	var calls atomic.Int64
	accessors := make([]string, n)
	for i := range accessors {
		accessors[i] = fmt.Sprintf("accessor-%024d", i)
	}
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/accessors") {
			_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{"keys": accessors}})
			return
		}
		_, _ = w.Write([]byte(`{"data":{"path":"auth/approle/login","policies":["default","` + strings.Repeat("reads-a-lot-", 20) + `"],"entity_id":"e","meta":{"role_name":"` + strings.Repeat("esg", 50) + `"}}}`))
	}))
	defer fake.Close()
	config := vaultapi.DefaultConfig()
	config.Address = fake.URL
	client, err := vaultapi.NewClient(config)
	require.NoError(t, err)
	kept := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	tokens := New(client, "vault")
	before := kept()
	for range 2 {
		seen := 0
		require.NoError(t, tokens.Each(t.Context(), func(token Token) {
			if len(token.Policies) == 2 && token.Meta["role_name"] != "" {
				seen++
			}
		}))
		require.Equal(t, n, seen)
	}
	require.EqualValues(t, n+2, calls.Load())
	require.Less(t, (kept()-before)/n, int64(400), "bytes for each")
	runtime.KeepAlive(tokens)
}
