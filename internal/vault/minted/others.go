package minted

import (
	"context"
	"maps"
	"slices"
)

// All gives every token that there is, by accessor, and looks up those that it
// has not seen.
func (t *Tokens) All(ctx context.Context) (map[string]Token, error) {
	all, err := t.look(ctx)
	return maps.Clone(all), err
}

// Self is the accessor of our own token.
func (t *Tokens) Self(ctx context.Context) (string, error) {
	got, err := t.api.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return "", t.fail("look up its own token", err)
	}
	accessor, _ := got.Data["accessor"].(string)
	return accessor, nil
}

// Living gives those of accessors whose tokens live.
func (t *Tokens) Living(ctx context.Context, accessors []string) (map[string]Token, error) {
	return t.living(ctx, accessors)
}

// Child reports whether the token was made with another one.
func (t Token) Child() bool { return isChild(t) }

// Within gives those of the API paths that one token could come to read, as
// Reach does, and by which other path it may come to more rights. Where most is
// not 0 it ends with the first that it finds, and asks Vault about that many at
// most: where none of them is within reach and more are left, all are taken to
// be.
func (t *Tokens) Within(ctx context.Context, accessor string, token Token, paths []string, most int) (within []string, rises string, err error) {
	a := asker{"sys/capabilities-accessor", map[string]any{"accessor": accessor}, append(slices.Clone(token.Policies), token.IdentityPolicies...), token.Entity, token.Policies}
	rises, named, _, err := t.rises(ctx, a, Whose{Many: true})
	if err != nil {
		return nil, "", err
	}
	if rises != "" {
		return paths, rises, nil
	}
	for _, p := range named {
		if rises == "" && !slices.Contains(paths, p) {
			rises = p // another login, which it may make anew
		}
	}
	asked := paths
	if most > 0 {
		asked = paths[:min(most, len(paths))]
	}
	for part := range slices.Chunk(asked, 50) {
		found, err := t.within(ctx, a, part)
		if err != nil {
			return nil, "", err
		}
		if within = append(within, found...); most > 0 && len(within) > 0 {
			return within, rises, nil
		}
	}
	if len(within) == 0 && len(asked) < len(paths) {
		within = paths
	}
	return within, rises, nil
}

// Beside are further paths by which the secret at an API path is made away.
func Beside(path string) []string { return beside(path) }
