package inventory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/plural"
)

const (
	perSearch = 50 // references in one OR filter
	searches  = 4  // at once, on one directory

	perReference = 20   // entries of one reference that are taken in: two are ambiguous already
	longestName  = 2000 // of an account: what is longer names none
)

// resolve looks up every reference once.
func (l *lister) resolve(ctx context.Context) (accounts, error) {
	asked := map[string][]mention{} // by authority
	seen := map[reference]bool{}
	ours := true
	ask := func(authority, account string) {
		if authority == "" || account == "" {
			return
		}
		r := refTo(l.c, authority, account)
		if !seen[r] {
			seen[r] = true
			asked[authority] = append(asked[authority], mention{account, r.account, formOf(account), ours})
		}
	}
	for _, name := range l.c.Authorities() {
		for _, login := range l.c.Authority(name).Logins() {
			ask(name, login.Name) // to recognise our own identity
		}
		for _, e := range l.c.Exclude {
			ask(name, e.Account) // the directory says whom a name means
		}
		for _, c := range l.c.Confirm {
			ask(name, c.Account)
		}
		for _, a := range l.c.Accept {
			ask(name, a.Account)
		}
	}
	ours = false
	for _, c := range l.candidates {
		if c.Found == nil {
			ask(c.Authority, c.Account)
		}
	}
	known := accounts{}
	for authority, refs := range asked {
		slices.SortFunc(refs, func(a, b mention) int {
			return cmp.Or(cmp.Compare(a.form, b.form), strings.Compare(a.text, b.text))
		})
		var err error
		switch {
		case authority == credential.VaultAuthority:
			err = l.lookUpLogins(ctx, refs, known)
		case l.dirs[authority] != nil:
			err = l.lookUpEntries(ctx, authority, refs, known)
		case l.systems[authority] != nil:
			err = l.lookUpAccounts(ctx, authority, refs, known)
		}
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

// lookUpEntries resolves references to entries of one directory: many in one
// search, then one by one what that did not find, because the server knows
// matching rules that we do not.
func (l *lister) lookUpEntries(ctx context.Context, name string, refs []mention, known accounts) error {
	refs, short, err := l.withoutDomains(ctx, name, refs)
	if err != nil {
		return err
	}
	defer func() {
		for written, key := range short {
			known[reference{name, written}] = known[reference{name, key}]
		}
	}()
	refs = slices.DeleteFunc(refs, func(m mention) bool {
		long := len(m.text) > longestName && !m.ours
		if long {
			l.hint(name, m.key, fmt.Sprintf("it has %s", plural.Count(len(m.text), "character", "characters")))
		}
		return long
	})
	var mu sync.Mutex
	var left []mention
	err = parallel(ctx, slices.Chunk(refs, perSearch), func(ctx context.Context, batch []mention) error {
		found, err := l.searchBatch(ctx, name, batch)
		if breaksAlone(err) {
			mu.Lock()
			defer mu.Unlock()
			left = append(left, batch...) // one of them is at fault
			return nil
		}
		if err != nil {
			return l.lookupError(name, len(batch), err)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, r := range batch {
			if len(found[r.key]) > 0 {
				known[reference{name, r.key}] = found[r.key]
			} else if r.form != byID {
				left = append(left, r)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return parallel(ctx, slices.Chunk(left, 1), func(ctx context.Context, one []mention) error {
		found, err := l.searchOne(ctx, name, one[0])
		if plain, ok := one[0].asLogin(l.c.Directories[name].Base); err == nil && len(found) == 0 && ok {
			found, err = l.searchOne(ctx, name, plain)
		}
		if breaksAlone(err) && !one[0].ours {
			l.hint(name, one[0].key, err.Error()+"; nothing else of the listing waits for it: if nobody knows this name, ask who wrote it there")
			found, err = nil, nil
		}
		if err != nil {
			return l.lookupError(name, 1, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(found) > 0 {
			known[reference{name, one[0].key}] = found
		}
		return nil
	})
}

// breaksAlone reports whether an error of a look-up is about what was asked
// for, and not about the server: another reference may well be found. Whoever
// writes a secret's metadata chooses what is asked here.
func breaksAlone(err error) bool {
	var hides *naming
	return directory.IsRefused(err) || errors.Is(err, errTooMany) || errors.As(err, &hides)
}

var errTooMany = errors.New("more entries answer to these names than accounts can have them")

func (l *lister) lookupError(name string, n int, err error) error {
	return fmt.Errorf("looking up %s in directory %s on %s below %q: %w; the listing was given up and nothing was changed: "+
		"check that the server answers and that the bind DN may read %s there (rollcall doctor), then list again",
		plural.Count(n, "account", "accounts"), name, l.dirs[name].Servers()[0], l.c.Directories[name].Base, err, l.driver(name).shown())
}

func (l *lister) searchBatch(ctx context.Context, name string, batch []mention) (map[string][]Account, error) {
	f := l.driver(name)
	var b strings.Builder
	b.WriteString("(|")
	asked, n := map[string]bool{}, 0
	for _, r := range batch {
		b.WriteString(f.clause(r))
		asked[r.key] = true
	}
	b.WriteByte(')')
	found := map[string][]Account{}
	d := l.dirs[name]
	elsewhere, err := d.Find(ctx, d.Servers()[0], l.c.Directories[name].Base, b.String(), f.read, func(e directory.Entry) error {
		if n++; n > perReference*len(batch) {
			return errTooMany
		}
		a, err := f.accountOf(e)
		if err != nil {
			return err
		}
		for _, k := range f.keysOf(e) {
			if asked[k] {
				found[k] = addAccount(found[k], a)
			}
		}
		return nil
	})
	l.referred(name, elsewhere)
	return found, err
}

// searchOne asks for one reference and takes the server's word for what
// matches it.
func (l *lister) searchOne(ctx context.Context, name string, ref mention) ([]Account, error) {
	f := l.driver(name)
	var found []Account
	enough := errors.New("enough")
	d := l.dirs[name]
	elsewhere, err := d.Find(ctx, d.Servers()[0], l.c.Directories[name].Base, "(|"+f.clause(ref)+")", f.read, func(e directory.Entry) error {
		if len(found) == perReference {
			return enough
		}
		a, err := f.accountOf(e)
		if err == nil {
			found = addAccount(found, a)
		}
		return err
	})
	if errors.Is(err, enough) {
		err = nil
	}
	l.referred(name, elsewhere)
	if err != nil || len(found) > 0 || ref.form != byDN || !directory.Within(ref.text, l.c.Directories[name].Base) {
		return found, err
	}
	// An access rule may show the entry and not the attribute that has its DN.
	e, there, err := d.Named(ctx, d.Servers()[0], ref.text, f.read)
	if err != nil || !there {
		return nil, err
	}
	a, err := f.accountOf(e)
	return []Account{a}, err
}

// parallel works through parts with a few goroutines and gives the first error.
func parallel(ctx context.Context, parts iter.Seq[[]mention], do func(context.Context, []mention) error) error {
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(searches)
	for part := range parts {
		if inner.Err() != nil {
			break
		}
		g.Go(func() error { return do(inner, part) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return ctx.Err() // a part not begun because the caller gave up
}
