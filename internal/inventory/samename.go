package inventory

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// nameSource is the type of the source of users that have the name of an
// account of the roll.
const nameSource = "name"

// everyUser lists the users of all userpass mounts. Which of them may not be
// listed is said by otherWays, for whom it matters only if the roll has
// accounts.
func (l *lister) everyUser(ctx context.Context) (users []Account, err error) {
	mounts, err := l.authMounts(ctx)
	if err != nil {
		return nil, err
	}
	for _, mount := range mounts.of(credential.UserpassMethod) {
		names, err := l.listUsers(ctx, mount)
		if vault.Answered(err, http.StatusForbidden) {
			l.unlisted = append(l.unlisted, mount)
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			users = append(users, userAccount(mount, name))
		}
	}
	return users, nil
}

// sameNames puts users of Vault on the roll that no source lists and that have
// the name of an account of the roll: the device may have had one password for
// both. A name alone is not enough to set the password of somebody's login, nor
// to leave it out of account: a person decides, and until then nothing is
// written where it could read (internal/reach). It is asked with what
// Vault holds for the account.
func (m *merger) sameNames(users []Account, own ownIdentities) {
	named := map[string][]*draft{}
	for id, l := range m.drafts {
		if _, ours := own[id]; ours || l.Subject == "" || l.Problem == credential.SameName {
			continue
		}
		names := map[string]bool{rdnValue(l.Name): true}
		for _, login := range l.logins {
			names[strings.ToLower(login)] = true
		}
		if l.Authority == credential.VaultAuthority {
			// A user of another mount; who chose one password for both chose
			// the name too.
			if login := l.Kind.Traits().Login; login == nil || !login.BareName {
				continue
			}
			names = map[string]bool{l.short: true}
		}
		for name := range names {
			named[name] = append(named[name], l)
		}
	}
	for _, u := range users {
		id, like := credential.VaultAuthority+"/"+u.Subject, named[u.Short]
		if m.drafts[id] != nil || len(like) == 0 || u.Short == "" || m.leftOutByPath(u) {
			continue
		}
		slices.SortFunc(like, func(a, b *draft) int { return strings.Compare(a.ID, b.ID) })
		l := &draft{Credential: credential.Credential{ID: id, Kind: u.kind, Authority: credential.VaultAuthority, Subject: u.Subject, Name: u.Name, Problem: credential.SameName}, short: u.Short}
		var whose []string
		for _, a := range like {
			l.like = append(l.like, a.ID)
			whose = append(whose, a.Authority+": "+a.Name)
			if !a.Adopted && !a.HandsOver() {
				l.Paths = append(l.Paths, a.Paths...)
			}
		}
		l.Paths = sortedPaths(l.Paths)
		l.Reasons = []credential.Reason{{Source: "rollcall", Type: nameSource, Detail: "it has the name of " + strings.Join(whose, "; ")}}
		l.boundReasons()
		l.find(credential.FindingSameName, "no source lists it, and it has the name of an account of the roll: if the device had its password too, it is a way into Vault. "+
			"Then list it (a source of type vault-userpass with user: %s, or a line of a manifest with kind userpass-password and account %s), and it is rotated before all else; "+
			"if it has nothing to do with the device, exclude account %s. Until then nothing is set that it could read", u.Short, u.Subject, u.Subject)
		m.drafts[id] = l
	}
}

// leftOutByPath reports whether a source found the user at a path that the
// campaign file leaves out: then it is on the roll's list of what was left out,
// with a warning.
func (m *merger) leftOutByPath(u Account) bool {
	return slices.ContainsFunc(m.leftOut, func(p leftPath) bool {
		a := m.accounts(p.Candidate)
		return p.Authority == credential.VaultAuthority && len(a) == 1 && a[0].Subject == u.Subject
	})
}

// forgetNames takes users off again whose namesakes were all excluded.
func (m *merger) forgetNames() {
	for id, l := range m.drafts {
		if l.Problem == credential.SameName && l.kept == "" && !slices.ContainsFunc(l.like, func(id string) bool {
			return m.drafts[id] != nil || strings.HasPrefix(id, credential.PersonAuthority+"/") // a task
		}) {
			delete(m.drafts, id)
		}
	}
}

func rdnValue(dn string) string {
	_, value, _ := strings.Cut(dn, "=")
	value, _, _ = strings.Cut(value, ",")
	return strings.ToLower(strings.TrimSpace(value))
}

