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
	if kept, logins := keptWaiting(roll, reach); len(kept) > 0 {
		s.say("note: of what is tried first %s would stay open (within-reach): %s could read the new value, and would go later. Name it too: --only '%s'",
			someOf(kept), someOf(logins), strings.Join(logins[:min(maxOpen, len(logins))], "' --only '"))
	}
	return text, nil
}

// keptWaiting names what of the first wave waits for a login to Vault that goes
// in a later one, and those logins.
func keptWaiting(roll *credential.Roll, reach []credential.Reach) (kept, logins []string) {
	wave := map[string]int{}
	for _, c := range roll.Credentials {
		wave[c.ID] = c.Wave
	}
	for _, r := range reach {
		if wave[r.Login] == 0 {
			continue
		}
		for _, c := range roll.Credentials {
			if c.Wave == 0 && c.Problem == "" && slices.Contains(r.Reads, c.ID) {
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
