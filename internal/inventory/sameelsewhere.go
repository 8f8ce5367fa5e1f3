package inventory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/plural"
)

// A device may have one name and one password at several authorities, and at
// several entries of one directory, as after a merger. A name alone ties nobody
// to it: an account that no source names, and that has the name of one of the
// roll, is offered what Vault holds for that one, once, and by a campaign
// alone, for each offer may be a wrong login. One that takes it is the
// device's, and is rotated; one that refuses it has nothing to do with the
// roll; one that could not be asked is open, and a person answers. Users of
// Vault are asked as logins to Vault are (sameNames).

// likeness is what ties such an account to the roll.
type likeness struct {
	of    []string                 // ids of credentials that have its name
	whose []string                 // what they are, for people
	takes []credential.PathVersion // where what it accepted lies
	open  string                   // why it was not asked; empty: it was
}

// namesake is an account that was found by the name of another one.
type namesake struct {
	Account
	authority string
	likeness
	excluded bool
}

// namesOf are what the accounts of the roll are called that may have
// namesakes, folded, each with their ids.
func (l *lister) namesOf(roll *credential.Roll, own ownIdentities) map[string][]*credential.Credential {
	out := map[string][]*credential.Credential{}
	l.nameAccounts()
	for i := range roll.Credentials {
		c := &roll.Credentials[i]
		login := c.Kind.Traits().Login
		if _, ours := own[c.ID]; ours || c.Subject == "" || c.Task != nil || c.Kind.OnlyEnds() || login != nil && !login.BareName || slices.Contains(passwordless, c.Problem) {
			continue
		}
		names := slices.Clone(l.names[c.ID])
		if login != nil {
			names = append(names, c.Subject[strings.LastIndex(c.Subject, "/")+1:])
		}
		slices.Sort(names)
		addNames(out, c, slices.Compact(names))
	}
	for _, c := range append(l.taskLogins(), l.doorLogins()...) {
		addNames(out, c, c.Names)
	}
	return out
}

func addNames(out map[string][]*credential.Credential, c *credential.Credential, names []string) {
	for _, name := range names {
		if len(name) > longestName || strings.Contains(name, "/") || isDN(name) {
			continue
		}
		local, _, _ := strings.Cut(name, "@")
		for _, n := range slices.Compact([]string{fold(name), fold(local)}) {
			if n != "" && !slices.Contains(out[n], c) {
				out[n] = append(out[n], c)
			}
		}
	}
}

// passwordless are problems of accounts that have no password which logs in, or
// one that nobody chose.
var passwordless = []credential.Problem{credential.NotAnAccount, credential.NoPassword, credential.IsAlias, credential.ComputerAccount, credential.ManagedAccount, credential.SameName}

// namesakes are the accounts of all authorities that have the name of an
// account which the roll has, and are not on it.
func (l *lister) namesakes(ctx context.Context, roll *credential.Roll, own ownIdentities) ([]*namesake, error) {
	if len(l.c.Authorities()) == 0 {
		return nil, nil
	}
	all, known := l.namesOf(roll, own), map[string]bool{}
	for _, c := range roll.Credentials {
		known[c.ID] = !l.past.unasked(c.ID)
		if c.Problem == credential.Ambiguous {
			for _, a := range preferAccounts(l.known[refTo(l.c, c.Authority, c.Name)]) {
				known[c.Authority+"/"+a.Subject] = true // that line asks whose it is
			}
		}
	}
	for _, x := range roll.Excluded {
		known[x.ID] = true
	}
	if len(all) == 0 {
		return nil, nil
	}
	names := slices.Sorted(maps.Keys(all))
	var out []*namesake
	for _, name := range l.c.Authorities() {
		found, err := l.called(ctx, name, names, func(subject string) bool {
			_, ours := own[name+"/"+subject]
			return ours || known[name+"/"+subject]
		}, func(text string, err error) {
			l.warn(credential.FindingSameName, "whether %s has an account called %q, as one of the roll is, could not be looked for (%v): look there by hand", l.c.Called(name), text, err)
		})
		if err != nil {
			return nil, err
		}
		if err := l.passwordsOf(ctx, name, found); err != nil {
			return nil, err
		}
		for _, a := range found {
			if a.hasNone() {
				continue
			}
			n := &namesake{Account: a, authority: name, excluded: l.excludes(name, a)}
			for _, c := range likeOf(a, all) {
				if c.ID != n.id() {
					n.of, n.whose = append(n.of, c.ID), append(n.whose, whose(c))
				}
			}
			if len(n.of) > 0 {
				out = append(out, n)
			}
		}
	}
	return out, nil
}

func (n *namesake) id() string { return n.authority + "/" + n.Subject }

// passwordsOf finds out which of the entries have no password.
func (l *lister) passwordsOf(ctx context.Context, name string, found []Account) error {
	if l.dirs[name] == nil || len(found) == 0 {
		return nil
	}
	entries := accounts{}
	for _, a := range found {
		entries[reference{name, a.Subject}] = []Account{a}
	}
	_, err := l.withoutPasswords(ctx, entries, nil)
	return err
}

