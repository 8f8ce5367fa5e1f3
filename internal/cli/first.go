package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/inventory"
)

// firstOf words what is tried before the others of a roll begin, and says what
// of it cannot come to its end there.
func (s *session) firstOf(ctx context.Context, roll *credential.Roll) (string, error) {
	var names []string
	for _, c := range roll.Credentials {
		if c.Wave == 0 {
			names = append(names, c.Name)
		}
	}
	text := "Tried first, before the others begin: " + someOf(names)
	reach, err := inventory.Preview(ctx, s.store, s.cfg.Vault.Mount, roll)
	if err != nil {
		return "", err
	}
	first := map[string]bool{}
	for _, c := range roll.Credentials {
		first[c.ID] = c.Wave == 0
	}
	s.sayKept(roll, reach, func(id string) bool { return first[id] })
	return text, nil
}

// keptWaiting names what of what is tried first waits for a login to Vault that
// goes later, and those logins. first also holds for a login that is dead.
func keptWaiting(roll *credential.Roll, reach []credential.Reach, first func(id string) bool) (kept, logins []string) {
	for _, r := range reach {
		if first(r.Login) {
			continue
		}
		for _, c := range roll.Credentials {
			if first(c.ID) && c.Problem == "" && slices.Contains(r.Reads, c.ID) {
				kept = append(kept, c.Name)
				logins = append(logins, r.Name)
			}
		}
	}
	slices.Sort(kept)
	slices.Sort(logins)
	return slices.Compact(kept), slices.Compact(logins)
}

// someOf are the first of some names, and how many there are besides.
func someOf(names []string) string {
	text := strings.Join(names[:min(maxOpen, len(names))], "; ")
	if more := len(names) - maxOpen; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
