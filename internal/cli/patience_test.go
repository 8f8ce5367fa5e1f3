package cli

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
)

// A Vault that takes requests and answers none is said to be away: no other
// question to it is waited for until then.
func TestAVaultThatHangsIsNotWaitedForBeforeItIsSaid(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "auth/token/lookup-self") {
			_, _ = io.WriteString(w, `{"data":{"ttl":0,"policies":["root"]}}`)
			return
		}
		<-r.Context().Done()
	}))
	defer srv.Close()
	t.Setenv("VAULT_ADDR", srv.URL)
	t.Setenv("VAULT_TOKEN", "t")
	t.Setenv("ROLLCALL_ROLE_ID", "")
	store, err := ownmount.Open(t.Context(), ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"})
	require.NoError(t, err)
	defer func() { _ = store.Close() }()
	s := &session{app: &app{Streams: Streams{Out: io.Discard, Err: io.Discard}}, cfg: &config.Campaign{Device: "esg-01"}, store: store}
	ctx, cancel := context.WithTimeout(t.Context(), vault.RequestTimeout)
	defer cancel()
	began := time.Now()
	require.False(t, s.newPatience("c", "w", nil).sayTakenOver(ctx))
	require.NoError(t, ctx.Err(), "it took %s", time.Since(began))
	require.Contains(t, s.vaultAway(ctx), "does not answer")
}
