package ownmount

import (
	"context"
	"time"

	"rollcall/internal/vault"
)

// probePath is a name that no credential's staging entry has.
const probePath = stagingFolder + "/~probe"

// Probe writes to our own mount, where the worker stages, to see whether Vault
// takes writes.
func (s *Store) Probe(ctx context.Context) error {
	const op = "try a write"
	at := s.mount + "/data/" + probePath
	_, err := s.API().Logical().WriteWithContext(ctx, at, map[string]any{"data": map[string]any{"at": time.Now().UTC().Format(time.RFC3339)}})
	if err != nil {
		return s.Fail(op, at, vault.Write, err)
	}
	return nil
}
