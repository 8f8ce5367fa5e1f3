package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
)

// entry is one version of a KV v2 secret. Without data the secret, or this
// version of it, is absent, deleted or destroyed; version is then still the
// one to compare-and-set against (0: the path never existed).
type entry struct {
	data    map[string]any // numbers are json.Number
	version int
	written time.Time // zero if Vault did not say
}

// get reads a version, 0 for the current one.
func (s *Store) get(ctx context.Context, op, mount, path string, version int) (entry, error) {
	place, err := below(mount, "data", path)
	if err != nil {
		return entry{}, err
	}
	var params map[string][]string
	if version > 0 {
		params = map[string][]string{"version": {fmt.Sprint(version)}}
	}
	got, err := s.api.Logical().ReadWithDataWithContext(ctx, place, params)
	if err != nil {
		return entry{}, s.fail(op, place, read, err)
	}
	if got == nil {
		return entry{}, nil
	}
	v, err := versionOf(nested(got, "metadata"))
	if err != nil {
		return entry{}, s.odd(op, place, err)
	}
	at, _ := nested(got, "metadata")["created_time"].(string)
	written, _ := time.Parse(time.RFC3339Nano, at)
	return entry{nested(got, "data"), v, written}, nil
}

// put writes the next version if the current one is cas.
func (s *Store) put(ctx context.Context, op, mount, path string, cas int, data map[string]any) (int, error) {
	at, err := below(mount, "data", path)
	if err != nil {
		return 0, err
	}
	got, err := s.api.Logical().WriteWithContext(ctx, at, map[string]any{
		"options": map[string]any{"cas": cas},
		"data":    data,
	})
	if err != nil {
		return 0, s.fail(op, at, write, err)
	}
	if got == nil {
		return 0, s.odd(op, at, fmt.Errorf("empty answer to a write"))
	}
	v, err := versionOf(got.Data)
	if err != nil {
		return 0, s.odd(op, at, err)
	}
	return v, nil
}

// purge deletes a secret with all its versions and metadata, as if it had
// never been: the next cas=0 succeeds. An absent secret is no error.
func (s *Store) purge(ctx context.Context, op, mount, path string) error {
	at, err := below(mount, "metadata", path)
	if err != nil {
		return err
	}
	if _, err := s.api.Logical().DeleteWithContext(ctx, at); err != nil {
		return s.fail(op, at, remove, err)
	}
	return nil
}

// names lists one folder; subfolders end in "/". An absent folder is empty.
func (s *Store) names(ctx context.Context, op, mount, folder string) ([]string, error) {
	at := mount + "/metadata/"
	if folder != "" {
		var err error
		if at, err = below(mount, "metadata", strings.TrimSuffix(folder, "/")); err != nil {
			return nil, err
		}
		at += "/"
	}
	got, err := s.api.Logical().ListWithContext(ctx, at)
	if err != nil {
		return nil, s.fail(op, at, list, err)
	}
	return listed(got), nil
}

func listed(got *vaultapi.Secret) []string {
	if got == nil {
		return nil
	}
	keys, _ := got.Data["keys"].([]any)
	out := make([]string, 0, len(keys))
	for _, k := range keys {
		if name, ok := k.(string); ok {
			out = append(out, name)
		}
	}
	return out
}

// odd is an answer that no Vault should give.
func (s *Store) odd(op, path string, err error) error {
	return &Error{Op: op, Path: path, Server: s.api.Address(), Kind: Other, Detail: "unexpected answer: " + err.Error()}
}

// below joins an API path. The client cleans paths, so a segment that cleaning
// would swallow must not reach it: it would name another secret.
func below(mount, kind, path string) (string, error) {
	for _, seg := range strings.Split(mount+"/"+path, "/") {
		if seg == "" || seg == "." || seg == ".." {
			return "", &Error{Op: "name a secret", Path: mount + "/" + kind + "/" + path, Kind: BadPath}
		}
	}
	return mount + "/" + kind + "/" + path, nil
}

func nested(got *vaultapi.Secret, key string) map[string]any {
	if got == nil {
		return nil
	}
	m, _ := got.Data[key].(map[string]any)
	return m
}

func versionOf(meta map[string]any) (int, error) {
	n, ok := meta["version"].(json.Number)
	if !ok {
		return 0, fmt.Errorf("no version (is the mount KV v2?)")
	}
	v, err := n.Int64()
	return int(v), err
}
