package inventory

import (
	"context"
	"fmt"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// told adds a trouble to those of a credential.
type told func(p credential.Problem, format string, args ...any)

// mayWrite looks whether what a rotation writes would stay there: at a path
// that it may write, or at Rollcall's own one where the path is left as it is.
func (l *lister) mayWrite(ctx context.Context, c *credential.Credential, p credential.Path, h held, trouble told) error {
	ours := c.Adopted && slices.Contains(c.Ours, p)
	switch {
	case h.problem == credential.DeletedVersion && !ours && c.Spare != nil, c.Adopted && c.Spare != nil && h.problem != "" && !ours:
		return l.keeps(ctx, c, *c.Spare, held{}, trouble)
	case h.problem != "" && !ours, !h.exists && (apiPath(p) || !c.Adopted && misspelt(p) != ""):
		return nil // it stays open, or is not written
	case h.exists, slices.Contains(c.Named, p), slices.Contains(c.Confirmed, p), ours:
		return l.keeps(ctx, c, p, h, trouble)
	}
	return nil
}

// keeps looks at one place, by the settings of the secret and of its mount: the
// end that the present version has tells only what they were when it was
// written.
func (l *lister) keeps(ctx context.Context, c *credential.Credential, p credential.Path, h held, trouble told) error {
	k, err := l.keeping(ctx, p)
	way := ""
	if slices.Contains(c.Paths, p) {
		way = ways(c, p, "do that, or set delete_version_after to 0 on the secret and on its mount")
	}
	switch problem := placeProblem(err); {
	case problem != "":
		return nil // whoever reads what is there says so
	case err != nil:
		return fmt.Errorf("looking whether Vault deletes by itself what is written to %s: %w; the listing was given up and nothing was changed", p, err)
	case k.Deletes():
		trouble(credential.DeletesItself, "%s: Vault would delete the new value %s after it is written (%s): %s%s", p, k.After, k.Setting(), k.Mend(p), way)
	case h.ends && len(k.Unseen) > 0:
		trouble(credential.DeletesItself, "%s: Vault deletes its present version after a time (delete_version_after), and the new value would go the same way: set that to 0%s; which setting it is this login may not read",
			p, way)
	}
	return nil
}

// sparesKeep says of the mounts of Rollcall's own paths which delete what is
// written: an account whose paths hold nothing that it accepts stays open then,
// and nothing of it is set.
func (l *lister) sparesKeep(ctx context.Context, roll *credential.Roll) error {
	told := map[string]bool{}
	for _, c := range roll.Credentials {
		if c.Problem != "" || c.Spare == nil || told[c.Spare.Mount] {
			continue
		}
		told[c.Spare.Mount] = true
		k, err := l.vault.MountKeeping(ctx, *c.Spare)
		switch {
		case placeProblem(err) != "":
			l.warn(credential.FindingPlace, "%s/, where Rollcall's own paths are, is no KV version 2 mount that this login can see: an account that refuses what its paths hold would get its new value there, and stays open instead, with nothing changed; %s",
				c.Spare.Mount, l.c.Vault.AdoptElsewhere())
		case vault.IsDenied(err):
		case err != nil:
			return fmt.Errorf("looking whether Vault deletes by itself what is written to %s: %w; the listing was given up and nothing was changed", c.Spare.Mount, err)
		case k.Deletes():
			l.warn(credential.FindingPlace, "%s/, where Rollcall's own paths are (vault.adopt), deletes what is written after %s (delete_version_after): an account that refuses what its paths hold would get its new value there, and stays open instead, with nothing changed: %s",
				c.Spare.Mount, k.After, k.Mend(*c.Spare))
		}
	}
	return nil
}
