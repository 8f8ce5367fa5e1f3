package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/ownmount"
)

// Two devices may have been taken by the same hole. A login to Vault that is
// open on the newest roll of another device is a thief's for certain, whatever
// policies a person has accepted: what it may read here waits for it as for one
// of this device. So it is with one that a person left out there: his word is
// about what that campaign does, and nobody has proved the login dead.

// stolenElsewhere are those logins and tokens, each with the campaign that has
// it open or leaves it out.
type stolenElsewhere struct {
	logins map[loginName]string
	dns    map[loginName]string // of those that are accounts of a directory
	tokens map[string]string    // by accessor
}

// isOpenLogin: whoever stole it logs in to Vault with it.
func isOpenLogin(c credential.Credential) bool {
	return c.ReachesVault() && !c.Own && c.Problem != credential.OwnIdentity && c.Problem != credential.SameName
}

// leftOutLogins are the logins to Vault that a person took off another device's
// roll, each with his reason. What was listed there as that campaign's own, or
// for its name alone, that device did not have.
func leftOutLogins(c *config.Campaign, r ownmount.OtherRoll) (logins []credential.Credential, reasons []string) {
	for _, x := range r.LeftOut {
		k, ok := wasExcluded(c, x)
		if !ok {
			continue
		}
		for _, at := range x.Logins {
			if mount, name, ok := cutRole(at); ok {
				k.Logins = append(k.Logins, credential.VaultLogin{Mount: mount, Names: []string{name}})
			}
		}
		if isOpenLogin(k.Credential) {
			logins, reasons = append(logins, k.Credential), append(reasons, x.Reason)
		}
	}
	return logins, reasons
}

// add takes open logins to Vault of one roll; how says what that roll does with
// them.
func (s *stolenElsewhere) add(r ownmount.OtherRoll, how string, open ...credential.Credential) {
	s.put(fmt.Sprintf("the roll of campaign %s of device %s, which %s", r.Campaign, r.Device, how), open...)
}

// put is add; by says whose they are.
func (s *stolenElsewhere) put(by string, open ...credential.Credential) {
	if s.logins == nil {
		s.logins, s.dns, s.tokens = map[loginName]string{}, map[loginName]string{}, map[string]string{}
	}
	for _, c := range open {
		if accessor, ok := strings.CutPrefix(c.Subject, minted.TokenPrefix); ok && c.Kind.OnlyEnds() {
			s.tokens[accessor] = by
			continue
		}
		if mount, name, ok := cutRole(c.Subject); ok && c.Kind.OpensVault() {
			s.logins[loginName{mount, fold(name)}] = by
		}
		for _, login := range c.Logins {
			for _, name := range login.Names {
				at := loginName{login.Mount, fold(name)}
				s.logins[at], s.dns[at] = by, c.Name
			}
		}
	}
}

// gets are the policies that one of them gets at an auth mount of type ldap
// that asks a directory of the campaign: where groups are not told, those of
// all.
func (s stolenElsewhere) gets(m *authMount, at loginName) []string {
	out := slices.Concat(m.gives, m.names[at.name])
	if m.untold != "" {
		for _, policies := range m.groups {
			out = append(out, policies...)
		}
	}
	for _, in := range m.members {
		out = slices.Concat(out, in[dnKey(s.dns[at])], in[at.name])
	}
	return out
}

// made says whose a token is, or "" where it is none of theirs.
func (s stolenElsewhere) made(accessor string, t minted.Token) string {
	if by := s.tokens[accessor]; by != "" {
		return by
	}
	for _, at := range loginNamesOf(t) {
		if by := s.logins[at]; by != "" {
			return by + ": it made the token"
		}
	}
	return ""
}

// stolenChild: a token that another one made keeps of who that was the entity
// alone. One whose entity has a login among those is taken for made with it,
// also where a person accepted another login of the same entity.
func (l *lister) stolenChild(ctx context.Context, t *liveToken) error {
	if t.stolen || !t.Child() || t.Entity == "" || len(l.elsewhereOpen.logins) == 0 {
		return nil
	}
	logins, err := l.loginsOfEntity(ctx, t.Entity)
	for _, at := range logins {
		if by := l.elsewhereOpen.logins[at]; by != "" {
			t.device, t.byPolicy, t.stolen = by+": a token of its entity made the token", false, true
		}
	}
	return err
}

// loginNamesOf are the names by which a token may have been made at its mount.
func loginNamesOf(t minted.Token) []loginName {
	at := strings.TrimPrefix(t.Path, "auth/")
	if mount, ok := strings.CutSuffix(at, "/login"); ok {
		return []loginName{{mount, fold(t.Meta["role_name"])}}
	}
	mount, typed, ok := strings.Cut(at, "/login/")
	if !ok {
		return nil
	}
	out := []loginName{{mount, fold(typed)}}
	if name := t.Meta["username"]; name != "" {
		out = append(out, loginName{mount, fold(name)})
	}
	return out
}
