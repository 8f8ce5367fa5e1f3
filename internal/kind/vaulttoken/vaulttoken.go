// Package vaulttoken ends tokens of Vault that a device has in its
// configuration (https://developer.hashicorp.com/vault/docs/concepts/tokens).
//
// No login gave such a token, so there is no secret to set: it is revoked by
// its accessor, with all tokens that were made with it, and is dead once Vault
// knows the accessor no more. Its value is never read: whoever looks up an
// accessor is not shown it. Whoever needs another token gets that by a login
// of its own.
package vaulttoken

import (
	"context"
	"fmt"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/minted"
)

// Authority is Vault, as far as it knows tokens. The subject of a credential is
// minted.TokenPrefix and an accessor.
type Authority struct {
	server string
	tokens *minted.Tokens
}

var (
	_ kind.Authority = (*Authority)(nil)
	_ kind.Login     = (*Authority)(nil)
)

// New gives the authority of tokens. serverName is how the ledger calls it.
func New(tokens *minted.Tokens, serverName string) *Authority {
	return &Authority{server: serverName, tokens: tokens}
}

// Servers is the one Vault.
func (au *Authority) Servers() []string { return []string{au.server} }

// ProofWithoutOld is ProofRevoked.
func (au *Authority) ProofWithoutOld() protocol.Proof { return protocol.ProofRevoked }

// RetiresFirst has no order to say: nothing is activated.
func (au *Authority) RetiresFirst(credential.Credential) bool { return true }

// Account looks the token up by its accessor.
func (au *Authority) Account(ctx context.Context, _ string, c credential.Credential) (kind.Account, error) {
	accessor, err := au.accessor(c.Subject)
	if err != nil {
		return kind.Account{}, err
	}
	a := kind.Account{Subject: c.Subject, Name: c.Subject, State: protocol.Accepted}
	living, err := au.tokens.Living(ctx, []string{accessor})
	if err != nil {
		return kind.Account{}, err
	}
	if _, lives := living[accessor]; !lives {
		a.State = protocol.Gone
		return a, nil
	}
	self, err := au.tokens.Self(ctx)
	if err == nil && self == accessor {
		err = &protocol.Stop{Reason: protocol.ReasonSelf, Server: au.server, Detail: "it is the token that Rollcall itself works with now; nothing was changed"}
	}
	return a, err
}

// Retire revokes it, and looks until it is gone: an answer to a revocation
// proves nothing. What was made with it ends with it, but for orphans.
func (au *Authority) Retire(ctx context.Context, a kind.Account, _ credential.Secret) (string, []credential.Finding, error) {
	accessor, err := au.accessor(a.Subject)
	if err != nil {
		return "", nil, err
	}
	orphans, err := au.tokens.End(ctx, accessor)
	if err != nil || !orphans.May {
		return "", nil, err
	}
	return "", []credential.Finding{{Code: credential.FindingOrphanTokens, Detail: fmt.Sprintf(
		"it had the right to make orphan tokens (auth/token/create-orphan, auth/token/revoke-orphan or more), which its revocation does not end; %s no policy that it could not give, and nothing in Vault says who made them: look at each (auth/token/accessors) and revoke what nobody claims. Those of type batch are in no list and live until they expire", plural.Count(orphans.Seen, "living one is younger and has", "living ones are younger and have"))}}, nil
}

// Reads asks what the token, and so whoever has it, could read.
func (au *Authority) Reads(ctx context.Context, c credential.Credential, _ []credential.Secret, paths []string) ([]string, error) {
	accessor, err := au.accessor(c.Subject)
	if err != nil {
		return nil, err
	}
	living, err := au.tokens.Living(ctx, []string{accessor})
	if err != nil {
		return nil, err
	}
	token, lives := living[accessor]
	if !lives {
		return nil, nil
	}
	within, rises, err := au.tokens.Within(ctx, accessor, token, paths, 0)
	if rises != "" {
		within = append(within, rises)
	}
	return within, err
}

func (au *Authority) accessor(subject string) (string, error) {
	accessor, ok := strings.CutPrefix(subject, minted.TokenPrefix)
	if !ok || accessor == "" {
		return "", fmt.Errorf("vault %s: the subject of a token is %sACCESSOR", au.server, minted.TokenPrefix)
	}
	return accessor, nil
}

func nothingSet() *protocol.Stop {
	return &protocol.Stop{Reason: protocol.ReasonInternal, Detail: "a token of Vault is ended, and none is set in its place"}
}

// Generate has nothing to make.
func (au *Authority) Generate(context.Context, credential.Credential) (credential.Secret, error) {
	return credential.Secret{}, nothingSet()
}

// Set has nothing to set.
func (au *Authority) Set(context.Context, kind.Account, credential.Secret, credential.Secret) error {
	return nothingSet()
}

// Try has no value to try: the accessor is none.
func (au *Authority) Try(context.Context, string, kind.Account, credential.Secret) (protocol.Reply, error) {
	return protocol.NotAsked, nothingSet()
}

// Offer has no value to offer.
func (au *Authority) Offer(context.Context, string, kind.Account, credential.Secret) (protocol.Reply, error) {
	return protocol.NotAsked, nothingSet()
}
