package inventory

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"

	"rollcall/internal/credential"
)

// otherWays warns of ways into Vault that Rollcall does not close: a directory password also
// logs in through an auth mount of type ldap, and a userpass user that may not be listed may have an
// account's name and password. Tokens that were minted there live until they expire, and read new values.
func (l *lister) otherWays(ctx context.Context, roll *credential.Roll) error {
	names := map[string]bool{}
	for _, c := range roll.Credentials {
		if !c.ReachesVault() && c.Subject != "" {
			_, value, _ := strings.Cut(c.Name, "=")
			value, _, _ = strings.Cut(value, ",")
			names[strings.ToLower(strings.TrimSpace(value))] = true
		}
	}
	if len(names) == 0 {
		return nil
	}
	const at = "sys/auth"
	got, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	if refusedBy(err, http.StatusForbidden) {
		return nil // its policy is of a version before this look
	}
	if err != nil {
		return vaultError("read", at, err)
	}
	if got == nil {
		return nil
	}
	for _, mount := range slices.Sorted(maps.Keys(got.Data)) {
		about, _ := got.Data[mount].(map[string]any)
		switch about["type"] {
		case "ldap":
			l.warn(credential.FindingOtherWays, "auth/%s logs in to Vault with directory passwords: a token that somebody got there with a stolen one is not revoked and lives until it expires, and each of its renewals is a wrong login that counts towards a lock of the account; revoke the tokens of the accounts by their accessors once they are rotated (vault list auth/token/accessors), by any spelling of the name", mount)
		case "userpass":
			// Those that may be listed are on the roll (sameNames).
			if slices.Contains(l.unlisted, strings.Trim(mount, "/")) {
				l.warn(credential.FindingOtherWays, "auth/%s has users of its own, which this login may not list: one that has the name and the password of an account of the device is a way into Vault that is not closed here (run rollcall init again)", mount)
			}
		}
	}
	return nil
}
