package inventory

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
)

// methodLooks is what the listing does for logins to Vault, by the type of
// their auth mount: lookUp resolves "mount/name" references, and limits says
// before the run what is known to keep one from being rotated, or what the new
// one cannot take over.
var methodLooks = map[string]struct {
	lookUp func(*lister, context.Context, []mention, accounts) error
	limits func(*lister, context.Context, *credential.Credential) ([]credential.Finding, error)
}{
	credential.AppRoleMethod:  {(*lister).lookUpRoles, (*lister).secretIDLimits},
	credential.UserpassMethod: {(*lister).lookUpUsers, (*lister).userLimits},
}

// lookUpLogins resolves "mount/name" references to logins to Vault, each by the
// type of its mount. Where that is not shown, or is another one, it is looked
// for as a role.
func (l *lister) lookUpLogins(ctx context.Context, refs []mention, known accounts) error {
	by := map[string][]mention{} // method
	var tokens []mention
	for _, ref := range refs {
		if strings.HasPrefix(ref.text, minted.TokenPrefix) {
			tokens = append(tokens, ref)
			continue
		}
		method := credential.AppRoleMethod
		if mount, _, ok := cutRole(ref.text); ok {
			kind, err := l.authType(ctx, mount)
			if err != nil {
				return err
			}
			if _, ours := methodLooks[kind]; ours {
				method = kind
			}
		}
		by[method] = append(by[method], ref)
	}
	for _, method := range slices.Sorted(maps.Keys(by)) {
		if err := methodLooks[method].lookUp(l, ctx, by[method], known); err != nil {
			return err
		}
	}
	return l.lookUpTokens(ctx, tokens, known)
}

// lookUpRoles resolves "mount/role" references: with one list for each mount
// where our token may list it, and else with a look at each role, for which it
// needs no more than what the rotation of that role needs. Whoever may write a
// secret's metadata chooses what is asked here, so a mount that is not there,
// or a role that we may not read, is the trouble of that line alone.
func (l *lister) lookUpRoles(ctx context.Context, refs []mention, known accounts) error {
	byMount := map[string]map[string]bool{} // nil: not ours to list
	foreign, err := l.foreignRoles(ctx, refs)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		mount, role, ok := cutRole(ref.text)
		if !ok {
			continue // no such form: it stays unmatched
		}
		if foreign[roleAccount(mount, role).Subject] {
			known[reference{credential.VaultAuthority, ref.key}] = []Account{} // see accounts
			continue
		}
		roles, asked := byMount[mount]
		if !asked {
			names, err := l.listRoles(ctx, mount)
			switch {
			case err == nil:
				roles = map[string]bool{}
				for _, r := range names {
					roles[strings.ToLower(r)] = true
				}
			case !vault.Answered(err, http.StatusForbidden, http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed):
				return &naming{fmt.Errorf("looking up the AppRole %s: %w", ref.text, err), "the AppRoles of an auth mount cannot be listed"}
			}
			byMount[mount] = roles
		}
		there := roles[strings.ToLower(role)]
		if roles == nil {
			var err error
			there, err = l.readRole(ctx, mount, role)
			switch {
			case vault.Answered(err, http.StatusForbidden, http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed):
				known[reference{credential.VaultAuthority, ref.key}] = []Account{} // see accounts
			case err != nil:
				return &naming{fmt.Errorf("looking up the AppRole %s: %w", ref.text, err), "an AppRole cannot be read"}
			}
		}
		if there {
			known[reference{credential.VaultAuthority, ref.key}] = []Account{roleAccount(mount, role)}
		}
	}
	return nil
}

// foreignRoles are those, at mounts that no source lists, whose secret-ids are
// not our login's to look after. It may read every role, to see who else reads
// what is written; whoever writes a secret's metadata must not choose of these
// what is on the roll. What rollcall init gives for a login of the campaign is
// the role-id too.
func (l *lister) foreignRoles(ctx context.Context, refs []mention) (map[string]bool, error) {
	places := map[string]string{} // by place: the role
	var ask []string
	for _, ref := range refs {
		mount, role, ok := cutRole(ref.text)
		lists := slices.ContainsFunc(l.c.Sources, func(s config.Source) bool { return s.Type == config.VaultAppRole && s.Mount == mount })
		if !ok || lists {
			continue
		}
		subject := roleAccount(mount, role).Subject
		at := "auth/" + mount + "/role/" + subject[len(mount)+1:] + "/role-id"
		if _, asked := places[at]; !asked && strings.TrimSpace(at) == at {
			places[at] = subject
			ask = append(ask, at)
		}
	}
	out := map[string]bool{}
	for part := range slices.Chunk(ask, 200) {
		got, err := l.vault.API().Logical().WriteWithContext(ctx, "sys/capabilities-self", map[string]any{"paths": part})
		if vault.Answered(err, http.StatusForbidden) || err == nil && got == nil {
			return nil, nil // the right to read a role has to do
		}
		if err != nil {
			return nil, &naming{vaultError("update", "sys/capabilities-self", err), "whether AppRoles are this login's to rotate cannot be asked"}
		}
		for _, at := range part {
			can := texts(got.Data[at])
			out[places[at]] = !slices.Contains(can, "read") && !slices.Contains(can, "root")
		}
	}
	return out, nil
}

func (l *lister) readRole(ctx context.Context, mount, role string) (bool, error) {
	at := "auth/" + mount + "/role/" + strings.ToLower(role)
	got, err := l.vault.API().Logical().ReadWithContext(ctx, at)
	if err != nil {
		return false, vaultError("read", at, err)
	}
	if got == nil {
		return false, nil
	}
	_, is := got.Data["bind_secret_id"] // a path of another engine is no AppRole
	return is, nil
}

// cutRole splits "mount/role"; a mount may have several segments and a role has
// none. A segment that the client would clean away names another place of
// Vault's API.
func cutRole(ref string) (mount, role string, ok bool) {
	ref = strings.TrimPrefix(strings.Trim(ref, "/ "), "auth/")
	i := strings.LastIndexByte(ref, '/')
	if i <= 0 || i == len(ref)-1 {
		return "", "", false
	}
	for _, segment := range strings.Split(ref, "/") {
		if segment == "" || segment == "." || segment == ".." {
			return "", "", false
		}
	}
	return ref[:i], ref[i+1:], true
}
