package inventory

import (
	"slices"

	"rollcall/internal/credential"
)

// forgetGuessedFields takes back the usual field of secrets whose account
// nobody found, where nothing names that field and the secret is not known to
// have it: people would look for it there, and a list that names what is not
// there is not believed.
func (l *lister) forgetGuessedFields(roll *credential.Roll) {
	guessed, named := map[credential.Path]bool{}, map[credential.Path]bool{}
	for _, c := range l.candidates {
		if c.Path == nil {
			continue
		}
		if c.AnyField && slices.ContainsFunc(c.Path.Fields(), func(f string) bool { return !slices.Contains(c.Fields, f) }) {
			guessed[*c.Path] = true
		} else {
			named[*c.Path] = true
		}
	}
	without := func(p credential.Path) credential.Path {
		if guessed[p] && !named[p] {
			p.Field = ""
		}
		return p
	}
	for i := range roll.Credentials {
		c := &roll.Credentials[i]
		if c.Subject != "" || c.Task != nil {
			continue
		}
		for j, p := range c.Paths {
			c.Paths[j] = without(p)
			if c.Name == p.String() {
				c.Name = c.Paths[j].String()
			}
		}
	}
	// What is left out keeps its paths: by those the next listing knows it.
	for i := range roll.Excluded {
		x := &roll.Excluded[i]
		for _, p := range x.Paths {
			if x.Name == p.String() {
				x.Name = without(p).String()
			}
		}
	}
}
