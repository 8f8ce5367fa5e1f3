// Package ownmount is what Rollcall keeps in Vault, its only store. On its own
// KV v2 mount: staged values (which are also the lock on a credential), rolls
// and what became of them, campaigns, specifications, where values were
// activated, and the ledger's checkpoints. On its own transit mount: the key
// that signs checkpoints.
package ownmount

import (
	"context"

	lru "github.com/hashicorp/golang-lru/v2"

	"rollcall/internal/vault"
)

// Settings name our own mounts. How to reach Vault and who we are comes from
// the environment: see vault.Open.
type Settings struct {
	Mount   string // KV v2, without slashes at the ends
	Transit string
}

// Store is a Vault and Rollcall's own mounts in it. It is safe for concurrent
// use.
type Store struct {
	*vault.Client

	mount   string
	transit string
	pages   *lru.Cache[string, rollPage] // rolls never change, so entries never go stale

	activated activated
	leads     leadsKey

	rehearsal string // its id, if this is the store of one
}

// pagesCached bounds the decoded pages in memory: a page is at most 500
// credentials, 600 KiB of memory, and a campaign works on few pages at a time.
const pagesCached = 12

// readsAtOnce is how many entries are read at a time.
const readsAtOnce = 16

// Open is vault.Open, and the mounts.
func Open(ctx context.Context, st Settings) (*Store, error) {
	c, err := vault.Open(ctx, st.Mount)
	if err != nil {
		return nil, err
	}
	return On(c, st), nil
}

// On is what Rollcall keeps in a Vault that is open.
func On(c *vault.Client, st Settings) *Store {
	pages, _ := lru.New[string, rollPage](pagesCached) // the only error is of a size below 1
	return &Store{Client: c, mount: st.Mount, transit: st.Transit, pages: pages}
}

// Mount and Transit are the names of our own mounts.
func (s *Store) Mount() string   { return s.mount }
func (s *Store) Transit() string { return s.transit }
