package inventory

import (
	"maps"
	"slices"

	auth "rollcall/internal/authority"
	"rollcall/internal/credential"
)

// secretsNotShown warns of accounts of which their authority does not show
// whether they have a secret at all. Directories are asked by another way
// (lookForPasswords).
func (l *lister) secretsNotShown(known accounts) {
	hidden := map[string]map[string]bool{}
	note := func(authority string, a Account) {
		if a.system == nil || !a.system.SecretHidden || l.isLogin(authority, a.Name) {
			return
		}
		if hidden[authority] == nil {
			hidden[authority] = map[string]bool{}
		}
		hidden[authority][a.Subject] = true
	}
	for _, c := range l.candidates {
		if c.Found != nil {
			note(c.Authority, *c.Found)
			continue
		}
		for _, a := range known[refTo(l.c, c.Authority, c.Account)] {
			note(c.Authority, a)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(hidden)) {
		l.warn(credential.FindingPasswordHidden, "%s: whether %d of its accounts have a password at all is not shown to Rollcall's login: one of which Vault holds none that it accepts stays open, for a reset would give it a login; let Rollcall's login see it (docs/rights.md), or accept those that are known to have one by name (problem: %s)", l.c.Called(name), len(hidden[name]), credential.PasswordHidden)
	}
}

// isLogin: what Rollcall itself logs in with has a password.
func (l *lister) isLogin(authority, name string) bool {
	return slices.ContainsFunc(l.c.Authority(authority).Logins(), func(own auth.Login) bool { return own.Name == name })
}
