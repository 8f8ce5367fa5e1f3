package vault

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

// server is one real Vault for all tests; each test has mounts of its own.
var server *lab.Vault

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
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
	return m.Run()
}

var mounts atomic.Int64

// newCampaign names mounts that no other test uses.
func newCampaign() *config.Campaign {
	n := mounts.Add(1)
	return &config.Campaign{
		Device: "esg-01",
		Vault: config.Vault{
			Mount:   fmt.Sprintf("rollcall-%d", n),
			Transit: fmt.Sprintf("rollcall-transit-%d", n),
			Adopt:   "kv/rollcall/{directory}/{account}#password", HandOver: "kv/rollcall/handover/{directory}/{account}#password",
		},
	}
}

// environment makes Open reach addr with token and nothing else.
func environment(t *testing.T, addr string, token credential.Secret) {
	t.Helper()
	t.Setenv("HOME", t.TempDir())
	for _, name := range []string{EnvRoleID, EnvSecretIDFile, "VAULT_NAMESPACE", "VAULT_CACERT", "VAULT_SKIP_VERIFY", "VAULT_CLIENT_TIMEOUT"} {
		t.Setenv(name, "")
	}
	t.Setenv("VAULT_ADDR", addr)
	t.Setenv("VAULT_TOKEN", token.Reveal())
}

func open(t *testing.T, c *config.Campaign, addr string, token credential.Secret) *Store {
	t.Helper()
	environment(t, addr, token)
	s, err := Open(t.Context(), Settings{Mount: c.Vault.Mount, Transit: c.Vault.Transit})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// newStore is a store with root rights on mounts that Setup made.
func newStore(t *testing.T) *Store {
	t.Helper()
	s, _ := newStoreOf(t)
	return s
}

func newStoreOf(t *testing.T) (*Store, *config.Campaign) {
	t.Helper()
	c := newCampaign()
	s := open(t, c, server.Address(), server.RootToken())
	_, err := s.Setup(t.Context(), c, nil)
	require.NoError(t, err)
	return s, c
}

// lossy is a hop in front of Vault that can lose the reply to a request after
// Vault has applied it.
type lossy struct {
	*httptest.Server
	lose atomic.Value // of string: "METHOD path-suffix"; one request
}

func newLossy(t *testing.T) *lossy {
	t.Helper()
	u, err := url.Parse(server.Address())
	require.NoError(t, err)
	l := &lossy{}
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

// loseReplyTo arms the hop for the next request that matches.
func (l *lossy) loseReplyTo(method, suffix string) { l.lose.Store(method + " " + suffix) }

// tokenWith mints a token that has only the given policy and the default one.
func tokenWith(t *testing.T, policy string) credential.Secret {
	t.Helper()
	got, err := server.Client().Auth().Token().CreateWithContext(t.Context(), &vaultapi.TokenCreateRequest{Policies: []string{policy}})
	require.NoError(t, err)
	return credential.NewSecret(got.Auth.ClientToken)
}

func writeFile(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	f := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(f, []byte(text), 0o600))
	require.NoError(t, os.Chmod(f, mode))
	return f
}
