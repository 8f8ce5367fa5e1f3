package approlesecretid

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/minted"
)

// revoking is the worker's way to Vault on which the tokens of the next logins
// are revoked before who logged in can use them.
func revoking(t *testing.T, next *atomic.Int64) *vaultapi.Client {
	t.Helper()
	to, err := url.Parse(server.Client().Address())
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.Transport = server.Client().CloneConfig().HttpClient.Transport
	proxy.ModifyResponse = func(r *http.Response) error {
		if !strings.HasSuffix(r.Request.URL.Path, "/login") || r.StatusCode != http.StatusOK || next.Add(-1) < 0 {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var got vaultapi.Secret
		if err := json.Unmarshal(body, &got); err != nil {
			return err
		}
		return server.Client().Auth().Token().RevokeTree(got.Auth.ClientToken)
	}
	front := httptest.NewServer(proxy)
	t.Cleanup(front.Close)
	client, err := worker.CloneWithHeaders()
	require.NoError(t, err)
	client.SetToken(worker.Token())
	require.NoError(t, client.SetAddress(front.URL))
	return client
}

// Vault answers 400 to who looks up a token that is gone. It is no refusal of
// the login, nor is the 403 before it the lock of a role.
func TestALoginWhoseTokenIsGoneAtOnceIsMadeAgainAndIsNoRefusal(t *testing.T) {
	var next atomic.Int64
	au := New(revoking(t, &next), "vault")
	c, value := newRole(t, nil)
	a := account(t, au, c)
	for gone := range int64(minted.MaxLogins) {
		next.Store(gone)
		reply, err := au.Try(t.Context(), "vault", a, value)
		require.NoError(t, err)
		require.Equal(t, protocol.Accepted, reply)
	}
	next.Store(minted.MaxLogins)
	reply, err := au.Try(t.Context(), "vault", a, value)
	require.ErrorIs(t, err, minted.ErrTokenGone)
	require.Equal(t, protocol.NotAsked, reply)
}

func TestEach400OfALoginHasItsMeaning(t *testing.T) {
	au := New(worker, "vault")
	c, value := newRole(t, nil)
	a := account(t, au, c)
	for _, blank := range []string{" ", "\n"} { // "missing secret_id"
		reply, err := au.Try(t.Context(), "vault", a, credential.NewSecret(blank))
		require.NoError(t, err)
		require.Equal(t, protocol.Refused, reply)
	}
	admin(t, "auth/approle/role/"+c.Name, map[string]any{"token_policies": "default,root"})
	_, err := au.Try(t.Context(), "vault", a, value)
	var stop *protocol.Stop
	require.ErrorAs(t, err, &stop)
	require.Equal(t, protocol.ReasonPolicy, stop.Reason)
	require.Contains(t, stop.Detail, "a policy that no login may have")
	reply, err := au.Try(t.Context(), "vault", a, credential.NewSecret("guess"))
	require.NoError(t, err)
	require.Equal(t, protocol.Refused, reply, "Vault looks at the secret-id first")
}
