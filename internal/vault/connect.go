package vault

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
)

const (
	requestTimeout = 10 * time.Second
	poolSize       = 64 // most callers at once: Limits.Parallel × Limits.Concurrency by default
)

// connect builds the client from Vault's environment. It does no network I/O.
func connect() (*vaultapi.Client, error) {
	cfg := vaultapi.DefaultConfig()
	if cfg.Error != nil {
		return nil, fmt.Errorf("vault: the environment (VAULT_…) cannot be used: %w", cfg.Error)
	}
	if err := refuseClearText(cfg.Address); err != nil {
		return nil, err
	}
	if os.Getenv(vaultapi.EnvVaultClientTimeout) == "" {
		cfg.Timeout = requestTimeout
	}
	cfg.MaxRetries = 2
	cfg.MinRetryWait = 100 * time.Millisecond
	cfg.MaxRetryWait = time.Second
	cfg.CheckRetry = retryRefusedOnly

	tr := cfg.HttpClient.Transport.(*http.Transport)
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

// retryRefusedOnly retries what Vault certainly did not carry out: rate limits
// (429) and a follower that lags (412). Everything else, a lost reply above
// all, must reach the caller at once, who observes and decides.
func retryRefusedOnly(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil || resp == nil {
		return false, nil
	}
	return resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusPreconditionFailed, nil
}

func refuseClearText(addr string) error {
	u, err := url.Parse(addr)
	if err != nil || !slices.Contains([]string{"https", "http", "unix"}, u.Scheme) {
		return fmt.Errorf("vault: VAULT_ADDR is not a URL: write https://host:8200")
	}
	if u.Scheme != "http" || loopback(u.Hostname()) {
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
