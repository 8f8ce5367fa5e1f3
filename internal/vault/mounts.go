package vault

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// mountTable is what Vault said of its mounts. A mount may have several
// segments (team/kv), so a path does not show where its mount ends: Vault is
// asked, once for each mount. No mount lies below another one (Vault refuses
// that), so a known one serves all that begins with it.
type mountTable struct {
	mu    sync.Mutex
	known map[string]bool // "team/kv", of KV version 2
}

// cut splits a path at a known mount.
func (t *mountTable) cut(full string) (mount, rest string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for at := 0; at < len(full); {
		i := strings.IndexByte(full[at:], '/')
		if i < 0 {
			return full, "", t.known[full]
		}
		if t.known[full[:at+i]] {
			return full[:at+i], full[at+i+1:], true
		}
		at += i + 1
	}
	return "", "", false
}

func (t *mountTable) add(mount string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known == nil {
		t.known = map[string]bool{}
	}
	t.known[mount] = true
}

// Place is a path of Vault, cut where its mount ends.
type Place struct{ Mount, Path string }

// Cut finds the mount that serves a path ("team/kv/apps/x"), which must be KV
// version 2. The error is an *Error of kind NoMount or NotKV2 where that is the
// trouble. What was found stays known for the life of the store.
func (c *Client) Cut(ctx context.Context, full string) (Place, error) {
	full = strings.Trim(full, "/")
	if mount, rest, ok := c.mounts.cut(full); ok {
		return Place{mount, rest}, nil
	}
	for _, seg := range strings.Split(full, "/") {
		if seg == "" || seg == "." || seg == ".." {
			return Place{}, &Error{Op: "name a secret", Path: full, Server: c.api.Address(), Kind: BadPath}
		}
	}
	op, at := "find the mount of a path", "sys/internal/ui/mounts/"+full
	got, err := c.api.Logical().ReadWithContext(ctx, at)
	if err != nil {
		failed := c.Fail(op, at, Read, err)
		if IsKind(failed, PermissionDenied) {
			return Place{}, c.noMount(ctx, full)
		}
		return Place{}, failed
	}
	if got == nil {
		return Place{}, c.Odd(op, at, fmt.Errorf("empty"))
	}
	name, _ := got.Data["path"].(string)
	kind, _ := got.Data["type"].(string)
	version, _ := nested(got, "options")["version"].(string)
	mount := strings.Trim(name, "/")
	if mount == "" || full != mount && !strings.HasPrefix(full, mount+"/") {
		return Place{}, c.Odd(op, at, fmt.Errorf("it names a mount that does not serve the path"))
	}
	if kind != "kv" || version != "2" {
		return Place{}, &Error{Op: op, Path: full, Server: c.api.Address(), Kind: NotKV2,
			Detail: fmt.Sprintf("the mount %s is of type %s%s", mount, kind, strings.TrimSuffix(", version "+version, ", version "))}
	}
	c.mounts.add(mount)
	return Place{mount, strings.TrimPrefix(strings.TrimPrefix(full, mount), "/")}, nil
}

// noMount tells a mount that is not there from one on which our login has no
// right at all: Vault's answer to the question for the mount is the same. A
// login without rights is refused before Vault looks for the mount, and so is
// told nothing either. Policies write the path of a secret with "data" behind
// its mount, wherever that ends, and grant no more.
func (c *Client) noMount(ctx context.Context, full string) error {
	const op = "read a secret"
	paths := []string{full}
	for i := range full {
		if full[i] == '/' {
			paths = append(paths, full[:i]+"/data"+full[i:])
		}
	}
	var refused error
	for _, path := range paths {
		_, err := c.api.Logical().ReadWithContext(ctx, path)
		if err == nil {
			return &Error{Op: op, Path: full, Server: c.api.Address(), Kind: NoMount}
		}
		if refused = err; !Answered(err, http.StatusForbidden) {
			break
		}
	}
	return c.Fail(op, paths[min(1, len(paths)-1)], Read, refused) // as policies write it, by the likeliest mount
}

// at is the API path of a part ("data", "metadata", "destroy") of a secret.
// mount and path are as a reference writes them, cut at its first segment.
func (c *Client) at(ctx context.Context, mount, part, path string) (string, error) {
	if mount == c.own {
		return below(mount, part, path)
	}
	if at, err := below(mount, part, path); err != nil {
		return at, err
	}
	p, err := c.Cut(ctx, mount+"/"+path)
	if err != nil {
		return "", err
	}
	return below(p.Mount, part, p.Path)
}

// Mounts are the mounts of secrets that our login has any right on, of whatever
// type.
func (c *Client) Mounts(ctx context.Context) ([]string, error) {
	const op, at = "list the mounts", "sys/internal/ui/mounts"
	got, err := c.api.Logical().ReadWithContext(ctx, at)
	if err != nil {
		return nil, c.Fail(op, at, Read, err)
	}
	var out []string
	for name := range nested(got, "secret") {
		out = append(out, strings.Trim(name, "/"))
	}
	return out, nil
}
