package minted

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	vaultapi "github.com/hashicorp/vault/api"

	"rollcall/internal/vault"
)

// ErrNoToken is a login that was right and gave no token: Vault waits for a
// second factor.
var ErrNoToken = errors.New("the login gives no token before a second factor")

// LogIn logs in at a path of the API with body and nothing else. end revokes
// the token, by its accessor where it may not revoke itself, whether or not ctx
// has ended meanwhile: nothing may be left behind. Batch tokens cannot be
// revoked. The error is the client's own, whose text may hold a secret.
func (t *Tokens) LogIn(ctx context.Context, path string, body map[string]any) (auth *vaultapi.SecretAuth, end func(), err error) {
	bare, err := t.api.CloneWithHeaders()
	if err != nil {
		return nil, nil, err
	}
	bare.ClearToken()
	got, err := bare.Logical().WriteWithContext(ctx, path, body)
	if err == nil && (got == nil || got.Auth == nil) {
		err = vault.ErrNoAnswer
	}
	if err == nil && got.Auth.ClientToken == "" {
		err = ErrNoToken
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

// Rights is a digest of what decides what a token may do at paths, as Vault
// works it out with templates and wildcards: two tokens with one digest may do
// the same there. Empty where the token may not ask (Vault's default policy
// lets it), and where Vault's answer is not all, or goes by other names: in a
// namespace each rule begins with its name, and before 1.21 rules with a
// segment + are left out.
func (t *Tokens) Rights(ctx context.Context, token string, paths []string) string {
	if t.api.Namespace() != "" || !t.showsAll(ctx) {
		return ""
	}
	as, err := t.api.CloneWithHeaders()
	if err != nil {
		return ""
	}
	as.SetToken(token)
	got, err := as.Logical().ReadWithContext(ctx, "sys/internal/ui/resultant-acl")
	if err != nil || got == nil {
		return ""
	}
	if root, _ := got.Data["chroot_namespace"].(string); root != "" {
		return ""
	}
	for _, rules := range []string{"exact_paths", "glob_paths"} {
		all, _ := got.Data[rules].(map[string]any)
		maps.DeleteFunc(all, func(rule string, _ any) bool { return elsewhere(rule, paths) })
	}
	text, err := json.Marshal(got.Data)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// showsAll reports whether Vault's answer has all rules. The version is asked
// for once; no answer is asked for again.
func (t *Tokens) showsAll(ctx context.Context) bool {
	t.mu.Lock()
	version := t.version
	t.mu.Unlock()
	if version == "" {
		health, err := t.api.Sys().HealthWithContext(ctx)
		if err != nil || health == nil {
			return false
		}
		version = health.Version
		t.mu.Lock()
		t.version = version
		t.mu.Unlock()
	}
	return showsPlus(version)
}

// showsPlus knows Vault from 1.21 on, which is the first to show rules with a
// segment + (logical_system.go). The numbers of OpenBao begin with 2.
func showsPlus(version string) bool {
	var major, minor int
	_, err := fmt.Sscanf(version, "%d.%d", &major, &minor)
	return err == nil && major == 1 && minor >= 21
}

// elsewhere reports whether a rule is of no account for paths: it begins with
// another segment. Vault's default policy has such rules, which name the
// entity.
func elsewhere(rule string, paths []string) bool {
	first, _, whole := strings.Cut(rule, "/")
	if !whole || first == "+" {
		return false
	}
	return !slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(p, first+"/") })
}
