package vault

import (
	"context"
	"crypto/tls"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
)

const (
	// RequestTimeout is how long one request may take.
	RequestTimeout = 10 * time.Second
	poolSize       = 64 // most callers at once: Limits.Parallel × Limits.Concurrency by default
)

// connect builds the client from Vault's environment. It does no network I/O.
// lately is when a rate limit turned the client away.
func connect(lately *atomic.Int64) (*vaultapi.Client, error) {
	cfg := vaultapi.DefaultConfig()
	if cfg.Error != nil {
		return nil, fmt.Errorf("vault: the environment (VAULT_…) cannot be used: %w", cfg.Error)
	}
	if err := refuseClearText(cfg.Address); err != nil {
		return nil, err
	}
	tr := cfg.HttpClient.Transport.(*http.Transport)
	if os.Getenv(vaultapi.EnvVaultClientTimeout) == "" {
		// The client's own limit is for all tries of a request together.
		cfg.Timeout = RequestTimeout + throttlePatience
		tr.ResponseHeaderTimeout = RequestTimeout
		tr.DialContext = (&net.Dialer{Timeout: RequestTimeout, KeepAlive: 30 * time.Second}).DialContext
	}
	cfg.MaxRetries = math.MaxInt32 // until the time is up
	cfg.CheckRetry = func(ctx context.Context, resp *http.Response, err error) (bool, error) {
		if resp != nil && resp.StatusCode == http.StatusTooManyRequests {
			lately.Store(time.Now().UnixNano())
		}
		return retryRefusedOnly(ctx, resp, err)
	}
	cfg.Backoff = backOff

	tr.MaxIdleConns = 2 * poolSize
	tr.MaxIdleConnsPerHost = poolSize
	// One broken HTTP/2 connection would take every caller's request with it.
	tr.ForceAttemptHTTP2 = false
	tr.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	tr.TLSClientConfig.NextProtos = []string{"http/1.1"}

	api, err := vaultapi.NewClient(cfg)
	if err != nil {
		return nil, fmt.Errorf("vault: the environment (VAULT_…) cannot be used: %w", err)
	}
	api.ClearToken()
	return api, nil
}

// throttlePatience is how long a request that a quota turns away is sent again.
// Quotas are counted over a second or a few, so that giving up sooner would
// leave work undone that only had to wait for its turn.
const throttlePatience = 45 * time.Second

// Waits between the tries of a request that was turned away.
const (
	backOffLeast = 100 * time.Millisecond
	maxBackOff   = 2 * time.Second
)

// retryRefusedOnly retries what Vault certainly did not carry out: rate limits
// (429) and a follower that lags (412), as long as there is time. Everything
// else, a lost reply above all, must reach the caller at once, who observes and
// decides.
func retryRefusedOnly(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil || resp == nil || !turnedAway(resp) {
		return false, nil
	}
	// To run out of time while waiting would hide what Vault said.
	end, ok := ctx.Deadline()
	return !ok || time.Until(end) > max(maxBackOff, retryAfter(resp)), nil
}

func turnedAway(resp *http.Response) bool {
	return resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusPreconditionFailed
}

// backOff doubles, with chance in it: callers that were turned away together
// must not come back together. What Vault asks for goes before
// (enable_rate_limit_response_headers of sys/quotas/config).
func backOff(_, _ time.Duration, attempt int, resp *http.Response) time.Duration {
	if asked := retryAfter(resp); asked > 0 {
		return asked + rand.N(backOffLeast)
	}
	longest := min(backOffLeast<<min(attempt, 10), maxBackOff)
	return longest/2 + rand.N(longest/2)
}

func retryAfter(resp *http.Response) time.Duration {
	if resp == nil {
		return 0
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func refuseClearText(addr string) error {
	u, err := url.Parse(addr)
	if err != nil || !slices.Contains([]string{"https", "http", "unix"}, u.Scheme) {
		return fmt.Errorf("vault: VAULT_ADDR is not a URL: write https://host:8200")
	}
	// What a browser shows is not where the API is. Another path may be a
	// proxy's.
	if first, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/"); first == "ui" || first == "v1" {
		return fmt.Errorf("vault: VAULT_ADDR has a path, /%s…, that is no part of it: write %s://%s", first, u.Scheme, u.Host)
	}
	if u.Scheme == "unix" || loopback(u.Hostname()) {
		return nil
	}
	if skips, _ := strconv.ParseBool(os.Getenv(vaultapi.EnvVaultSkipVerify)); skips && u.Scheme == "https" {
		return fmt.Errorf("vault: VAULT_SKIP_VERIFY is set, so anybody on the network can pose as %s and gets every new value; unset it, and set VAULT_CACERT for a private CA", u.Host)
	}
	if u.Scheme == "https" {
		return nil
	}
	return fmt.Errorf("vault: VAULT_ADDR is http://%s: tokens and secrets would cross the network in clear text; use https:// (and VAULT_CACERT for a private CA)", u.Host)
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
