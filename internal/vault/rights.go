package vault

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/credential"
)

// MayWrite asks Vault whether our login may write the live paths, of which
// those that exist have a version. Where it may not ask, nothing is known and
// it is nil.
func (c *Client) MayWrite(ctx context.Context, paths []credential.Path, versions []int) error {
	want := map[string][]string{}
	var ask []string
	for i, p := range paths {
		place := p.Mount + "/data/" + p.Path
		if trimmed(place) {
			if err := c.tryWrite(ctx, place); err != nil {
				return err
			}
			continue
		}
		want[place] = []string{Create}
		if versions[i] > 0 {
			want[place] = []string{Update}
		}
		ask = append(ask, place)
	}
	if len(ask) == 0 {
		return nil
	}
	missing, err := c.Lacking(ctx, want)
	if IsDenied(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, place := range ask {
		if len(missing[place]) > 0 {
			return &Error{Op: opRights, Path: place, Server: c.Address(), Kind: PermissionDenied, Capability: want[place][0], Detail: "asked of " + capabilitiesSelf}
		}
	}
	return nil
}

const opRights, capabilitiesSelf = "ask for our rights", "sys/capabilities-self"

// Lacking asks Vault which of the wanted capabilities our token lacks, by API
// path. Paths of which it cannot be asked are left out: see Oddly.
func (c *Client) Lacking(ctx context.Context, want map[string][]string) (map[string][]string, error) {
	return c.lackingOf(ctx, c.api, want)
}

// lackingOf is Lacking of another token.
func (c *Client) lackingOf(ctx context.Context, api *vaultapi.Client, want map[string][]string) (map[string][]string, error) {
	const chunk = 200
	missing := map[string][]string{}
	ask := slices.DeleteFunc(slices.Sorted(maps.Keys(want)), trimmed)
	for paths := range slices.Chunk(ask, chunk) {
		got, err := api.Logical().WriteWithContext(ctx, capabilitiesSelf, map[string]any{"paths": paths})
		if err != nil {
			return nil, c.Fail(opRights, capabilitiesSelf, Update, err)
		}
		for _, path := range paths {
			if caps := lacking(got, path, want[path]); len(caps) > 0 {
				missing[path] = caps
			}
		}
	}
	return missing, nil
}

// Oddly reports whether Vault cannot be asked for our rights on one of the
// paths: it takes the blanks off both ends of what sys/capabilities-self is
// asked about, and answers about another path (1.21 tried).
func Oddly(paths []credential.Path) bool {
	return slices.ContainsFunc(paths, func(p credential.Path) bool { return trimmed(p.Path) })
}

func trimmed(path string) bool { return strings.TrimSpace(path) != path }

// neverReached is a version that no secret has.
const neverReached = 1<<31 - 1

// tryWrite tries a write that cannot succeed, because it asks for a version
// that is not there: Vault looks at our rights before, and changes nothing.
func (c *Client) tryWrite(ctx context.Context, place string) error {
	_, err := c.api.Logical().WriteWithContext(ctx, place, map[string]any{
		"options": map[string]any{"cas": neverReached}, "data": map[string]any{},
	})
	if err == nil {
		return c.Odd("try our rights", place, fmt.Errorf("a write was taken that could not be"))
	}
	if err = c.Fail("try our rights", place, Write, err); IsCASMismatch(err) {
		return nil
	}
	return err
}

func lacking(got *vaultapi.Secret, path string, want []string) []string {
	if got == nil {
		return want
	}
	has, _ := got.Data[path].([]any)
	var missing []string
	for _, cap := range want {
		if !slices.Contains(has, any(cap)) && !slices.Contains(has, any("root")) && !slices.Contains(missing, cap) {
			missing = append(missing, cap)
		}
	}
	return missing
}
