package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"rollcall/internal/credential"
)

// Live is one version of one field of a secret that consumers read.
type Live struct {
	Value credential.Secret

	// Version of the secret; the current one is what Activate compares with.
	// 0: the path never existed. It is set for a deleted or destroyed version
	// too, as long as Vault still knows it.
	Version int

	// Written is when this version was written, by Vault's clock; zero if unknown.
	Written time.Time

	// Found: this version can be read and has the field.
	Found bool

	data map[string]any // all fields, so that Activate keeps the others
}

// activateTriesMost bounds the retries of Activate: each lost race means that a
// sibling field's write succeeded, and a secret rarely has more fields.
const activateTriesMost = 64

// ReadLive reads a field at a version, 0 for the current one. An absent path,
// version or field is Found false, not an error.
func (s *Store) ReadLive(ctx context.Context, p credential.Path, version int) (Live, error) {
	e, err := s.get(ctx, "read a live secret", p.Mount, p.Path, version)
	if err != nil {
		return Live{}, err
	}
	l := Live{Version: e.version, Written: e.written, data: e.data}
	switch v := e.data[p.Field].(type) {
	case nil:
	case string:
		l.Value, l.Found = credential.NewSecret(v), true
	case json.Number:
		l.Value, l.Found = credential.NewSecret(v.String()), true
	default:
		return Live{}, s.odd("read a live secret", p.Mount+"/data/"+p.Path,
			fmt.Errorf("field %q is neither a string nor a number, so it cannot be a password", p.Field))
	}
	return l, nil
}

// Activate makes value the one that consumers read, in exactly one write with
// every other field as it was, and returns the new version. from is the
// current version as the caller read it; if it is not Found the path or field
// is created.
//
// If the secret was written in between and only other fields differ, Activate
// writes on top of them. If the field already holds value, a lost reply of an
// earlier call explains it and that is success. If the field holds anything
// else the error satisfies AsCAS and nothing was written.
func (s *Store) Activate(ctx context.Context, p credential.Path, from Live, value credential.Secret) (int, error) {
	now := from
	for range activateTriesMost {
		data := maps.Clone(now.data)
		if data == nil {
			data = map[string]any{}
		}
		data[p.Field] = value.Reveal()
		v, err := s.put(ctx, "activate a new value", p.Mount, p.Path, now.Version, data)
		if err == nil || !AsCAS(err) {
			return v, err
		}
		mismatch := err
		if now, err = s.ReadLive(ctx, p, 0); err != nil {
			return 0, err
		}
		switch {
		case now.Value.Equal(value):
			return now.Version, nil
		case now.Found != from.Found, from.Found && now.Value.Reveal() != from.Value.Reveal():
			return 0, mismatch
		}
	}
	return 0, &Error{Op: "activate a new value", Path: p.Mount + "/data/" + p.Path, Server: s.api.Address(), Kind: CASMismatch,
		Detail: "other fields of the secret keep changing"}
}

// DestroyUpTo destroys version and every older one beyond recovery. Versions
// that are destroyed or gone already are no error.
//
// A version holds all fields of a secret. Where several credentials live in one
// secret, destroy only after the last of them is proved dead, or the old
// values of the others are lost to their proofs.
func (s *Store) DestroyUpTo(ctx context.Context, p credential.Path, version int) error {
	const op = "destroy old versions"
	if version < 1 {
		return nil
	}
	versions := []int{1}
	if version > 1 {
		// Vault deletes from storage whatever number it is given, existing or
		// not, so asking first is cheaper than naming all.
		var err error
		if versions, err = s.undestroyed(ctx, op, p, version); err != nil || len(versions) == 0 {
			return err
		}
	}
	at, err := below(p.Mount, "destroy", p.Path)
	if err != nil {
		return err
	}
	if _, err := s.api.Logical().WriteWithContext(ctx, at, map[string]any{"versions": versions}); err != nil {
		return s.fail(op, at, update, err)
	}
	return nil
}

func (s *Store) undestroyed(ctx context.Context, op string, p credential.Path, upTo int) ([]int, error) {
	at, err := below(p.Mount, "metadata", p.Path)
	if err != nil {
		return nil, err
	}
	got, err := s.api.Logical().ReadWithContext(ctx, at)
	if err != nil {
		return nil, s.fail(op, at, read, err)
	}
	var out []int
	for key, v := range nested(got, "versions") {
		var n int
		if _, err := fmt.Sscan(key, &n); err != nil {
			return nil, s.odd(op, at, fmt.Errorf("a version is not a number"))
		}
		meta, _ := v.(map[string]any)
		if destroyed, _ := meta["destroyed"].(bool); !destroyed && n <= upTo {
			out = append(out, n)
		}
	}
	return out, nil
}
