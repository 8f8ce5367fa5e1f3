package vault

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// SecretMeta is what the metadata of a KV v2 secret says, and, if our login may
// read it, what the secret holds.
type SecretMeta struct {
	Mount  string            // "kv"
	Path   string            // below the mount
	Custom map[string]string // custom_metadata

	held *Entry
	read time.Time
}

// Live is a field as it was when that was asked; false if it was not read.
func (m SecretMeta) Live(field string) (live Live, asked time.Time, read bool) {
	if m.held == nil {
		return Live{}, time.Time{}, false
	}
	return liveOf(*m.held, field), m.read, true
}

// readsAtOnce is how many secrets are read at a time.
const readsAtOnce = 16

const opListSecrets = "list secrets"

// ListSecrets calls each for every KV v2 secret at or below prefix
// ("kv/apps/esg-01"), folder by folder, from one goroutine. Deleted secrets
// whose metadata is left are listed too: their accounts may live. An error of
// each ends the listing and is returned. What cannot be listed is an error, so
// nothing is forgotten.
func (c *Client) ListSecrets(ctx context.Context, prefix string, each func(SecretMeta) error) error {
	place, err := c.Cut(ctx, prefix)
	if err != nil {
		return err
	}
	mount, path := place.Mount, place.Path
	if path != "" {
		m, found, err := c.secretMeta(ctx, mount, path)
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
		names, err := c.Names(ctx, opListSecrets, mount, folder)
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
		if err := c.eachMeta(ctx, mount, leaves, each); err != nil {
			return err
		}
	}
	// A mount that was made anew meanwhile has shown empty folders.
	_, err = c.cutSince(ctx, prefix, time.Now())
	return err
}

// eachMeta reads in chunks, so that a folder of any size takes little memory.
func (c *Client) eachMeta(ctx context.Context, mount string, paths []string, each func(SecretMeta) error) error {
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
				metas[i], found[i], err = c.secretMeta(gctx, mount, p)
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

func (c *Client) secretMeta(ctx context.Context, mount, path string) (SecretMeta, bool, error) {
	// One read gives what the secret holds and its custom_metadata.
	if !c.blind.Load() {
		asked := time.Now()
		e, err := c.Get(ctx, opListSecrets, mount, path, 0)
		switch {
		case IsKind(err, PermissionDenied):
			c.blind.Store(true) // an operator's login: metadata alone
		case err != nil:
			return SecretMeta{}, false, err
		case e.Version > 0 && e.custom != nil:
			return SecretMeta{Mount: mount, Path: path, Custom: e.custom, held: &e, read: asked}, true, nil
		}
	}
	at, err := below(mount, "metadata", path)
	if err != nil {
		return SecretMeta{}, false, err
	}
	got, err := c.api.Logical().ReadWithContext(ctx, at)
	if err != nil {
		return SecretMeta{}, false, c.Fail(opListSecrets, at, Read, err)
	}
	if got == nil {
		return SecretMeta{}, false, nil
	}
	return SecretMeta{Mount: mount, Path: path, Custom: Texts(nested(got, "custom_metadata"))}, true, nil
}
