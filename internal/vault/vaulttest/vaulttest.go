// Package vaulttest is what the tests of the packages about Vault share: one
// real Vault for each of them, and what is laid out on it.
package vaulttest

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// server is one real Vault for all tests of a package; each test has mounts of
// its own.
var server *lab.Vault

// Run starts it, puts it into to, prepares it, and runs the tests: the body of
// a TestMain.
func Run(m *testing.M, to **lab.Vault, prepare ...func() error) int {
	dir, err := os.MkdirTemp("", "rollcall-vault")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if server, err = lab.StartVault(context.Background(), lab.VaultOptions{Dir: dir}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer server.Kill()
	*to = server
	for _, do := range prepare {
		if err := do(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

// Mounts counts, for names that no other test uses.
var Mounts atomic.Int64

// NewCampaign names mounts that no other test uses.
func NewCampaign() *config.Campaign {
	n := Mounts.Add(1)
	return &config.Campaign{
		Device: "esg-01",
		Vault: config.Vault{
			Mount:   fmt.Sprintf("rollcall-%d", n),
			Transit: fmt.Sprintf("rollcall-transit-%d", n),
			Adopt:   "kv/rollcall/{directory}/{account}#password", HandOver: "kv/rollcall/handover/{directory}/{account}#password",
		},
	}
}

// Environment makes vault.Open reach addr with token and nothing else. Its
// calls wait longer than they do by themselves: what a call that is given up
// comes to is a test's of its own, and on a busy machine any might be.
func Environment(t *testing.T, addr string, token credential.Secret) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{"ROLLCALL_ROLE_ID", "ROLLCALL_SECRET_ID_FILE", "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_SKIP_VERIFY"} {
		t.Setenv(name, "")
	}
	t.Setenv("VAULT_CLIENT_TIMEOUT", "5m")
	t.Setenv("VAULT_ADDR", addr)
	t.Setenv("VAULT_TOKEN", token.Reveal())
}

// Lossy is a hop in front of Vault that can lose the reply to a request after
// Vault has applied it.
type Lossy struct {
	*httptest.Server
	lose atomic.Value // of string: "METHOD path-suffix"; one request
}

// NewLossy starts one.
func NewLossy(t *testing.T) *Lossy {
	t.Helper()
	u, err := url.Parse(server.Address())
	require.NoError(t, err)
	l := &Lossy{}
	l.lose.Store("")
	forward := httputil.NewSingleHostReverseProxy(u)
	forward.ErrorLog = log.New(io.Discard, "", 0)
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		want := l.lose.Load().(string)
		method, suffix, _ := strings.Cut(want, " ")
		if want == "" || r.Method != method || !strings.HasSuffix(r.URL.Path, suffix) || !l.lose.CompareAndSwap(want, "") {
			forward.ServeHTTP(w, r)
			return
		}
		forward.ServeHTTP(httptest.NewRecorder(), r)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.Close()
		}
	}))
	t.Cleanup(l.Close)
	return l
}

// LoseReplyTo arms the hop for the next request that matches.
func (l *Lossy) LoseReplyTo(method, suffix string) { l.lose.Store(method + " " + suffix) }

// TokenWith mints a token that has only the given policy and the default one.
func TokenWith(t *testing.T, policy string) credential.Secret {
	t.Helper()
	got, err := server.Client().Auth().Token().CreateWithContext(t.Context(), &vaultapi.TokenCreateRequest{Policies: []string{policy}})
	require.NoError(t, err)
	return credential.NewSecret(got.Auth.ClientToken)
}

// WriteFile makes a file with a mode.
func WriteFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(f, []byte(text), 0o600))
	require.NoError(t, os.Chmod(f, mode))
	return f
}

// NewAppRole makes a role for our own login and returns its role-id and a file
// with its secret-id.
func NewAppRole(t *testing.T, name string, settings map[string]any) (roleID, file string) {
	t.Helper()
	client := server.Client().Logical()
	_, err := client.WriteWithContext(t.Context(), "auth/approle/role/"+name, settings)
	require.NoError(t, err)
	got, err := client.ReadWithContext(t.Context(), "auth/approle/role/"+name+"/role-id")
	require.NoError(t, err)
	id, err := client.WriteWithContext(t.Context(), "auth/approle/role/"+name+"/secret-id", nil)
	require.NoError(t, err)
	return got.Data["role_id"].(string), WriteFile(t, id.Data["secret_id"].(string)+"\n", 0o600)
}

// AsAppRole makes vault.Open log in by it.
func AsAppRole(t *testing.T, roleID, file string) {
	t.Helper()
	Environment(t, server.Address(), credential.Secret{})
	t.Setenv("ROLLCALL_ROLE_ID", roleID)
	t.Setenv("ROLLCALL_SECRET_ID_FILE", file)
}
