package ownmount

import (
	"context"
	"fmt"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// What was stolen of a task is kept beside what is staged, from the listing to
// the end of the task: a version of the secret where a person writes holds
// other fields too, and whoever cleans up for one of those, or its
// max_versions, takes it away.

// StolenValues are the values of versions of a secret that a thief may have, as
// their readers take them.
type StolenValues map[string][]credential.Secret

// Of are those of one version; none where nobody could read it in time.
func (s StolenValues) Of(v credential.StolenVersion) []credential.Secret { return s[stolenKey(v)] }

func stolenKey(v credential.StolenVersion) string {
	return fmt.Sprintf("%d, of %s", v.Version, v.Written.UTC().Format(time.RFC3339Nano))
}

const opStolen = "keep what was stolen of a task"

// stolenPath is no path of an entry that is staged: no encoded id has such an
// end (names.go).
func (s *Store) stolenPath(id string) string { return s.stagingPath(id) + "~stolen" }

// KeepStolen keeps the values of versions of a task that are not kept yet, as
// read gives them, and gives all that is kept. What read gives nothing of is
// tried again by the next call.
func (s *Store) KeepStolen(ctx context.Context, id string, versions []credential.StolenVersion, read func(credential.StolenVersion) ([]credential.Secret, error)) (StolenValues, error) {
	for range maxStageTries {
		kept, version, err := s.stolenKept(ctx, id)
		if err != nil {
			return nil, err
		}
		had := len(kept)
		for _, v := range versions {
			if len(kept.Of(v)) > 0 {
				continue
			}
			values, err := read(v)
			if err != nil {
				return nil, err
			}
			if len(values) > 0 {
				kept[stolenKey(v)] = values
			}
		}
		if len(kept) == had {
			return kept, nil
		}
		if _, err = s.Put(ctx, opStolen, s.mount, s.stolenPath(id), version, kept.encode()); !vault.IsCASMismatch(err) {
			return kept, err
		}
	}
	return nil, &vault.Error{Op: opStolen, Path: s.mount + "/data/" + s.stolenPath(id), Server: s.Address(), Kind: vault.CASMismatch,
		Detail: "others keep writing it; if somebody deleted its data by hand, delete its metadata too"}
}

// StolenKept is all that is kept of a task.
func (s *Store) StolenKept(ctx context.Context, id string) (StolenValues, error) {
	kept, _, err := s.stolenKept(ctx, id)
	return kept, err
}

func (s *Store) stolenKept(ctx context.Context, id string) (StolenValues, int, error) {
	e, err := s.Get(ctx, opStolen, s.mount, s.stolenPath(id), 0)
	kept := StolenValues{}
	for key, list := range e.Data {
		for _, text := range vault.TextsIn(list) {
			kept[key] = append(kept[key], credential.NewSecret(text))
		}
	}
	return kept, e.Version, err
}

func (s StolenValues) encode() map[string]any {
	out := map[string]any{}
	for key, values := range s {
		texts := make([]string, 0, len(values))
		for _, v := range values {
			texts = append(texts, v.Reveal())
		}
		out[key] = texts
	}
	return out
}

// DropStolen deletes what was kept of a task that is dead.
func (s *Store) DropStolen(ctx context.Context, id string) error {
	return s.Purge(ctx, "delete what was stolen of a task", s.mount, s.stolenPath(id))
}
