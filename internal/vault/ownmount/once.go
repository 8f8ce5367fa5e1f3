package ownmount

import (
	"context"
	"encoding/json"

	"rollcall/internal/vault"
)

// NoteOnce notes that something is done for a credential in a campaign, before
// it is. first is true for one call alone, whichever process makes it; a call
// whose answer was lost may have been that one.
func (s *Store) NoteOnce(ctx context.Context, campaign, what, where, id string) (first bool, err error) {
	index, err := s.ReadIndex(ctx, campaign)
	if err != nil {
		return false, err
	}
	body, err := json.Marshal(what)
	if err != nil {
		return false, err
	}
	// Beside the pages of the roll, where the worker may create and not change.
	at := rollPath(campaign, index.Snapshot, "once-"+encodeSegment(what+"/"+where+"/"+id))
	_, err = s.Put(ctx, "note what is done once", s.mount, at, 0, map[string]any{pageField: string(body)})
	if err == nil {
		return true, nil
	}
	if e, readErr := s.Get(ctx, "note what is done once", s.mount, at, 0); vault.IsCASMismatch(err) || readErr == nil && e.Version > 0 {
		return false, nil
	}
	return false, err
}