// likeOf are the credentials whose name an account has, by their ids.
func likeOf(a Account, by map[string][]*credential.Credential) (out []*credential.Credential) {
	for _, name := range append(rdnOf(a.Name), append(slices.Clone(a.Logins), a.Short)...) {
		local, _, _ := strings.Cut(name, "@")
		for _, n := range []string{fold(name), fold(local)} {
			for _, c := range by[n] {
				if !slices.Contains(out, c) {
					out = append(out, c)
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b *credential.Credential) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// hasNone reports whether an account has no password of its own that logs in.
func (a Account) hasNone() bool {
	if a.system != nil {
		return slices.ContainsFunc(a.system.Problems, func(p authority.Problem) bool { return slices.Contains(passwordless, p.Code) })
	}
	return a.facts != nil && slices.Contains(passwordless, a.facts.noAccount().code)
}

// excludes reports whether a person left the account out by a name that is its
// own.
func (l *lister) excludes(authority string, a Account) bool {
	return slices.ContainsFunc(l.c.Exclude, func(e config.Exclude) bool {
		switch {
		case e.Account == "":
			return false
		case fold(e.Account) == a.Subject:
			return true
		case a.system != nil:
			return e.Account == a.Name
		}
		meant := func(b Account) bool { return b.Subject == a.Subject }
		return slices.ContainsFunc(l.known[refTo(l.c, authority, e.Account)], meant) && a.mainName(e.Account)
	})
}

// namesPerSearch is more than references in one search: nearly none of these
// names has an account that is not known, and many servers give 500 entries.
const namesPerSearch = 200

// called are the accounts of an authority that go by one of many names, folded,
// and are not known. unasked gets each name that a directory answers with an
// error, one after the other; whether that may be shown, the caller knows.
func (l *lister) called(ctx context.Context, name string, names []string, known func(subject string) bool, unasked func(text string, err error)) (out []Account, err error) {
	if s, ok := l.systems[name]; ok {
		alike, ok := s.(authority.Namer)
		if !ok {
			return nil, nil
		}
		found, err := alike.Called(ctx, names)
		if err != nil {
			return nil, fmt.Errorf("looking in %s for accounts by the names of %s: %w; the listing was given up and nothing was changed: check that the server answers (rollcall doctor), then list again", l.c.Called(name), plural.Count(len(names), "other", "others"), err)
		}
		for _, a := range found {
			if known(a.Subject) {
				continue
			}
			out = append(out, Account{Subject: a.Subject, Name: a.Name, Short: a.Short, Logins: a.Names, system: &a})
		}
		return out, nil
	}
	mentions := make([]mention, 0, len(names))
	for _, n := range names {
		mentions = append(mentions, mention{text: n})
	}
	add := func(found []Account) {
		l.mu.Lock()
		defer l.mu.Unlock()
		for _, a := range found {
			if !known(a.Subject) {
				out = addAccount(out, a)
			}
		}
	}
	err = parallel(ctx, slices.Chunk(mentions, namesPerSearch), func(ctx context.Context, batch []mention) error {
		found, err := l.calledIn(ctx, name, batch)
		if breaksAlone(err) {
			for one := range slices.Chunk(batch, 1) {
				if found, err = l.calledIn(ctx, name, one); breaksAlone(err) {
					l.mu.Lock()
					unasked(one[0].text, err)
					l.mu.Unlock()
					continue
				}
				if err != nil {
					return l.lookupError(name, 1, err)
				}
				add(found)
			}
			return nil
		}
		if err != nil {
			return l.lookupError(name, len(batch), err)
		}
		add(found)
		return nil
	})
	slices.SortFunc(out, func(a, b Account) int { return strings.Compare(a.Subject, b.Subject) })
	return out, err
}

// calledIn searches a directory for entries that log in by a name, or are
// called so: many service accounts have a cn and nothing else.
func (l *lister) calledIn(ctx context.Context, name string, batch []mention) (out []Account, err error) {
	f, d := l.driver(name), l.dirs[name]
	var b strings.Builder
	b.WriteString("(|")
	wanted := map[string]bool{}
	for _, m := range batch {
		wanted[m.text] = true
		b.WriteString(f.clause(m))
		if f.login != "cn" {
			b.WriteString(anyOf([]string{"cn"}, ldap.EscapeFilter(m.text)))
		}
	}
	b.WriteByte(')')
	n := 0
	elsewhere, err := d.Find(ctx, d.Servers()[0], l.c.Directories[name].Base, b.String(), f.read, func(e directory.Entry) error {
		if n++; n > perReference*len(batch) {
			return errTooMany
		}
		a, err := f.accountOf(e)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(append(rdnOf(a.Name), e.Attrs[f.login]...), func(n string) bool { return wanted[fold(n)] }) {
			out = append(out, a)
		}
		return nil
	})
	l.referred(name, elsewhere)
	return out, err
}
