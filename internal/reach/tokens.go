package reach

import (
	"context"
	"maps"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Living are those of the tokens and logins that could read new values of cs,
// by the listing, that live. Where Vault does not say they count as living, and
// logins do until the next listing: one that is gone by now may have made
// tokens since, which nobody looked at. Of logins that are on the roll by now
// it says that they do not: they are asked themselves, as all of the roll.
func (l *Logins) Living(ctx context.Context, campaign string, cs []credential.Credential) map[string]bool {
	named := map[string]bool{}
	for _, c := range cs {
		for _, accessor := range c.ReadBy {
			named[accessor] = true
		}
	}
	delete(named, credential.MoreReaders)
	if slices.ContainsFunc(slices.Collect(maps.Keys(named)), credential.IsLoginPlace) {
		if f, err := l.foundIn(ctx, campaign); err == nil {
			f.mu.Lock()
			for at := range named {
				if f.places[strings.ToLower(at)] {
					named[at] = false
				}
			}
			f.mu.Unlock()
		}
	}
	tokens := slices.DeleteFunc(slices.Collect(maps.Keys(named)), credential.IsLoginPlace)
	if len(tokens) == 0 {
		return named
	}
	found, err := l.kinds.Tokens().Living(ctx, tokens)
	if err != nil {
		return named
	}
	for _, accessor := range tokens {
		_, named[accessor] = found[accessor]
	}
	return named
}

// ReadByToken says why nothing may be staged for c, or nil. What has ended
// never lives again, so it is not asked later on.
func ReadByToken(c credential.Credential, living map[string]bool) *protocol.Stop {
	if slices.Contains(c.ReadBy, credential.MoreReaders) {
		return &protocol.Stop{Reason: protocol.ReasonWithinReach, Detail: "more tokens of Vault, or logins, name the device and could read its new value than are watched one by one, or an account that was listed while the campaign ran reads what the others of its authority are set to; nothing was changed: revoke those tokens of the warnings other-reader (vault token revoke -accessor …), list those logins, or accept their policies, and run again, which lists anew"}
	}
	if slices.ContainsFunc(c.ReadBy, func(by string) bool {
		lives, known := living[by]
		return credential.IsLoginPlace(by) && (lives || !known)
	}) {
		return &protocol.Stop{Reason: protocol.ReasonWithinReach, Detail: "a login to Vault that is not on this roll names the device, is open on the roll of another one, or was listed while this campaign ran, and could read its new value where that goes or is staged; nothing was changed: the warning other-reader has its place. List it (a source of type vault-approle or vault-userpass, or a row of a manifest) and take it up (rollcall relist --reason …), and it is rotated first, or have the other device's campaign end it; or, if nobody stole it, accept it in the campaign file (accept: - {vault: auth/…, reason: …}); then run again, which lists anew"}
	}
	if !slices.ContainsFunc(c.ReadBy, func(accessor string) bool { return living[accessor] }) {
		return nil
	}
	return &protocol.Stop{Reason: protocol.ReasonWithinReach, Detail: "a token of Vault that no login of the roll made names the device, or is of a login that is open on the roll of another one or was listed while this campaign ran, and could read its new value where that goes or is staged; nothing was changed: the warning other-reader has its accessor. Revoke it (vault token revoke -accessor …), and this goes on by itself; if it is not the device's, accept it in the campaign file (accept: - {vault: auth/token/accessor/…, reason: …}) and run again"}
}
