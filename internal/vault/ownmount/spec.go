package ownmount

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"

	"rollcall/internal/vault"
)

// SpecKey is what a stored specification belongs to.
type SpecKey string

// CampaignSpec and ScheduleSpec name owners.
func CampaignSpec(campaign string) SpecKey { return SpecKey("campaign/" + campaign) }
func ScheduleSpec(schedule string) SpecKey { return SpecKey("schedule/" + schedule) }

const (
	specFolder = "specs"
	specChunk  = 480_000 // bytes before base64; see pageBytes

	opSpec       = "store the specification"
	opReadSpec   = "read the specification"
	opDeleteSpec = "delete the specification"
)

// SaveSpec stores a campaign file, as the worker needs it, once: a stored one
// is never changed, and saving over it satisfies IsCASMismatch, also when our
// own reply was lost. It is stored in parts with the index last, so a crash
// leaves nothing that LoadSpec would find.
func (s *Store) SaveSpec(ctx context.Context, owner SpecKey, data []byte) error {
	if _, found, err := s.specIndex(ctx, owner); err != nil || found {
		return s.unlessStored(owner, err)
	}
	// Parts of a name of their own: two callers at once do not mix.
	idx := specIndex{snapshot: strings.ToLower(rand.Text()[:16])}
	for rest := data; len(rest) > 0; idx.parts++ {
		part := rest[:min(len(rest), specChunk)]
		rest = rest[len(part):]
		if _, err := s.Put(ctx, opSpec, s.mount, specPath(owner, idx.part(idx.parts)), 0, map[string]any{"part": base64.StdEncoding.EncodeToString(part)}); err != nil {
			return err
		}
	}
	_, err := s.Put(ctx, opSpec, s.mount, specPath(owner, "index"), 0, map[string]any{"snapshot": idx.snapshot, "parts": idx.parts})
	if err == nil {
		return nil
	}
	// The worker may create an index but not change one, so a lost race can
	// show as a missing right.
	if kept, found, readErr := s.specIndex(ctx, owner); readErr == nil && found {
		if kept.snapshot == idx.snapshot {
			return nil
		}
		return s.unlessStored(owner, nil)
	}
	return err
}

func (s *Store) unlessStored(owner SpecKey, err error) error {
	if err != nil {
		return err
	}
	return &vault.Error{Op: opSpec, Path: s.mount + "/data/" + specPath(owner, "index"), Server: s.Address(), Kind: vault.CASMismatch,
		Detail: "one is stored for " + string(owner) + " already"}
}

// LoadSpec reads what SaveSpec stored. Nothing stored: a *vault.Error of kind
// NotFound.
func (s *Store) LoadSpec(ctx context.Context, owner SpecKey) ([]byte, error) {
	idx, found, err := s.specIndex(ctx, owner)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, &vault.Error{Op: opReadSpec, Path: s.mount + "/data/" + specPath(owner, "index"), Server: s.Address(), Kind: vault.NotFound,
			Detail: "nothing is stored for " + string(owner)}
	}
	var data []byte
	for i := range idx.parts {
		path := specPath(owner, idx.part(i))
		e, err := s.Get(ctx, opReadSpec, s.mount, path, 1)
		if err != nil {
			return nil, err
		}
		text, ok := e.Data["part"].(string)
		part, err := base64.StdEncoding.DecodeString(text)
		if !ok || err != nil {
			return nil, s.Odd(opReadSpec, s.mount+"/data/"+path, fmt.Errorf("part %d of %d is missing or unreadable", i+1, idx.parts))
		}
		data = append(data, part...)
	}
	return data, nil
}

// DeleteSpec removes a stored specification. None is no error.
func (s *Store) DeleteSpec(ctx context.Context, owner SpecKey) error {
	// The index first: what an interruption leaves is then found by nobody.
	if err := s.Purge(ctx, opDeleteSpec, s.mount, specPath(owner, "index")); err != nil {
		return err
	}
	snapshots, err := s.Names(ctx, opDeleteSpec, s.mount, specFolder+"/"+encodeID(string(owner)))
	if err != nil {
		return err
	}
	for _, snapshot := range snapshots {
		parts, err := s.Names(ctx, opDeleteSpec, s.mount, specPath(owner, strings.TrimSuffix(snapshot, "/")))
		if err != nil {
			return err
		}
		for _, part := range parts {
			if err := s.Purge(ctx, opDeleteSpec, s.mount, specPath(owner, snapshot+part)); err != nil {
				return err
			}
		}
	}
	return nil
}

type specIndex struct {
	snapshot string
	parts    int
}

func (x specIndex) part(i int) string { return fmt.Sprintf("%s/%d", x.snapshot, i) }

func (s *Store) specIndex(ctx context.Context, owner SpecKey) (specIndex, bool, error) {
	path := specPath(owner, "index")
	e, err := s.Get(ctx, opReadSpec, s.mount, path, 1)
	if err != nil || e.Data == nil {
		return specIndex{}, false, err
	}
	var idx specIndex
	var ok bool
	idx.snapshot, _ = e.Data["snapshot"].(string)
	if idx.parts, ok = vault.Number(e.Data["parts"]); !ok || idx.snapshot == "" {
		return idx, false, s.Odd(opReadSpec, s.mount+"/data/"+path, fmt.Errorf("the index is unreadable"))
	}
	return idx, true, nil
}

func specPath(owner SpecKey, name string) string {
	return specFolder + "/" + encodeID(string(owner)) + "/" + name
}
