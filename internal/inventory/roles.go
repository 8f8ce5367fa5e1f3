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
