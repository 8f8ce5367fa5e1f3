package inventory

import (
	"context"
	"maps"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
)

// hidden are facts of entries that showed no userPassword, by directory and
// immutable id.
type hidden map[string]map[string][]*facts

// passwordsNotShown collects them. In the plain case, where bind.dn may read
// the attribute, there are none but those of entries without one.
func (l *lister) passwordsNotShown(known accounts, of []Candidate) hidden {
	out := hidden{}
	note := func(authority string, a Account) {
		if a.facts == nil || a.facts.domains || len(a.facts.stored) > 0 || l.isIdentity(authority, a) {
			return
		}
		if out[authority] == nil {
			out[authority] = map[string][]*facts{}
		}
		out[authority][a.Subject] = append(out[authority][a.Subject], a.facts)
	}
	for _, c := range of {
		if c.Found != nil {
			note(c.Authority, *c.Found)
		}
	}
	for ref, list := range known {
		for _, a := range list {
			note(ref.authority, a)
		}
	}
	return out
}

// lookForPasswords asks which of them have none. A server answers a filter with
// three values (RFC 4511 section 4.5.1.7): where bind.dn may not search
// userPassword, neither its presence nor its absence matches, so what matches
// the absence has none for certain. Tried with slapd 2.5 and 389 Directory
// Server 2.3. The rest has one that is not shown, or perhaps none, which is a
// warning: whether it bars its account, or names another system that checks it
// ({SASL}), shows by its value alone. The first is not set without a sign of
// life (password-not-shown); the second looks like any other, so that the
// stolen value would count as dead and live on in that system.
func (l *lister) lookForPasswords(ctx context.Context, known accounts) error {
	unshown, err := l.withoutPasswords(ctx, known, l.candidates)
	for _, name := range slices.Sorted(maps.Keys(unshown)) {
		of := unshown[name]
		l.acceptable(name, credential.FindingStorageHidden, "directory %s: bind.dn may not read userPassword of %d of its entries (of %d not even whether there is one): %s. Grant it read on that attribute (docs/rights.md), or look at them as an administrator",
			name, of.kept+of.hidden, of.hidden, l.driver(name).unshownRisk())
	}
	return err
}

// unshown counts entries of a directory whose userPassword is not shown.
type unshown struct {
	kept   int // which have one
	hidden int // of which not even that is shown
}

// unshownRisk says what may be behind a userPassword that is not shown.
func (d driver) unshownRisk() string {
	const barred = "one that is barred by it, or has none, would be given a login, so none of which Vault holds nothing that it accepts is set (password-not-shown)"
	if !d.passesOn {
		return barred
	}
	return barred + "; and of one whose password another system checks ({SASL}) the stolen value would count as dead and stay good in that system"
}

// withoutPasswords marks those that have none, and counts the rest by
// directory.
func (l *lister) withoutPasswords(ctx context.Context, known accounts, of []Candidate) (map[string]unshown, error) {
	out := map[string]unshown{}
	for name, entries := range l.passwordsNotShown(known, of) {
		ids := slices.Sorted(maps.Keys(entries))
		err := l.matching(ctx, name, "(!(userPassword=*))", ids, func(id string) {
			for _, a := range entries[id] {
				a.without = true
			}
			delete(entries, id)
		})
		if err != nil {
			return nil, err
		}
		var n unshown
		err = l.matching(ctx, name, "(userPassword=*)", slices.Sorted(maps.Keys(entries)), func(id string) {
			n.kept++
			delete(entries, id)
		})
		if err != nil {
			return nil, err
		}
		n.hidden = len(entries)
		if n != (unshown{}) {
			out[name] = n
		}
	}
	return out, nil
}

// matching calls each for those of the entries that match a condition.
func (l *lister) matching(ctx context.Context, name, condition string, ids []string, each func(id string)) error {
	d, f := l.dirs[name], l.driver(name)
	for chunk := range slices.Chunk(ids, perSearch) {
		var b strings.Builder
		b.WriteString("(&" + condition + "(|")
		for _, id := range chunk {
			b.WriteString(directory.FilterByID(f.name, id))
		}
		b.WriteString("))")
		_, err := d.Find(ctx, d.Servers()[0], l.c.Directories[name].Base, b.String(), []string{"1.1"}, func(e directory.Entry) error {
			each(strings.ToLower(e.ID))
			return nil
		})
		if err != nil {
			return l.lookupError(name, len(chunk), err)
		}
	}
	return nil
}

// isIdentity: what bind.dn itself is was shown by its login.
func (l *lister) isIdentity(authority string, a Account) bool {
	return slices.ContainsFunc(l.c.Directories[authority].Identities(), func(b config.Bind) bool { return directory.SameDN(b.DN, a.Name) })
}

// passers are directories that can say whether they ask another system about
// passwords.
type passers interface {
	PassesThrough(ctx context.Context, server string) ([]string, error)
}

// lookForPassThrough warns of directories in which a new userPassword may not
// be what logs in.
func (l *lister) lookForPassThrough(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(l.dirs)) {
		d, ok := l.dirs[name].(passers)
		if !ok {
			continue
		}
		on, err := d.PassesThrough(ctx, l.dirs[name].Servers()[0])
		if err != nil {
			return l.lookupError(name, 0, err)
		}
		if len(on) > 0 {
			l.warn(credential.FindingCheckedElsewhere, "directory %s: the plug-in %s is on, so another system may check passwords there: the stolen value of such an account stays good in that system until it is changed there", name, strings.Join(on, ", "))
		}
	}
	return nil
}
