package inventory

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// otherWays warns of ways into Vault that Rollcall does not close: a userpass
// user that may not be listed may have an account's name and password. Tokens
// that were minted there live until they expire, and read new values.
func (l *lister) otherWays(ctx context.Context, roll *credential.Roll) error {
	if !slices.ContainsFunc(roll.Credentials, func(c credential.Credential) bool { return !c.Kind.OpensVault() && c.Subject != "" }) {
		return nil
	}
	const at = "sys/auth"
	got, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	if vault.Answered(err, http.StatusForbidden) {
		return nil // its policy is of a version before this look
	}
	if err != nil {
		return vaultError("read", at, err)
	}
	if got == nil {
		return nil
	}
	for _, mount := range slices.Sorted(maps.Keys(got.Data)) {
		// Users that may be listed are on the roll (sameNames).
		if slices.Contains(l.unlisted, strings.Trim(mount, "/")) {
			l.warn(credential.FindingOtherWays, "auth/%s has users of its own, which this login may not list: one that has the name and the password of an account of the device is a way into Vault that is not closed here (run rollcall init again)", mount)
		}
	}
	return nil
}

// logins are what the accounts that were found have at Vault, by credential id.
func (l *lister) logins(ctx context.Context, known accounts) (map[string][]credential.VaultLogin, error) {
	out := map[string][]credential.VaultLogin{}
	if len(l.mounts) == 0 {
		return out, nil
	}
	see := func(authority string, a Account) {
		id := authority + "/" + a.Subject
		if _, seen := out[id]; seen {
			return
		}
		if found := l.loginsOf(authority, a); len(found) > 0 {
			out[id] = found
		}
	}
	for _, c := range l.candidates {
		if c.Found != nil {
			see(c.Authority, *c.Found)
		} else if several := preferAccounts(known[refTo(l.c, c.Authority, c.Account)]); len(several) == 1 {
			see(c.Authority, several[0])
		}
	}
	entities, err := l.lookForIdentities(ctx, out)
	if err != nil {
		return nil, err
	}
	return out, l.mintedBefore(ctx, out, entities)
}

// givesBatch: of a login that gets more than Vault's default policy.
func (l *lister) givesBatch(c *credential.Credential) bool {
	return slices.ContainsFunc(c.Logins, func(login credential.VaultLogin) bool {
		return !login.Plain && slices.ContainsFunc(l.mounts, func(m *authMount) bool { return m.batch && m.name == login.Mount })
	})
}
