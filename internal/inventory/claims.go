package inventory

import (
	"fmt"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
)

// A secret below the device's prefix that names an account in its own metadata
// may be a place that consumers read, and a rotation that passes it by would
// cut them off. Or whoever had the device wrote it, and holds the account open
// with it. Where the account can be asked, it decides
// (internal/rotation/places.go). Where it cannot, because there is nothing to
// offer or nothing could be delivered, nobody but a person can tell: the
// account stays open, and its finding says how to go on.

// ways are what a person may answer to a claim that cannot be used. if it is
// the account's, mend says what to do.
func ways(c *credential.Credential, p credential.Path, mend string) string {
	if !c.Claim(p) {
		return ""
	}
	then := "and the account is rotated all the same, with its new value at Rollcall's own default path for it"
	switch {
	case c.Hearsay:
		then = "which takes the account off the roll if no other path is left, for nothing else ties it to the device"
	case len(c.Paths) > 1:
		then = "and the account is rotated all the same, with its new value at the other paths that are its own"
	}
	return fmt.Sprintf("; only that secret's own word says that it is the account's, and a thief may have written that: if it is not, leave it out (%s), %s; if it is, %s",
		paste.Entry("exclude", "path", p.String()), then, mend)
}

// nameField is the mend where the secret has other fields.
func nameField(c *credential.Credential, p credential.Path) string {
	return fmt.Sprintf("name the field that holds the password (%s)", paste.Entry("confirm", "account", c.Name, "path", p.Secret()+"#FIELD"))
}

// ownField is the mend where a field holds more than the password.
func ownField(c *credential.Credential, p credential.Path) string {
	return fmt.Sprintf("give the password a field of its own in that secret, let its readers read that, leave out this field as above and name the new one (%s)",
		paste.Entry("confirm", "account", c.Name, "path", p.Secret()+"#NEW-FIELD"))
}

// namedBeside reports whether somebody named another field of the same secret.
func namedBeside(c *credential.Credential, p credential.Path) bool {
	return slices.ContainsFunc(c.Paths, func(q credential.Path) bool {
		return q != p && secretPathOf(q) == secretPathOf(p) && !c.Claim(q)
	})
}

// keepNamed takes off what secrets say of themselves, where a person said that
// the paths he named are all that the account has. Else whoever writes below
// the device's prefix could name an account in one secret after the other.
func (d *draft) keepNamed() {
	var kept, left []credential.Path
	all := slices.Clone(d.Paths)
	for _, p := range d.maybe {
		if !p.beside { // that one is another account's
			all = append(all, p.Path)
		}
	}
	for _, p := range sortedPaths(all) {
		if slices.Contains(d.named, p) || slices.Contains(d.Ours, p) {
			kept = append(kept, p)
		} else {
			left = append(left, p)
		}
	}
	if d.Paths, d.maybe = kept, nil; len(left) > 0 {
		const most = 10
		d.find(credential.FindingPathLeftOut, "the campaign file says that its places are those alone that it names; %d that say of themselves that they are, or may be, stay as they are, and what reads them is cut off: %s%s",
			len(left), pathList(left[:min(most, len(left))]), map[bool]string{true: " …"}[len(left) > most])
	}
}

// dropGuesses drops the usual field of a secret where a person named the one
// that the account has in it.
func (d *draft) dropGuesses(named credential.Path) {
	d.Paths = slices.DeleteFunc(slices.Clone(d.Paths), func(p credential.Path) bool {
		return p != named && secretPathOf(p) == secretPathOf(named) && slices.Contains(d.guesses, p) && !slices.Contains(d.named, p)
	})
}

// manyPaths is what is said of an account that more paths name than one
// credential can have.
func manyPaths(l *draft, all int) string {
	text := fmt.Sprintf("%d paths name it: the first %d are shown", all, len(l.Paths))
	if slices.ContainsFunc(l.Paths, func(p credential.Path) bool { return l.Credential.Claim(p) }) {
		text += fmt.Sprintf("; of most, only the secrets' own word says that they are the account's, and a thief may have written that: leave out those that are not (%s), or name its places once and for all (%s): then the account is rotated, and the others stay as they are",
			paste.Entry("exclude", "path", paste.Left), paste.Entry("confirm", "account", l.Name, "path", "mount/path#field", "only", "true"))
	}
	return text
}
