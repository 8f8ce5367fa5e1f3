package vault

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// mountTable is what Vault said of its mounts. A mount may have several
// segments (team/kv), so a path does not show where its mount ends: Vault is
// asked. No mount lies below another one (Vault refuses that), so a known one
// serves all that begins with it, for as long as it is there: a mount can be
// disabled and made anew, of another type, while a campaign runs.
type mountTable struct {
	mu    sync.Mutex
	known map[string]time.Time // "team/kv", of KV version 2: when Vault was asked
}

// cut splits a path at a mount of which Vault was asked at a time or later.
func (t *mountTable) cut(full string, since time.Time) (mount, rest string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	knows := func(mount string) bool {
		asked, has := t.known[mount]
		return has && !asked.Before(since)
	}
	for at := 0; at < len(full); {
		i := strings.IndexByte(full[at:], '/')
		if i < 0 {
			return full, "", knows(full)
		}
		if knows(full[:at+i]) {
			return full[:at+i], full[at+i+1:], true
		}
		at += i + 1
	}
	return "", "", false
}

// learn takes what Vault said when it was asked for the mount of a path: mount
// is empty where it is none of KV version 2.
func (t *mountTable) learn(full, mount string, asked time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for had := range t.known {
		if had != mount && (full == had || strings.HasPrefix(full, had+"/")) {
			delete(t.known, had)
		}
	}
	if mount == "" {
		return
	}
	if t.known == nil {
		t.known = map[string]time.Time{}
	}
	if t.known[mount].Before(asked) {
		t.known[mount] = asked
	}
}

// Place is a path of Vault, cut where its mount ends.
type Place struct{ Mount, Path string }

// Cut finds the mount that serves a path ("team/kv/apps/x"), which must be KV
// version 2. The error is an *Error of kind NoMount or NotKV2 where that is the
// trouble. What was found is taken to be so for mountTTL, which does for what
// is read: who writes a value asks anew.
func (c *Client) Cut(ctx context.Context, full string) (Place, error) {
	return c.cutSince(ctx, full, time.Now().Add(-mountTTL))
}

// cutSince is Cut by what Vault was asked at a time or later.
func (c *Client) cutSince(ctx context.Context, full string, since time.Time) (Place, error) {
	full = strings.Trim(full, "/")
	if mount, rest, ok := c.mounts.cut(full, since); ok {
		return Place{mount, rest}, nil
	}
	asked := time.Now()
	place, err := c.askMount(ctx, full)
	if err == nil || IsKind(err, NoMount) || IsKind(err, NotKV2) {
		c.mounts.learn(full, place.Mount, asked)
	}
	return place, err
}

func (c *Client) askMount(ctx context.Context, full string) (Place, error) {
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
	return c.atSince(ctx, mount, part, path, time.Now().Add(-mountTTL))
}

// atToWrite is at for what changes something there: Vault is asked for the
// mount right before. A KV mount of version 1 takes whatever is written to it:
// where one was made in the place of version 2, what a consumer was to read
// would lie in clear beside it, and nobody would know.
func (c *Client) atToWrite(ctx context.Context, mount, part, path string) (string, error) {
	return c.atSince(ctx, mount, part, path, time.Now())
}

func (c *Client) atSince(ctx context.Context, mount, part, path string, since time.Time) (string, error) {
	if mount == c.own {
		return below(mount, part, path)
	}
	if at, err := below(mount, part, path); err != nil {
		return at, err
	}
	p, err := c.cutSince(ctx, mount+"/"+path, since)
	if err != nil {
		return "", err
	}
	return below(p.Mount, part, p.Path)
}

// astray is for a write that was answered, and not as KV version 2 answers one:
// in the moment after Vault was asked for the mount it was made anew, and a KV
// mount of version 1 has kept what was sent as a secret of its own. That is
// deleted, if our login may, and the error says what is so.
func (c *Client) astray(ctx context.Context, op, at, mount, path string) error {
	full := mount + "/" + path
	if _, err := c.cutSince(ctx, full, time.Now()); !IsKind(err, NotKV2) && !IsKind(err, NoMount) {
		return c.Odd(op, at, fmt.Errorf("empty answer to a write"))
	}
	done := "what was written there in clear was deleted again, and may have been read meanwhile"
	if _, err := c.api.Logical().DeleteWithContext(ctx, at); err != nil {
		done = "what was written lies there in clear, and this login could not delete it: delete it, and list again"
	}
	return &Error{Op: op, Path: full, Server: c.api.Address(), Kind: NotKV2, Hint: "its mount was made anew while it was written: " + done}
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