// mountTypes are the types of the auth mounts by name, without slashes; nil
// where our token may not see them.
type mountTypes map[string]string

func (m mountTypes) of(kind string) (names []string) {
	for name, is := range m {
		if is == kind {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// authMounts are asked for once.
func (l *lister) authMounts(ctx context.Context) (mountTypes, error) {
	if l.auths != nil {
		return *l.auths, nil
	}
	const at = "sys/auth"
	got, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	if err != nil && !vault.Answered(err, http.StatusForbidden) {
		return nil, vaultError("read", at, err)
	}
	types := mountTypes(nil) // refused: its policy is of a version before this look
	if err == nil && got != nil {
		types = mountTypes{}
		for name, about := range got.Data {
			if m, ok := about.(map[string]any); ok {
				types[strings.Trim(name, "/")], _ = m["type"].(string)
			}
		}
	}
	l.auths = &types
	return types, nil
}

// authType is the type of one auth mount; empty if it is not there or not
// shown.
func (l *lister) authType(ctx context.Context, mount string) (string, error) {
	types, err := l.authMounts(ctx)
	if err != nil || types != nil {
		return types[mount], err
	}
	at := "sys/internal/ui/mounts/auth/" + mount
	got, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	if vault.Answered(err, http.StatusForbidden, http.StatusNotFound, http.StatusBadRequest) || err == nil && got == nil {
		return "", nil
	}
	if err != nil {
		return "", vaultError("read", at, err)
	}
	kind, _ := got.Data["type"].(string)
	return kind, nil
}

// loginKind settles what kind of login to Vault a reference means: Vault knows
// it by the mount.
func (l *lister) loginKind(ctx context.Context, cand *Candidate) error {
	if cand.Authority != credential.VaultAuthority {
		return nil
	}
	mount, _, ok := cutRole(cand.Account)
	if !ok {
		return nil
	}
	kind, err := l.authType(ctx, mount)
	if err != nil {
		return fmt.Errorf("finding out what auth/%s is: %w", mount, err)
	}
	if k, known := credential.LoginOf(kind); known {
		cand.Kind = k
		if cand.AnyField && cand.Path != nil {
			cand.Path.Field = k.Traits().Fields()
		}
	}
	return nil
}

// ownUsers marks the users of people who work with Rollcall, and the one whose
// token ours is or stems from.
func (l *lister) ownUsers(ctx context.Context, known accounts, own ownIdentities) error {
	self := ""
	for _, c := range l.candidates {
		found := known[refTo(l.c, c.Authority, c.Account)]
		if c.Found != nil {
			found = []Account{*c.Found}
		}
		for _, a := range found {
			if login := a.kind.Traits().Login; login == nil || !login.BareName {
				continue
			}
			if self == "" {
				got, err := l.vault.API().Auth().Token().LookupSelfWithContext(ctx)
				if err != nil {
					return vaultError("read", "auth/token/lookup-self", err)
				}
				self, _ = got.Data["entity_id"].(string)
				self += "/"
			}
			ours, err := l.ownUser(ctx, a, strings.TrimSuffix(self, "/"))
			if err != nil {
				return &naming{fmt.Errorf("userpass user %s: %w", a.Name, err), "a user of an auth mount cannot be read"}
			}
			if ours {
				own[credential.VaultAuthority+"/"+a.Subject] = notByUs
			}
		}
	}
	return nil
}

func (l *lister) ownUser(ctx context.Context, a Account, self string) (bool, error) {
	mount, name, _ := cutRole(a.Subject)
	at := "auth/" + mount + "/users/" + name
	got, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	if err != nil && !vault.Answered(err, http.StatusForbidden) {
		return false, vaultError("read", at, err)
	}
	if got != nil && slices.ContainsFunc(texts(got.Data["token_policies"]), vault.OwnPolicy) {
		return true, nil
	}
	if self == "" {
		return false, nil
	}
	about, err := l.vault.API().Logical().ReadWithContext(ctx, "sys/internal/ui/mounts/auth/"+mount)
	if err != nil || about == nil {
		return false, nil // Set looks once more
	}
	at = "identity/lookup/entity"
	e, err := l.vault.API().Logical().WriteWithContext(ctx, at, map[string]any{"alias_name": name, "alias_mount_accessor": about.Data["accessor"]})
	if err != nil && !vault.Answered(err, http.StatusForbidden) {
		return false, vaultError("update", at, err)
	}
	return e != nil && e.Data["id"] == self, nil
}
