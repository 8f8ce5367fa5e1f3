package approlesecretid

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
)

var (
	_ kind.Login      = (*Authority)(nil)
	_ kind.Outlasting = (*Authority)(nil)
)

// Outlasts reads it from the role and its mount, before anything is set.
func (au *Authority) Outlasts(ctx context.Context, c credential.Credential) (kind.Outlasts, error) {
	r, err := au.role(ctx, c.Subject)
	if err != nil || r == nil {
		return kind.Outlasts{}, err
	}
	batch, err := au.tokens.MintsBatch(ctx, r.mount, r.tokenType)
	return kind.Outlasts{Tokens: batch, Login: !r.bindSecretID}, err
}

// Reads mints a token of the role, asks Vault what that may read, and revokes
// it. It logs in with one of values if the role has it, and that has no limited
// number of uses. Else it gives the role a secret-id of one use for the
// purpose, with the metadata of those that are there, because policies may go
// by it.
func (au *Authority) Reads(ctx context.Context, c credential.Credential, values []credential.Secret, paths []string) ([]string, error) {
	return minted.Again(func() ([]string, error) { return au.reads(ctx, c, values, paths) })
}

func (au *Authority) reads(ctx context.Context, c credential.Credential, values []credential.Secret, paths []string) ([]string, error) {
	r, err := au.role(ctx, c.Subject)
	if err != nil {
		return nil, err
	}
	if r == nil { // deleted: what it minted lives on
		i := strings.LastIndex(c.Subject, "/")
		return au.tokens.Reach(ctx, minted.Whose{Mine: notOf(role{mount: c.Subject[:i], name: c.Subject[i+1:]}, "")}, paths)
	}
	roleID, err := au.roleID(ctx, *r)
	if err != nil || roleID == "" {
		return nil, err
	}
	value, done, err := au.forAsking(ctx, *r, values)
	if err != nil {
		return nil, err
	}
	defer done()
	auth, end, err := au.tokens.LogIn(ctx, "auth/"+r.mount+"/login", map[string]any{"role_id": roleID, "secret_id": value.Reveal()})
	if err != nil {
		return nil, fmt.Errorf("vault %s: log in to ask what a login may read: %w", au.server, vault.ErrNoAnswer)
	}
	defer end()
	at := "auth/" + r.mount
	return au.tokens.Reach(ctx, minted.Whose{Auth: auth, Mine: notOf(*r, ""), Own: []string{r.path(), r.path() + "/policies", at + "/role/" + minted.Probe}}, paths)
}

// forAsking gives a secret-id with which a login costs its consumer nothing,
// and what takes it away again.
func (au *Authority) forAsking(ctx context.Context, r role, values []credential.Secret) (credential.Secret, func(), error) {
	nothing := func() {}
	if !r.bindSecretID {
		return credential.Secret{}, nothing, nil
	}
	for _, v := range values {
		if v.IsZero() {
			continue
		}
		id, err := au.find(ctx, r, v)
		if err != nil {
			return credential.Secret{}, nothing, err
		}
		if id != nil && id.uses == 0 {
			return v, nothing, nil
		}
	}
	l, err := au.inherited(ctx, r, credential.Secret{}, nil)
	if err != nil {
		return credential.Secret{}, nothing, err
	}
	return au.ofOneUse(ctx, r, l.metadata)
}

// ofOneUse gives the role a secret-id that is good for one login of Rollcall's
// own, and what takes it away again. Each login has the role's entity keep the
// metadata of its secret-id, by which policies of living tokens may go.
func (au *Authority) ofOneUse(ctx context.Context, r role, given map[string]string) (credential.Secret, func(), error) {
	nothing := func() {}
	metadata, err := json.Marshal(given)
	if err != nil {
		return credential.Secret{}, nothing, err
	}
	value := credential.NewSecret(rand.Text())
	// Vault refuses a lifetime that is longer than the role's own.
	body := limits{uses: 1, ttl: 60}.within(r).parameters()
	body["secret_id"], body["metadata"] = value.Reveal(), string(metadata)
	got, err := au.api.Logical().WriteWithContext(ctx, r.path()+"/custom-secret-id", body)
	if err != nil {
		return credential.Secret{}, nothing, au.fail("give the role a secret-id of one use", err)
	}
	if got == nil {
		return credential.Secret{}, nothing, errors.New("vault: the answer to a new secret-id is empty")
	}
	accessor := got.Data["secret_id_accessor"]
	return value, func() {
		// A login has spent it already; one that was refused has not.
		_, _ = au.api.Logical().WriteWithContext(context.WithoutCancel(ctx), r.path()+"/secret-id-accessor/destroy", map[string]any{"secret_id_accessor": accessor})
	}, nil
}
