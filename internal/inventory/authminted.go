package inventory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/minted"
)

// known are the entities of the accounts of the roll that log in to Vault: the
// ids of the credentials, by that of the entity.
type knownEntities map[string][]string

// loginName is a name at an auth mount, folded.
type loginName struct{ mount, name string }

// mintedBefore marks the accounts that get nothing at a mount any more and of
// which a token lives that has more than Vault's default policy: a token keeps
// what its login gave when it was minted, whatever becomes of the account's
// rights. Such an account is a login to Vault as any other: it goes first, and
// its tokens are revoked before anything is written where they read.
//
// All tokens of Vault are looked at, once for all accounts. What is typed at a
// login is in the token's path; one that was made with such a token, and
// perhaps cut off from it, shows its entity alone.
func (l *lister) mintedBefore(ctx context.Context, logins map[string][]credential.VaultLogin, entities knownEntities) error {
	byName := map[loginName][]string{}
	plain, at := 0, map[string]int{} // by mount
	for id, of := range logins {
		for _, login := range of {
			if !login.Plain {
				continue
			}
			plain++
			at[login.Mount]++
			for _, n := range login.Names {
				name := loginName{login.Mount, fold(n)}
				byName[name] = append(byName[name], id)
			}
		}
	}
	if plain == 0 {
		return nil
	}
	if l.tokens == nil {
		// A place of its own: who accepts this has not accepted that the worker
		// may not look.
		for _, mount := range slices.Sorted(maps.Keys(at)) {
			l.unsure("auth/"+mount+"/login", fmt.Sprintf("%s no policy but Vault's default one, and whether a token from before has more is not looked at here, for a look may end a token that Vault is just making. A campaign looks at all tokens before anything is set, and an account that has such a one then goes first", plural.Count(at[mount], "login of the roll at this auth mount of type ldap gets", "logins of the roll at this auth mount of type ldap get")),
				"to know it before, have an administrator look (vault list auth/token/accessors, vault token lookup -accessor …)")
		}
		return nil
	}
	err := l.tokens.Each(ctx, func(t minted.Token) {
		gets := slices.DeleteFunc(slices.Concat(t.Policies, t.IdentityPolicies), func(p string) bool { return p == "default" })
		if len(gets) == 0 {
			return
		}
		var whose []string
		if mount, typed, ok := strings.Cut(strings.TrimPrefix(t.Path, "auth/"), "/login/"); ok {
			for _, name := range []string{typed, t.Meta["username"]} {
				whose = append(whose, byName[loginName{mount, fold(name)}]...)
			}
			if len(whose) == 0 && !l.asksDirectory(mount) {
				return // another method's, of the same entity
			}
		} else if !strings.HasPrefix(t.Path, "auth/token/create") {
			return
		}
		for _, id := range append(whose, entities[t.Entity]...) {
			l.got(id, gets...)
			for i := range logins[id] {
				logins[id][i].Plain = false
			}
		}
	})
	var stop *protocol.Stop
	if errors.As(err, &stop) && stop.Reason == protocol.ReasonRights {
		l.notShown("auth/token/accessors", "this login may not look at the tokens of Vault (auth/token/accessors, auth/token/lookup-accessor): whether tokens live of %s none by now, is not known, and such a token may read what is written", plural.Count(plain, "account of the roll that had policies at an auth mount of type ldap, and has", "accounts of the roll that had policies at an auth mount of type ldap, and have"))
		return nil
	}
	return err
}

func (l *lister) asksDirectory(mount string) bool {
	return slices.ContainsFunc(l.mounts, func(m *authMount) bool { return m.name == mount })
}
