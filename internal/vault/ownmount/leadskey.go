package ownmount

import (
	"context"
	"crypto/rand"
	"sync"

	"rollcall/internal/vault"
)

// leadsKey is what the rolls of this mount tell hosts by (vault.Leads.Digest).
// It lies where staged values do, which operators and the ledger may not read:
// they may read rolls.
type leadsKey struct {
	mu  sync.Mutex
	key []byte
}

const opLeadsKey = "read the key by which rolls tell hosts"

// leadsKeyPath is no path of an entry that is staged: no encoded id begins so
// (names.go).
const leadsKeyPath = stagingFolder + "/~leads"

// LeadsKey is that key; nil where there is none. make makes one where there is
// none yet.
func (s *Store) LeadsKey(ctx context.Context, make bool) ([]byte, error) {
	s.leads.mu.Lock()
	defer s.leads.mu.Unlock()
	for range maxStageTries {
		if s.leads.key != nil {
			return s.leads.key, nil
		}
		e, err := s.Get(ctx, opLeadsKey, s.mount, leadsKeyPath, 0)
		if err != nil && !vault.IsNotFound(err) {
			return nil, err
		}
		if text, _ := e.Data[pageField].(string); text != "" {
			s.leads.key = []byte(text)
			continue
		}
		if !make {
			return nil, nil
		}
		text := rand.Text() + rand.Text()
		_, err = s.Put(ctx, opLeadsKey, s.mount, leadsKeyPath, e.Version, map[string]any{pageField: text})
		if err != nil && !vault.IsCASMismatch(err) {
			return nil, err
		}
	}
	return nil, &vault.Error{Op: opLeadsKey, Path: s.mount + "/data/" + leadsKeyPath, Server: s.Address(), Kind: vault.CASMismatch}
}
