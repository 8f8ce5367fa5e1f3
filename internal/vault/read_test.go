package vault

import (
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
)

// One connection serves reads one after another, whatever the answers are.
func TestAnswersAreReadAsTheClientReadsThem(t *testing.T) {
	t.Parallel()
	var opened atomic.Int32
	answers := map[string]func(w http.ResponseWriter){
		"plain":   func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"data":{"n":9007199254740993,"s":"x"}}` + "\n")) },
		"warning": func(w http.ResponseWriter) { _, _ = w.Write([]byte(`{"data":{},"warnings":["old"]}`)) },
		"empty":   func(http.ResponseWriter) {},
		"none":    func(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) },
		"absent":  func(w http.ResponseWriter) { http.Error(w, `{"errors":[]}`, http.StatusNotFound) },
		"deleted": func(w http.ResponseWriter) {
			http.Error(w, `{"data":{"data":null,"metadata":{"version":2}}}`, http.StatusNotFound)
		},
		"refused": func(w http.ResponseWriter) { http.Error(w, `{"errors":["permission denied"]}`, http.StatusForbidden) },
		"no-json": func(w http.ResponseWriter) { _, _ = w.Write([]byte("<html>")) },
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answers[r.URL.Path[len("/v1/"):]](w) }))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	conf := vaultapi.DefaultConfig()
	conf.Address, conf.MaxRetries = srv.URL, 0
	api, err := vaultapi.NewClient(conf)
	require.NoError(t, err)
	s := &Client{api: api}
	for name := range answers {
		want, wantErr := api.Logical().ReadWithContext(t.Context(), name)
		got, err := s.readSecret(t.Context(), name, nil)
		require.Equal(t, wantErr, err, name)
		require.Equal(t, want, got, name)
	}
	before := opened.Load()
	for range 3 {
		_, err := s.readSecret(t.Context(), "plain", nil)
		require.NoError(t, err)
	}
	require.LessOrEqual(t, opened.Load(), before+1, "they share a connection")
}
