package inventory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/minted"
)

// vaultTokens lists tokens by their accessors, and those that other tokens made
// and that fit what the source names: all of it, for what fits is revoked. A
// token that a login gave is ended with that login, or named by its accessor.
// Rollcall's own, and root tokens, fit no pattern.
func (l *lister) vaultTokens(ctx context.Context, s config.Source) error {
	for _, accessor := range s.Accessors {
		l.add(Candidate{Kind: credential.VaultToken, Authority: credential.VaultAuthority, Account: minted.TokenPrefix + accessor,
			Reason: credential.Reason{Source: s.Name, Type: s.Type, Detail: "its accessor is named"}})
	}
	if s.DisplayName == "" && s.Policy == "" && len(s.Metadata) == 0 {
		return nil
	}
	if l.tokens == nil {
		l.notShown("source "+s.Name, "source %s finds tokens by what is known of them, and this login does not look at all tokens of Vault: the worker does, when a campaign starts; what is named by accessor shows here", s.Name)
		return nil
	}
	all, err := l.tokens.All(ctx)
	if err != nil {
		return fmt.Errorf("source %s: %w", s.Name, err)
	}
	for _, accessor := range slices.Sorted(maps.Keys(all)) {
		token := all[accessor]
		why, err := whyToken(s, token)
		if err != nil {
			return fmt.Errorf("source %s: %w", s.Name, err)
		}
		if why == "" || !token.Child() || ours(token) || slices.Contains(token.Policies, "root") || slices.ContainsFunc(token.Policies, ownRole) {
			continue
		}
		a := tokenAccount(accessor)
		l.fits(described{token: liveToken{Token: token, accessor: accessor}, ended: l.past.endedBefore(s.Name, why), Candidate: Candidate{
			Kind: credential.VaultToken, Authority: credential.VaultAuthority, Account: a.Subject, Found: &a,
			Reason: credential.Reason{Source: s.Name, Type: s.Type, Detail: why}}})
	}
	return nil
}

// whyToken is what ties a token to the device, or "" where it does not fit all
// that the source names.
func whyToken(s config.Source, t minted.Token) (string, error) {
	var why []string
	if s.DisplayName != "" {
		if ok, err := config.Matches(s.DisplayName, t.Name); err != nil || !ok {
			return "", err
		}
		why = append(why, "display name matches "+s.DisplayName)
	}
	if s.Policy != "" {
		found := false
		for _, p := range slices.Concat(t.Policies, t.IdentityPolicies) {
			ok, err := config.Matches(s.Policy, p)
			if err != nil {
				return "", err
			}
			found = found || ok && p != "default"
		}
		if !found {
			return "", nil
		}
		why = append(why, "a policy matches "+s.Policy)
	}
	for k, v := range s.Metadata {
		if t.Meta[k] != v {
			return "", nil
		}
	}
	if len(s.Metadata) > 0 {
		why = append(why, "has the metadata "+pairs(s.Metadata))
	}
	return strings.Join(why, ", "), nil
}

func tokenAccount(accessor string) Account {
	subject := minted.TokenPrefix + accessor
	return Account{Subject: subject, Name: subject, Short: accessor, Logins: []string{subject}, kind: credential.VaultToken}
}

// lookUpTokens resolves accessors. One that Vault does not know, and that an
// earlier roll of the device had, has ended since: it is called dead, and is no
// slip of the pen.
func (l *lister) lookUpTokens(ctx context.Context, refs []mention, known accounts) error {
	if len(refs) == 0 {
		return nil
	}
	tokens := l.tokens
	if tokens == nil {
		tokens = minted.New(l.vault.API(), credential.VaultAuthority)
	}
	var accessors []string
	for _, ref := range refs {
		accessors = append(accessors, strings.TrimPrefix(ref.text, minted.TokenPrefix))
	}
	living, err := tokens.Living(ctx, accessors)
	if stop, ok := errors.AsType[*protocol.Stop](err); ok && stop.Reason == protocol.ReasonRights {
		l.notShown("auth/token/lookup-accessor", "this login may not look tokens up by their accessors (auth/token/lookup-accessor), so whether those that are named live is not known")
		for _, ref := range refs {
			known[reference{credential.VaultAuthority, ref.key}] = []Account{} // see accounts
		}
		return nil
	}
	if err != nil {
		return &naming{fmt.Errorf("looking up tokens by their accessors: %w", err), "tokens cannot be looked up by their accessors"}
	}
	for i, ref := range refs {
		token, lives := living[accessors[i]]
		if !lives && !l.past.had(credential.VaultAuthority+"/"+minted.TokenPrefix+accessors[i]) {
			continue
		}
		if ours(token) {
			l.warn(credential.FindingOwnLogin, "the token of accessor %s is one of Rollcall's own, and is not on the roll: revoke it after the campaign, and log in again", accessors[i])
			continue
		}
		known[reference{credential.VaultAuthority, ref.key}] = []Account{tokenAccount(accessors[i])}
		if lives {
			l.seenTokens = append(l.seenTokens, liveToken{Token: token, accessor: accessors[i]})
		}
	}
	return nil
}

// had: an earlier roll of the device had found that credential.
func (p past) had(id string) bool {
	if p.last == nil {
		return false
	}
	is := func(c credential.Credential) bool { return c.ID == id && c.Subject != "" }
	if slices.ContainsFunc(p.last.Credentials, is) {
		return true
	}
	for _, before := range p.last.Before {
		if slices.ContainsFunc(before.Credentials, is) {
			return true
		}
	}
	return false
}

// sayTokens says what tokens the accessors are, that people see whose they are
// before they are revoked.
func (l *lister) sayTokens(roll *credential.Roll) {
	for _, t := range l.seenTokens {
		id := credential.VaultAuthority + "/" + minted.TokenPrefix + t.accessor
		for _, c := range roll.Credentials {
			for i := range c.Reasons {
				if r := &c.Reasons[i]; c.ID == id && r.Type != earlierType {
					r.Detail += "; " + t.told()
				}
			}
		}
	}
}
