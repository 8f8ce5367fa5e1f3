package approlesecretid

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	vaultapi "github.com/hashicorp/vault/api"
	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/protocol"
)

const (
	lookupsAtOnce = 16
	passesMost    = 4
)

// Retire destroys every secret-id of the role but new, then revokes every
// service token that new did not mint, and looks again until none is left. It
// reads every token accessor of the Vault namespace, which takes as many calls as
// there are tokens. What an interrupted Retire had done is simply found done,
// so its findings may name less.
func (au *Authority) Retire(ctx context.Context, a kind.Account, new credential.Secret) (string, []credential.Finding, error) {
	r, err := au.usable(ctx, a)
	if err != nil {
		return "", nil, err
	}
	keep, err := au.find(ctx, r, new)
	if err != nil {
		return "", nil, err
	}
	if keep == nil || keep.accessor == "" {
		return "", nil, au.stop(protocol.ReasonNewRefused, "the role does not have the new secret-id any more, so the others were left alone")
	}
	if au.own(r) {
		if err := au.moveOver(ctx, r, new, keep.metadata[markKey]); err != nil {
			return "", nil, err
		}
	}
	var findings []credential.Finding
	extra, err := au.destroyOthers(ctx, r, keep.accessor)
	if err != nil {
		return "", nil, err
	}
	if extra > 0 {
		findings = append(findings, credential.Finding{Code: credential.FindingExtraSecretIDs,
			Detail: fmt.Sprintf("the role had %d more secret-ids than the one that was rotated; all were destroyed", extra)})
	}
	revoked, err := au.revokeTokens(ctx, r, keep.metadata[markKey])
	if err != nil {
		return "", nil, err
	}
	if revoked > 0 {
		detail := fmt.Sprintf("%d live tokens of the old secret-ids were revoked", revoked)
		if revoked == 1 {
			detail = "1 live token of the old secret-ids was revoked"
		}
		findings = append(findings, credential.Finding{Code: credential.FindingTokensRevoked, Detail: detail})
	}
	batch, err := au.mintsBatch(ctx, r)
	if err != nil {
		return "", nil, err
	}
	if batch {
		findings = append(findings, credential.Finding{Code: credential.FindingBatchTokens,
			Detail: "the role mints batch tokens, which Vault can neither list nor revoke: those of the old secret-ids live until they expire"})
	}
	return "", findings, nil
}

// destroyOthers returns how many there were beyond the one old secret-id that
// a rotation expects.
func (au *Authority) destroyOthers(ctx context.Context, r role, keep string) (extra int, err error) {
	all, err := au.accessors(ctx, r)
	if err != nil {
		return 0, err
	}
	others := 0
	var failed error
	for _, accessor := range all {
		if accessor == keep {
			continue
		}
		others++
		_, err := au.api.Logical().WriteWithContext(ctx, r.path()+"/secret-id-accessor/destroy", map[string]any{"secret_id_accessor": accessor})
		if err != nil {
			failed = au.fail("destroy a secret-id", err)
		}
	}
	// What counts is what is left: a secret-id that expired meanwhile, or that a
	// twin destroyed, is refused in several ways.
	left, err := au.accessors(ctx, r)
	if err != nil {
		return 0, err
	}
	for _, accessor := range left {
		switch {
		case accessor == keep:
		case failed != nil:
			return 0, failed
		default:
			return 0, au.stop(protocol.ReasonConflict, "the role got another secret-id while the old ones were destroyed; who makes it?")
		}
	}
	return max(0, others-1), nil
}

// revokeTokens revokes until a whole pass finds nothing: a login that was on
// its way while the secret-ids were destroyed can still mint a token.
func (au *Authority) revokeTokens(ctx context.Context, r role, mark any) (revoked int, err error) {
	for range passesMost {
		n, err := au.revokePass(ctx, r, mark)
		revoked += n
		if err != nil || n == 0 {
			return revoked, err
		}
	}
	return revoked, au.stop(protocol.ReasonConflict, "tokens of the role keep appearing although its old secret-ids are destroyed; who mints them?")
}

func (au *Authority) revokePass(ctx context.Context, r role, mark any) (int, error) {
	return au.tokensWithout(ctx, r, mark, func(ctx context.Context, accessor string) error {
		if err := au.api.Auth().Token().RevokeAccessorWithContext(ctx, accessor); err != nil && !vanished(err) {
			return au.fail("revoke a token", err)
		}
		return nil
	})
}

// tokensWithout calls each, from several goroutines, with the accessor of every token of the role that
// the secret-id with the mark did not mint, and counts them.
func (au *Authority) tokensWithout(ctx context.Context, r role, mark any, each func(ctx context.Context, accessor string) error) (int, error) {
	got, err := au.api.Logical().ListWithContext(ctx, "auth/token/accessors")
	if err != nil {
		return 0, au.fail("list token accessors", err)
	}
	var n atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(lookupsAtOnce)
	for _, accessor := range keys(got) {
		g.Go(func() error {
			token, err := au.token(ctx, accessor)
			if err != nil || token == nil {
				return err
			}
			meta, _ := token.Data["meta"].(map[string]any)
			if !mintedBy(token, r) || mark != nil && meta[markKey] == mark {
				return nil
			}
			n.Add(1)
			return each(ctx, accessor)
		})
	}
	err = g.Wait()
	return int(n.Load()), err
}

// token looks a token up by its accessor; nil if it is gone.
func (au *Authority) token(ctx context.Context, accessor string) (*vaultapi.Secret, error) {
	const op, at = "look up a token by its accessor", "auth/token/lookup-accessor"
	token, err := au.api.Auth().Token().LookupAccessorWithContext(ctx, accessor)
	var resp *vaultapi.ResponseError
	switch {
	case vanished(err):
		return nil, nil
	case errors.As(err, &resp) && resp.StatusCode == http.StatusForbidden:
		// Vault says the same of a token that is gone before its accessor is,
		// and of a right that we lack.
		caps, askErr := au.api.Sys().CapabilitiesSelfWithContext(ctx, at)
		if askErr == nil && (slices.Contains(caps, "update") || slices.Contains(caps, "root")) {
			return nil, nil
		}
		return nil, au.fail(op, err)
	case err != nil:
		return nil, au.fail(op, err)
	}
	return token, nil
}

// mintsBatch asks the mount where the role leaves the token type to it.
func (au *Authority) mintsBatch(ctx context.Context, r role) (bool, error) {
	switch r.tokenType {
	case "batch":
		return true, nil
	case "service":
		return false, nil
	}
	got, err := au.mount(ctx, r)
	if err != nil || got == nil {
		return false, err
	}
	config, _ := got.Data["config"].(map[string]any)
	kind, _ := config["token_type"].(string)
	return strings.HasSuffix(kind, "batch"), nil
}

// vanished: the token has ended since it was listed.
func vanished(err error) bool {
	var resp *vaultapi.ResponseError
	if !errors.As(err, &resp) {
		return false
	}
	text := strings.Join(resp.Errors, " ")
	return strings.Contains(text, "invalid accessor") || strings.Contains(text, "token not found")
}
