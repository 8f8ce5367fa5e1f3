package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
)

// A text with a slash and a # is a path where its form is one's, and a password
// may have that form. So what a person wrote where a path belongs counts as one
// when a mount of Vault begins it, and is shown nowhere before: not by list,
// and not in the ledger.

// masked stands for what is not shown, by its file and line.
func masked(at credential.Reason) credential.Path {
	return credential.Path{Mount: "not-shown", Path: rowOf(at), Field: "path"}
}

// rowOf is the file and line of a row, without the note that it has.
func rowOf(r credential.Reason) string {
	at, _, _ := strings.Cut(r.Detail, ", ")
	return at
}

// isPlace reports whether a mount that our login sees begins a path.
func (l *lister) isPlace(ctx context.Context, p credential.Path) bool {
	full := p.Mount + "/" + p.Path
	at, err := l.vault.Cut(ctx, full)
	if err == nil {
		return at.Path != ""
	}
	if l.visible == nil {
		l.visible, _ = l.vault.Mounts(ctx) // one that shows none makes nothing a path
		l.visible = append(l.visible, l.c.Vault.Mount)
	}
	for _, m := range l.visible {
		if strings.HasPrefix(full, m+"/") {
			return true // of another sort, or no right on it is ours
		}
	}
	return false
}

// shownPath is the path of an exclude as a message may have it: below a mount
// that something of the roll lies on.
func (m *merger) shownPath(e config.Exclude) string {
	i := slices.Index(m.c.Exclude, e)
	for _, l := range m.drafts {
		for _, p := range l.Paths {
			if strings.HasPrefix(e.Path, p.Mount+"/") {
				return e.Path
			}
		}
	}
	return fmt.Sprintf("of exclude[%d] (not shown, for nothing of the roll lies on such a mount, and it may be no path at all)", i)
}
