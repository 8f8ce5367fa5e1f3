package inventory

import (
	"context"
	"fmt"
	"strings"

	"rollcall/internal/credential"
)

// lookUpRoles resolves "mount/role" references with one list for each mount.
func (l *lister) lookUpRoles(ctx context.Context, refs []mention, known accounts) error {
	byMount := map[string]map[string]bool{}
	for _, ref := range refs {
		mount, role, ok := cutRole(ref.text)
		if !ok {
			continue // no such form: it stays unmatched
		}
		if byMount[mount] == nil {
			roles, err := l.listRoles(ctx, mount)
			if err != nil {
				return &naming{fmt.Errorf("looking up the AppRole %s: %w", ref.text, err), "the AppRoles of auth mount " + mount + " cannot be listed"}
			}
			byMount[mount] = map[string]bool{}
			for _, r := range roles {
				byMount[mount][strings.ToLower(r)] = true
			}
		}
		if byMount[mount][strings.ToLower(role)] {
			a := roleAccount(mount, role)
			known[reference{credential.VaultAuthority, ref.key}] = []Account{a}
		}
		l.beat()
	}
	return nil
}

// cutRole splits "mount/role"; a mount may have several segments and a role
// has none.
func cutRole(ref string) (mount, role string, ok bool) {
	ref = strings.TrimPrefix(strings.Trim(ref, "/ "), "auth/")
	i := strings.LastIndexByte(ref, '/')
	if i <= 0 || i == len(ref)-1 {
		return "", "", false
	}
	return ref[:i], ref[i+1:], true
}

// ownRole adds the AppRole with which this process is logged in, if it is and if
// the roll has roles at all.
func (l *lister) ownRole(ctx context.Context, own ownIdentities) error {
	roles := false
	for _, c := range l.candidates {
		roles = roles || c.Authority == credential.VaultAuthority
	}
	if !roles {
		return nil
	}
	const at = "auth/token/lookup-self"
	sec, err := l.vault.API().Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		return fmt.Errorf("finding out whether our own login is on the roll: %w", vaultError("read", at, err))
	}
	if sec == nil {
		return nil
	}
	login, _ := sec.Data["path"].(string)
	meta, _ := sec.Data["meta"].(map[string]any)
	role, _ := meta["role_name"].(string)
	if mount, ok := strings.CutSuffix(strings.TrimPrefix(login, "auth/"), "/login"); ok && role != "" {
		own[credential.VaultAuthority+"/"+roleAccount(mount, role).Subject] = notByUs
	}
	return nil
}
