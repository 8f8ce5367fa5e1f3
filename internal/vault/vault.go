// Package vault is the client for HashiCorp Vault: how Rollcall logs in and
// stays logged in, what an error of Vault means, and the secrets on the
// customer's mounts that consumers read, which are written with check-and-set
// and nothing else. What Rollcall keeps on its own mount is vault/ownmount;
// making that, and looking whether all is in order, is vault/setup.
//
// Every call either gives Vault's answer or an *Error. After an *Error of kind
// Unreachable a write may have been applied: the caller observes before it
// does anything else. No call retries a write by itself.
package vault

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
)

// Client is an open way to one Vault. It is safe for concurrent use; its
// connection pool is sized for 64 callers.
type Client struct {
	api  *vaultapi.Client
	root *vaultapi.Client // of the root namespace, not logged in
	own  string           // Rollcall's own mount, which Vault need not be asked for

	mounts   mountTable
	settings mountsSettings
	blind    atomic.Bool // our login lists secrets and was not let read one

	login ownLogin

	drawn lastDrawn

	throttled *atomic.Int64 // when a rate limit last turned us away, in Unix nanoseconds

	stop context.CancelFunc // ends the login's keeper
	done sync.WaitGroup
}

// Open connects and logs in. own is Rollcall's own mount (KV v2, without
// slashes at the ends).
//
// The server comes from Vault's own environment: VAULT_ADDR, VAULT_CACERT,
// VAULT_NAMESPACE and the others that the vault command reads. The login is
// AppRole at auth/approle if ROLLCALL_ROLE_ID and ROLLCALL_SECRET_ID_FILE are
// set, else VAULT_TOKEN, else the file .vault-token in the home directory.
// Tokens are renewed in the background until Close; an AppRole login is made
// afresh when its token can no longer be renewed, and reads the file again. The
// workers' own role (Role) also follows a rotation of its secret-id: see watch.
//
// Open fails with an *Error when Vault is sealed, out of reach or refuses the
// login, and with a plain error when the environment makes no sense (no
// login, http to another machine, a secret-id file that others can read).
func Open(ctx context.Context, own string) (*Client, error) {
	s, err := Connect(own)
	if err != nil {
		return nil, err
	}
	if err := s.ChooseLogin(); err != nil {
		return nil, err
	}
	l, err := s.LogIn(ctx)
	if err != nil {
		return nil, err
	}
	keep, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = cancel
	s.done.Go(func() { s.keep(keep, l) })
	return s, nil
}

// Connect is the first step of Open alone: the way to the server that the
// environment names, which nobody has gone yet. ChooseLogin and LogIn are the
// others; what they log in is not kept.
func Connect(own string) (*Client, error) {
	throttled := &atomic.Int64{}
	api, err := connect(throttled)
	if err != nil {
		return nil, err
	}
	return &Client{api: api, root: api.WithNamespace(""), own: own, throttled: throttled}, nil
}

// Close ends the renewal and revokes the token if it is of an AppRole login.
// One that has ended already is no error.
func (c *Client) Close() error {
	if c.stop != nil {
		c.stop()
	}
	c.done.Wait()
	if !c.AppRole() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), RequestTimeout)
	defer cancel()
	if err := c.api.Auth().Token().RevokeSelfWithContext(ctx, ""); err != nil {
		if failed := c.Fail("revoke our own token", "auth/token/revoke-self", Update, err); !IsKind(failed, TokenExpired) {
			return failed
		}
	}
	return nil
}

// throttledFor is how long after a refusal by a rate limit Vault counts as
// throttling.
const throttledFor = 5 * time.Second

// Throttled reports whether a rate limit of Vault turned us away a moment ago.
// What it turned away was sent again, and may have been carried out since.
func (c *Client) Throttled() bool {
	return time.Since(time.Unix(0, c.throttled.Load())) < throttledFor
}

// Address is the server's.
func (c *Client) Address() string { return c.api.Address() }

// API is the client below, for the AppRole sources and the
// approle-secret-id kind. Whoever uses it must not change its token or headers.
func (c *Client) API() *vaultapi.Client { return c.api }

// Health is what the server says of itself (sys/health), which wants no login
// and is answered in the root namespace alone, whichever is ours.
func (c *Client) Health(ctx context.Context) (*vaultapi.HealthResponse, error) {
	return c.root.Sys().HealthWithContext(ctx)
}

// ServerTime is Vault's clock; said is false where it does not say.
func (c *Client) ServerTime(ctx context.Context) (now time.Time, said bool) {
	h, err := c.Health(ctx)
	if err != nil || h.ServerTimeUTC == 0 {
		return time.Time{}, false
	}
	return time.Unix(h.ServerTimeUTC, 0), true
}
