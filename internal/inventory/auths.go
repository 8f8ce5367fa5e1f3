package inventory

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// otherWays warns of ways into Vault that Rollcall does not close: a userpass
// user that may not be listed may have an account's name and password, and a
// server that is in no file may take the stolen one for longer than those that
// are. Who logs in there reads new values, so no such campaign ends with exit
// code 0 before somebody has looked.
func (l *lister) otherWays(ctx context.Context, roll *credential.Roll) error {
	l.unclearServers(roll)
	if !slices.ContainsFunc(roll.Credentials, func(c credential.Credential) bool { return !c.Kind.OpensVault() && c.Subject != "" }) {
		return nil
	}
	const at = "sys/auth"
	got, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	if vault.Answered(err, http.StatusForbidden) {
		return nil // what lists the mounts has said so
	}
	if err != nil {
		return vaultError("read", at, err)
	}
	if got == nil {
		return nil
	}
	for _, mount := range slices.Sorted(maps.Keys(got.Data)) {
		// Users that may be listed are on the roll (sameNames).
		if mount = strings.Trim(mount, "/"); slices.Contains(l.unlisted, mount) {
			l.notShown("auth/"+mount, "it has users of its own, which this login may not list (auth/%s/users): one that has the name and the password of an account of the device is a way into Vault that is not closed here, and may read new values", mount)
		}
	}
	return nil
}

// unclearServers warns of auth mounts of type ldap that may ask a server which
// is in no file. Where no account of the roll gets anything there but Vault's
// default policy nobody reads a new value by it.
func (l *lister) unclearServers(roll *credential.Roll) {
	for _, m := range l.mounts {
		reads := func(name string) bool {
			return slices.ContainsFunc(roll.Credentials, func(c credential.Credential) bool {
				return c.Authority == name && slices.ContainsFunc(c.Logins, func(login credential.VaultLogin) bool { return login.Mount == m.name && !login.Plain })
			})
		}
		for _, name := range m.unclear {
			text := fmt.Sprintf("it logs in to Vault with directory passwords, and whether %s is the directory that it asks cannot be told by its url (%s): its accounts are taken to log in there, and each server of the file has to have a login's new password before that is written", name, strings.TrimSpace(m.url))
			if !reads(name) {
				l.warn(credential.FindingOtherWays, "auth/%s: %s", m.name, text)
				continue
			}
			l.unsure("auth/"+m.name, text+"; a server that is in no file may take the stolen password on, and whoever logs in by it reads new values",
				"name in the campaign file each server that it asks, where that is one of the directory's")
		}
	}
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
