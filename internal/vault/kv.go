package vault

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
)

// Entry is one version of a KV v2 secret. Without Data the secret, or this
// version of it, is absent, deleted or destroyed; Version is then still the
// one to compare-and-set against (0: the path never existed).
type Entry struct {
	Data    map[string]any // numbers are json.Number
	Version int
	Written time.Time         // zero if Vault did not say
	ends    bool              // Vault will delete this version, or has
	gone    bool              // the version was destroyed: no undelete brings it back
	custom  map[string]string // nil if Vault did not say: versions before 1.11 do not
}

// Get reads a version, 0 for the current one.
func (c *Client) Get(ctx context.Context, op, mount, path string, version int) (Entry, error) {
	asked := time.Now()
	place, err := c.at(ctx, mount, "data", path)
	if err != nil {
		return Entry{}, err
	}
	var params map[string][]string
	if version > 0 {
		params = map[string][]string{"version": {fmt.Sprint(version)}}
	}
	got, err := c.readSecret(ctx, place, params)
	if err != nil {
		return Entry{}, c.Fail(op, place, Read, err)
	}
	if got == nil {
		if mount != c.own { // a mount that was made anew says the same
			_, err = c.cutSince(ctx, mount+"/"+path, asked)
		}
		return Entry{}, err
	}
	v, err := versionOf(nested(got, "metadata"))
	if err != nil {
		return Entry{}, c.Odd(op, place, err)
	}
	meta := nested(got, "metadata")
	e := Entry{Data: nested(got, "data"), Version: v, Written: timeOf(meta["created_time"]), ends: !timeOf(meta["deletion_time"]).IsZero()}
	e.gone, _ = meta["destroyed"].(bool)
	if custom, said := meta["custom_metadata"]; said {
		m, _ := custom.(map[string]any)
		e.custom = Texts(m)
	}
	return e, nil
}

// timeOf reads a time of Vault's; zero if there is none.
func timeOf(v any) time.Time {
	text, _ := v.(string)
	at, _ := time.Parse(time.RFC3339Nano, text)
	return at
}

// Texts are those of the values that are texts.
func Texts(m map[string]any) map[string]string {
	out := map[string]string{}
	for k, v := range m {
		if text, ok := v.(string); ok {
			out[k] = text
		}
	}
	return out
}

// Put writes the next version if the current one is cas.
func (c *Client) Put(ctx context.Context, op, mount, path string, cas int, data map[string]any) (int, error) {
	e, err := c.write(ctx, op, mount, path, cas, data)
	return e.Version, err
}

// write is Put that also tells when the version was written and whether it
// ends.
func (c *Client) write(ctx context.Context, op, mount, path string, cas int, data map[string]any) (Entry, error) {
	at, err := c.atToWrite(ctx, mount, "data", path)
	if err != nil {
		return Entry{}, err
	}
	got, err := c.api.Logical().WriteWithContext(ctx, at, map[string]any{
		"options": map[string]any{"cas": cas},
		"data":    data,
	})
	if err != nil {
		return Entry{}, c.Fail(op, at, Write, err)
	}
	if got == nil {
		return Entry{}, c.astray(ctx, op, at, mount, path)
	}
	v, err := versionOf(got.Data)
	if err != nil {
		return Entry{}, c.Odd(op, at, err)
	}
	return Entry{Data: data, Version: v, Written: timeOf(got.Data["created_time"]), ends: !timeOf(got.Data["deletion_time"]).IsZero()}, nil
}

// Purge deletes a secret with all its versions and metadata, as if it had
// never been: the next cas=0 succeeds. An absent secret is no error.
func (c *Client) Purge(ctx context.Context, op, mount, path string) error {
	at, err := c.atToWrite(ctx, mount, "metadata", path)
	if err != nil {
		return err
	}
	if _, err := c.api.Logical().DeleteWithContext(ctx, at); err != nil {
		return c.Fail(op, at, Delete, err)
	}
	return nil
}

// DestroyBefore destroys the versions of a secret before one.
func (s *Client) DestroyBefore(ctx context.Context, op, mount, path string, version int) error {
	at, err := s.atToWrite(ctx, mount, "destroy", path)
	if err != nil || version < 2 {
		return err
	}
	versions := make([]int, version-1)
	for i := range versions {
		versions[i] = i + 1
	}
	if _, err := s.api.Logical().WriteWithContext(ctx, at, map[string]any{"versions": versions}); err != nil {
		return s.Fail(op, at, Update, err)
	}
	return nil
}

// Names lists one folder; subfolders end in "/". An absent folder is empty.
func (c *Client) Names(ctx context.Context, op, mount, folder string) ([]string, error) {
	at := mount + "/metadata/"
	if folder != "" {
		var err error
		if at, err = below(mount, "metadata", strings.TrimSuffix(folder, "/")); err != nil {
			return nil, err
		}
		at += "/"
	}
	got, err := c.api.Logical().ListWithContext(ctx, at)
	if err != nil {
		return nil, c.Fail(op, at, List, err)
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

// Odd is an answer that no Vault should give.
func (c *Client) Odd(op, path string, err error) error {
	return &Error{Op: op, Path: path, Server: c.api.Address(), Kind: Other, Detail: "unexpected answer: " + err.Error()}
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

// Number reads a number of an answer.
func Number(v any) (int, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return int(i), err == nil
}
