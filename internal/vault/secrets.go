package vault

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
)

// SecretMeta is what the metadata of a KV v2 secret says. Its values are not read.
type SecretMeta struct {
	Mount  string            // "kv"
	Path   string            // below the mount
	Custom map[string]string // custom_metadata
}

const opListSecrets = "list secrets"

// ListSecrets calls each for every KV v2 secret at or below prefix ("kv/apps/esg-01"),
// folder by folder, from one goroutine. Deleted secrets whose metadata is left
// are listed too: their accounts may live. An error of each ends the listing
// and is returned. What cannot be listed is an error, so nothing is forgotten.
func (s *Store) ListSecrets(ctx context.Context, prefix string, each func(SecretMeta) error) error {
	mount, path, err := s.findMount(ctx, strings.Trim(prefix, "/"))
	if err != nil {
		return err
	}
	if path != "" {
		m, found, err := s.secretMeta(ctx, mount, path)
		if err != nil {
			return err
		}
		if found {
			if err := each(m); err != nil {
				return err
			}
		}
	}
	folders := []string{path}
	for len(folders) > 0 {
		folder := folders[len(folders)-1]
		folders = folders[:len(folders)-1]
		names, err := s.names(ctx, opListSecrets, mount, folder)
		if err != nil {
			return err
		}
		var leaves []string
		for _, n := range names {
			full := strings.TrimPrefix(folder+"/"+n, "/")
			if sub, isFolder := strings.CutSuffix(full, "/"); isFolder {
				folders = append(folders, sub)
			} else {
				leaves = append(leaves, full)
			}
		}
		if err := s.eachMeta(ctx, mount, leaves, each); err != nil {
			return err
		}
	}
	return nil
}

// eachMeta reads in chunks, so that a folder of any size takes little memory.
func (s *Store) eachMeta(ctx context.Context, mount string, paths []string, each func(SecretMeta) error) error {
	const chunk = 256
	for len(paths) > 0 {
		now := paths[:min(chunk, len(paths))]
		paths = paths[len(now):]
		metas := make([]SecretMeta, len(now))
		found := make([]bool, len(now))
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(readsAtOnce)
		for i, p := range now {
			g.Go(func() (err error) {
				metas[i], found[i], err = s.secretMeta(gctx, mount, p)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for i, m := range metas {
			if !found[i] {
				continue // deleted since it was listed
			}
			if err := each(m); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) secretMeta(ctx context.Context, mount, path string) (SecretMeta, bool, error) {
	at, err := below(mount, "metadata", path)
	if err != nil {
		return SecretMeta{}, false, err
	}
	got, err := s.api.Logical().ReadWithContext(ctx, at)
	if err != nil {
		return SecretMeta{}, false, s.fail(opListSecrets, at, read, err)
	}
	if got == nil {
		return SecretMeta{}, false, nil
	}
	m := SecretMeta{Mount: mount, Path: path, Custom: map[string]string{}}
	for k, v := range nested(got, "custom_metadata") {
		if text, ok := v.(string); ok {
			m.Custom[k] = text
		}
	}
	return m, true, nil
}

// findMount splits a prefix at the mount that serves it, which must be KV v2.
func (s *Store) findMount(ctx context.Context, prefix string) (mount, path string, err error) {
	at := "sys/internal/ui/mounts/" + prefix
	got, err := s.api.Logical().ReadWithContext(ctx, at)
	if err != nil {
		return "", "", s.fail("find the mount of "+prefix, at, read, err)
	}
	if got == nil {
		return "", "", s.odd("find the mount of "+prefix, at, fmt.Errorf("empty"))
	}
	name, _ := got.Data["path"].(string)
	kind, _ := got.Data["type"].(string)
	version, _ := nested(got, "options")["version"].(string)
	mount = strings.Trim(name, "/")
	if kind != "kv" || version != "2" || mount == "" {
		return "", "", fmt.Errorf("vault %s: %s is served by a mount of type %q, version %q: Rollcall reads KV version 2 (`vault kv enable-versioning` upgrades version 1)", s.api.Address(), prefix, kind, version)
	}
	return mount, strings.TrimPrefix(strings.TrimPrefix(prefix, mount), "/"), nil
}
