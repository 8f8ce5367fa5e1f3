package approlesecretid

import (
	"context"
	"fmt"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/minted"
)

// Retire destroys every secret-id of the role but new, then revokes every
// service token that new did not mint, and looks again until none is left. It
// looks every token of the Vault namespace up, which takes as many calls as
// there are tokens; all but those that are made meanwhile before it destroys
// anything, because from there on the consumer, which may read the new value
// only after this, has no login. What an interrupted Retire had done is simply
// found done, so its findings may name less. The mark is that of the role with
// the new secret-id alone.
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
		if err := au.moveOver(ctx, r, new, keep.metadata[tagKey]); err != nil {
			return "", nil, err
		}
	}
	left, err := au.markAfterRetire(ctx, r, keep.accessor)
	if err != nil {
		return "", nil, err
	}
	if err := au.tokens.Warm(ctx); err != nil {
		return "", nil, err
	}
	var findings []credential.Finding
	rotated := 1
	if len(a.Old) > 1 {
		had, err := au.had(ctx, r, new, a.Old)
		if err != nil {
			return "", nil, err
		}
		rotated = max(rotated, len(had))
	}
	extra, err := au.destroyOthers(ctx, r, keep.accessor, rotated)
	if err != nil {
		return "", nil, err
	}
	if extra > 0 {
		findings = append(findings, credential.Finding{Code: credential.FindingExtraSecretIDs,
			Detail: fmt.Sprintf("the role had %s, and whoever logged in with one of them is cut off", plural.Count(extra, "more secret-id than those that were rotated; it was destroyed", "more secret-ids than those that were rotated; all were destroyed"))})
	}
	ended, err := au.tokens.RevokeMinted(ctx, notOf(r, keep.metadata[tagKey]), func(ctx context.Context) (minted.Alias, error) {
		id, err := au.roleID(ctx, r)
		return minted.Alias{Mount: r.mount, Name: id}, err
	})
	if err != nil {
		return "", nil, err
	}
	if ended.Orphans > 0 {
		findings = append(findings, minted.Unsure(ended.Orphans))
	}
	if revoked := ended.Revoked; revoked > 0 {
		detail := plural.Count(revoked, "live token of the old secret-ids was revoked", "live tokens of the old secret-ids were revoked")
		if revoked == 1 {
			detail = "1 live token of the old secret-ids was revoked"
		}
		findings = append(findings, credential.Finding{Code: credential.FindingTokensRevoked, Detail: detail})
	}
	batch, err := au.tokens.MintsBatch(ctx, r.mount, r.tokenType)
	if err != nil {
		return "", nil, err
	}
	if batch {
		findings = append(findings, credential.Finding{Code: credential.FindingBatchTokens,
			Detail: "the role mints batch tokens, which Vault can neither list nor revoke: those of the old secret-ids live until they expire"})
	}
	return left, findings, nil
}

// destroyOthers returns how many there were beyond the old secret-ids that the
// rotation expects.
func (au *Authority) destroyOthers(ctx context.Context, r role, keep string, rotated int) (extra int, err error) {
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
	// What counts is what is left: a secret-id that expired meanwhile, or that
	// a twin destroyed, is refused in several ways.
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
			return 0, au.stop(protocol.ReasonConflict, "the role got another secret-id while the old ones were destroyed; who makes it? The new one waits in staging and no consumer has it")
		}
	}
	return max(0, others-rotated), nil
}
