package minted

import (
	"context"
	"slices"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
)

// LogIn logs in at a path of the API with body and nothing else. end revokes the token, by its
// accessor where it may not revoke itself, whether or not ctx has ended meanwhile: nothing may
// be left behind. Batch tokens cannot be revoked. The error is the client's own, whose text may hold a secret.
func (t *Tokens) LogIn(ctx context.Context, path string, body map[string]any) (auth *vaultapi.SecretAuth, end func(), err error) {
	bare, err := t.api.CloneWithHeaders()
	if err != nil {
		return nil, nil, err
	}
	bare.ClearToken()
	got, err := bare.Logical().WriteWithContext(ctx, path, body)
	if err == nil && (got == nil || got.Auth == nil) {
		err = ErrSilence
	}
	if err != nil {
		return nil, nil, err
	}
	bare.SetToken(got.Auth.ClientToken)
	return got.Auth, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if got.Auth.Accessor == "" || bare.Auth().Token().RevokeSelfWithContext(ctx, "") == nil {
			return
		}
		_ = t.api.Auth().Token().RevokeAccessorWithContext(ctx, got.Auth.Accessor)
	}, nil
}

// Readable gives those of the API paths that a token may read. It asks with our own token, so that
// one that may do nothing, or that is used up by one call, can be asked about too.
func (t *Tokens) Readable(ctx context.Context, token string, paths []string) ([]string, error) {
	const chunk = 200
	var out []string
	for part := range slices.Chunk(paths, chunk) {
		got, err := t.api.Logical().WriteWithContext(ctx, "sys/capabilities", map[string]any{"token": token, "paths": part})
		if err != nil {
			return nil, t.fail("ask what a login may read", err)
		}
		for _, path := range part {
			if mayRead(got, path) {
				out = append(out, path)
			}
		}
	}
	return out, nil
}

// mayRead: what Vault does not answer about counts as readable. It answers about a name with
// blanks at its end under the name without them.
func mayRead(got *vaultapi.Secret, path string) bool {
	if got == nil {
		return true
	}
	caps, ok := got.Data[path].([]any)
	if !ok {
		if caps, ok = got.Data[strings.TrimSpace(path)].([]any); !ok {
			return true
		}
	}
	return slices.Contains(caps, any("read")) || slices.Contains(caps, any("root"))
}
