// Package vault is Rollcall's view of HashiCorp Vault, its only store.
//
// On our own KV v2 mount: staged values (which are also the lock on a
// credential), rolls, campaigns and ledger checkpoints. On our transit mount:
// the key that signs checkpoints. On the customer's mounts: the live secrets
// that consumers read, which are written with check-and-set and nothing else.
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

	lru "github.com/hashicorp/golang-lru/v2"
	vaultapi "github.com/hashicorp/vault/api"
)

// Settings name our own mounts. How to reach Vault and who we are comes from
// the environment: see Open.
type Settings struct {
	Mount   string // KV v2, without slashes at the ends
	Transit string
}

// Store is an open way to one Vault. It is safe for concurrent use; its
// connection pool is sized for 64 callers.
type Store struct {
	api     *vaultapi.Client
	mount   string
	transit string
	pages   *lru.Cache[string, rollPage] // rolls never change, so entries never go stale

	mounts   mountTable
	settings mountsSettings
	blind    atomic.Bool // our login lists secrets and was not let read one

	login ownLogin

	activated activated

	throttled *atomic.Int64 // when a rate limit last turned us away, in Unix nanoseconds

	stop context.CancelFunc // ends the login's keeper
	done sync.WaitGroup
	own  bool // the token is ours to revoke
}

// pagesCached bounds the decoded pages in memory: a page is at most 500
// credentials, and a campaign works on few pages at a time.
const pagesCached = 32

// Open connects and logs in.
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
func Open(ctx context.Context, st Settings) (*Store, error) {
	throttled := &atomic.Int64{}
	api, err := connect(throttled)
	if err != nil {
		return nil, err
	}
	who, err := chooseLogin()
	if err != nil {
		return nil, err
	}
	pages, err := lru.New[string, rollPage](pagesCached)
	if err != nil {
		return nil, err
	}
	s := &Store{api: api, mount: st.Mount, transit: st.Transit, pages: pages, own: who.appRole(), throttled: throttled}
	s.login.init(who)
	ttl, err := s.logIn(ctx)
	if err != nil {
		return nil, err
	}
	keep, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = cancel
	s.done.Go(func() { s.keep(keep, ttl) })
	return s, nil
}

// Close ends the renewal and revokes the token if Open obtained it.
func (s *Store) Close() error {
	s.stop()
	s.done.Wait()
	if !s.own {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	if err := s.api.Auth().Token().RevokeSelfWithContext(ctx, ""); err != nil {
		return s.fail("revoke our own token", "auth/token/revoke-self", update, err)
	}
	return nil
}

// throttledFor is how long after a refusal by a rate limit Vault counts as
// throttling.
const throttledFor = 5 * time.Second

// Throttled reports whether a rate limit of Vault turned us away a moment ago.
// What it turned away was sent again, and may have been carried out since.
func (s *Store) Throttled() bool {
	return time.Since(time.Unix(0, s.throttled.Load())) < throttledFor
}

// API is the client below the store, for the AppRole sources and the
// approle-secret-id kind. Whoever uses it must not change its token or headers.
func (s *Store) API() *vaultapi.Client { return s.api }
