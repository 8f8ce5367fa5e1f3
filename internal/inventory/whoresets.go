package inventory

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/directory"
)

// whoResets asks each directory which of the accounts that were found may set
// the passwords of which others, where its driver shows that. What is not shown
// is a warning: the order of those accounts is then up to the campaign file.
func (l *lister) whoResets(ctx context.Context, known accounts) (map[string]directory.Resets, error) {
	ids := map[string]map[string]bool{}
	for _, c := range l.candidates {
		found := known[refTo(l.c, c.Authority, c.Account)]
		if c.Found != nil {
			found = []Account{*c.Found}
		}
		for _, a := range found {
			if ids[c.Authority] == nil {
				ids[c.Authority] = map[string]bool{}
			}
			ids[c.Authority][a.Subject] = true
		}
	}
	out := map[string]directory.Resets{}
	for _, name := range slices.Sorted(maps.Keys(ids)) {
		d, ok := l.dirs[name].(interface {
			Resets(ctx context.Context, server string, ids []string) (directory.Resets, error)
		})
		if !ok {
			continue
		}
		got, err := d.Resets(ctx, l.dirs[name].Servers()[0], slices.Sorted(maps.Keys(ids[name])))
		if err != nil {
			return nil, fmt.Errorf("looking in directory %s for who may reset whom: %w; the listing was given up and nothing was changed: check that the server answers (rollcall doctor), then list again", name, err)
		}
		if len(got.Hidden) > 0 || got.Why != "" {
			l.warn(credential.FindingResetsHidden, "%s does not show bind.dn who may reset whom, of %d accounts (%s): one that may is not put first by itself; let bind.dn read the security descriptors and groups of the domain, or find out who may, and name such accounts in an early wave of the campaign file",
				name, len(got.Hidden), firstText(got.Why, "their security descriptors are not shown"))
		}
		out[name] = got
	}
	return out, nil
}
