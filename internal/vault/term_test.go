package vault

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/vaulttest"
)

func tokenOf(t *testing.T, in vaultapi.TokenCreateRequest) string {
	t.Helper()
	in.Policies = []string{"default"}
	got, err := server.Client().Auth().Token().CreateWithContext(t.Context(), &in)
	require.NoError(t, err)
	return got.Auth.ClientToken
}

func openWith(t *testing.T, token string) *Client {
	t.Helper()
	vaulttest.Environment(t, server.Address(), credential.NewSecret(token))
	s, err := Open(t.Context(), "m")
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestALoginIsSaidToEndInTime(t *testing.T) {
	no, yes := false, true
	for _, row := range []struct {
		name string
		in   vaultapi.TokenCreateRequest
		soon bool          // for a minute
		last time.Duration // when four hours are wanted; 0: long enough
	}{
		{"a long one", vaultapi.TokenCreateRequest{TTL: "5h", Renewable: &no}, false, 0},
		{"a short one", vaultapi.TokenCreateRequest{TTL: "50s", Renewable: &no}, true, 50 * time.Second},
		{"one that is renewed", vaultapi.TokenCreateRequest{TTL: "50s", Renewable: &yes}, false, 0},
		{"one that is renewed without end", vaultapi.TokenCreateRequest{Period: "50s"}, false, 0},
		{"one that can be renewed for an hour", vaultapi.TokenCreateRequest{TTL: "50s", ExplicitMaxTTL: "1h", Renewable: &yes}, false, time.Hour},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := openWith(t, tokenOf(t, row.in))
			stop := s.EndsSoon(time.Minute)
			require.Equal(t, row.soon, stop != nil)
			if stop != nil {
				require.Equal(t, protocol.ReasonVaultLogin, stop.Reason)
				require.Contains(t, stop.Detail, "too soon")
			}
			last, err := s.LastFor(t.Context(), 4*time.Hour)
			require.NoError(t, err)
			require.LessOrEqual(t, last.For, row.last)
			require.GreaterOrEqual(t, last.For, row.last-45*time.Second)
			if row.last > 0 {
				require.NotEmpty(t, last.Remedy)
			}
		})
	}
	s := openWith(t, server.RootToken().Reveal())
	require.Nil(t, s.EndsSoon(time.Hour), "the root token does not end")
}

func TestATokenThatWasRevokedIsReplacedByTheOneThatAPersonLogsInWith(t *testing.T) {
	first, second := tokenOf(t, vaultapi.TokenCreateRequest{TTL: "1h"}), tokenOf(t, vaultapi.TokenCreateRequest{TTL: "1h"})
	vaulttest.Environment(t, server.Address(), credential.Secret{})
	home := t.TempDir()
	t.Setenv("HOME", home)
	file := filepath.Join(home, ".vault-token")
	require.NoError(t, os.WriteFile(file, []byte(first), 0o600))
	s, err := Open(t.Context(), "m")
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })

	require.NoError(t, server.Client().Auth().Token().RevokeTree(first))
	_, err = s.ReadLive(t.Context(), credential.Path{Mount: "kv", Path: "a", Field: "b"}, 0)
	require.True(t, IsKind(err, TokenExpired), "%v", err)
	require.Contains(t, s.EndsSoon(time.Second).Detail, "has ended; log in again (`vault login`)")

	require.NoError(t, os.WriteFile(file, []byte(second+"\n"), 0o600))
	require.Eventually(t, func() bool { return s.EndsSoon(time.Second) == nil }, time.Minute, 50*time.Millisecond)
	require.Equal(t, second, s.api.Token())
}

// A quota is waited for, and what is said when that was in vain names it.
func TestARateLimitIsWaitedFor(t *testing.T) {
	for _, row := range []struct {
		name  string
		first int64 // so many are turned away
		after string
	}{
		{"without a word", 5, ""},
		{"with the time to wait", 1, "1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			to, err := url.Parse(server.Address())
			require.NoError(t, err)
			var seen atomic.Int64
			var refuse atomic.Bool
			proxy := httputil.NewSingleHostReverseProxy(to)
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				// A mount is asked about again after some seconds.
				if refuse.Load() && strings.Contains(r.URL.Path, "/data/") && seen.Add(1) <= row.first {
					if row.after != "" {
						w.Header().Set("Retry-After", row.after)
					}
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(http.StatusTooManyRequests)
					_, _ = w.Write([]byte(`{"errors":["request path \"kv/data/apps/svc\": rate limit quota exceeded"]}`))
					return
				}
				proxy.ServeHTTP(w, r)
			}))
			t.Cleanup(front.Close)
			c := vaulttest.NewCampaign()
			s := open(t, c, front.URL, server.RootToken())
			at := vaulttest.NewPath()
			vaulttest.SeedLive(t, at, map[string]any{at.Field: "there"}) // of what is absent the mount is asked again
			_, err = s.Cut(t.Context(), at.Mount+"/"+at.Path)
			require.NoError(t, err)
			refuse.Store(true)
			require.False(t, s.Throttled())
			began := time.Now()
			require.Eventually(t, func() bool { // it is known for some seconds, which a machine may stand still for
				seen.Store(0)
				_, err = s.ReadLive(t.Context(), at, 0)
				return err != nil || s.Throttled()
			}, 5*time.Minute, time.Millisecond)
			require.NoError(t, err)
			require.Equal(t, row.first+1, seen.Load())
			if row.after != "" {
				require.GreaterOrEqual(t, time.Since(began), time.Second)
			}

			seen.Store(-1000)
			var e *Error
			require.Eventually(t, func() bool { // on a machine that stands still no time is left to say it
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, err = s.ReadLive(ctx, credential.Path{Mount: "kv", Path: "a", Field: "b"}, 0)
				return errors.As(err, &e) && e.Kind == Throttled
			}, 5*time.Minute, time.Millisecond, "and not a time-out")
			require.Equal(t, protocol.ReasonThrottled, e.Stop().Reason)
			require.Contains(t, e.Stop().Detail, "sys/quotas")
		})
	}
}
