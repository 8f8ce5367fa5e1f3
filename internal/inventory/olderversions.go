package inventory

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/vault"
)

// KV keeps older versions of a secret, and whoever reads the path reads them. A
// path that held another account's password before, and says so, gave the thief
// that one as well.

// older notes which versions of a secret can be read besides the present one.
func (l *lister) noteOlder(p credential.Path, k vault.Keeping) {
	if len(k.Older) > 0 {
		l.older.LoadOrStore(secretPathOf(p), olderVersions{p, k.Older})
	}
}

type olderVersions struct {
	credential.Path
	versions []int // the newest first
}

// Bounds: whoever may write a secret says how much there is to look for.
const (
	mostOlder      = 30                  // versions read of one secret: Vault keeps ten where nobody says otherwise
	mostOlderNames = namesPerSearch      // looked for of one secret
	mostNamesInAll = 50 * namesPerSearch // of all of them
)

// olderNames are names in older versions of a secret that nobody on the roll
// has, nor the present version.
type olderNames struct {
	place    string
	versions map[int]bool
	names    []string // folded
	hidden   bool     // some may be passwords
	more     int      // that are too many
}

// tellOlder warns of accounts that older versions of the roll's secrets name
// and that the roll has not.
func (l *lister) tellOlder(ctx context.Context, roll *credential.Roll) error {
	if err := l.settings.Wait(); err != nil {
		return err
	}
	some := false
	l.older.Range(func(any, any) bool { some = true; return false })
	if !some {
		return nil
	}
	names := l.everyName(roll)
	var mu sync.Mutex
	var found []*olderNames
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(looksAtOnce)
	l.older.Range(func(_, value any) bool {
		at := value.(olderVersions)
		g.Go(func() error {
			of, err := l.namedInOlder(within, at, names)
			mu.Lock()
			defer mu.Unlock()
			if of != nil {
				found = append(found, of)
			}
			return err
		})
		return true
	})
	if err := g.Wait(); err != nil {
		return err
	}
	slices.SortFunc(found, func(a, b *olderNames) int { return strings.Compare(a.place, b.place) })
	found = slices.DeleteFunc(found, func(of *olderNames) bool {
		reason, ok := l.acceptedPlace(of.place)
		if ok {
			l.warn(credential.FindingAccepted, "%s in Vault: whom its older versions name is accepted by the campaign file: %s", of.place, reason)
		}
		return ok
	})
	known, err := l.whoseOlder(ctx, found)
	if err != nil {
		return err
	}
	for _, of := range found {
		l.warnOlder(of, known)
	}
	return nil
}

// everyName are what accounts of the roll, and those left out by name, are
// called, folded.
func (l *lister) everyName(roll *credential.Roll) map[string]bool {
	l.namesOnce.Do(l.nameAccounts)
	out := map[string]bool{}
	add := func(id string, more ...string) {
		for _, name := range append(slices.Clone(l.names[id]), more...) {
			out[fold(name)] = true
		}
	}
	for _, c := range roll.Credentials {
		add(c.ID, c.Name, c.Subject, c.Subject[strings.LastIndex(c.Subject, "/")+1:])
	}
	for _, x := range roll.Excluded {
		add(x.ID, x.Name)
	}
	return out
}

// namedInOlder are the names in older versions of a secret that nobody on the
// roll has; nil where there are none. What may be a password is no name: a text
// that is not written as one, or that any version holds as something else than
// a user's name.
func (l *lister) namedInOlder(ctx context.Context, at olderVersions, known map[string]bool) (*olderNames, error) {
	seed := maphash.MakeSeed()
	others := map[uint64]bool{} // a secret may be large, and there are many versions
	by, hidden := map[string][]int{}, map[string][]int{}
	read := func(n int) (live vault.Live, here bool, err error) {
		live, err = l.vault.ReadLive(ctx, at.Path, n)
		switch {
		case n != 0 && (placeProblem(err) != "" || vault.IsDenied(err) || vault.IsNotFound(err)):
			return live, false, nil
		case err != nil:
			return live, false, fmt.Errorf("looking at version %d of %s: %w; the listing was given up and nothing was changed", n, at.Path, err)
		}
		for _, text := range live.Others() {
			others[maphash.String(seed, fold(text))] = true
		}
		return live, true, nil
	}
	for _, n := range at.versions[:min(len(at.versions), mostOlder)] {
		live, here, err := read(n)
		if err != nil || !here {
			if err != nil {
				return nil, err
			}
			continue
		}
		named := map[string]bool{}
		for _, user := range live.Named(at.Field) {
			named[user] = true
		}
		for _, user := range live.Users() {
			switch {
			case isKnown(known, user):
			case named[user]:
				by[fold(user)] = append(by[fold(user)], n)
			default:
				hidden[fold(user)] = append(hidden[fold(user)], n)
			}
		}
	}
	if len(by)+len(hidden) == 0 {
		return nil, nil
	}
	now, _, err := read(0)
	if err != nil {
		return nil, err
	}
	for _, user := range now.Users() {
		delete(by, fold(user)) // a name that stayed is no other account's
		delete(hidden, fold(user))
	}
	return gathered(at, by, hidden, func(name string) bool { return others[maphash.String(seed, name)] }), nil
}

func isKnown(known map[string]bool, user string) bool {
	_, short, domain := strings.Cut(user, `\`)
	local, _, _ := strings.Cut(user, "@")
	if !domain {
		short = user
	}
	return known[fold(user)] || known[fold(short)] || known[fold(local)] || known[dnKey(user)]
}

// gathered puts the names of all versions together, those that may be looked
// for apart from the rest.
func gathered(at olderVersions, by, hidden map[string][]int, isOther func(string) bool) *olderNames {
	out := &olderNames{place: at.Mount + "/" + at.Path.Path, versions: map[int]bool{}, hidden: len(hidden) > 0}
	for _, versions := range hidden {
		for _, n := range versions {
			out.versions[n] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(by)) {
		for _, n := range by[name] {
			out.versions[n] = true
		}
		switch {
		case isOther(name):
			out.hidden = true
		case len(out.names) == mostOlderNames:
			out.more++
		default:
			out.names = append(out.names, name)
		}
	}
	if len(out.versions) == 0 {
		return nil
	}
	return out
}

// whoseOlder asks every authority for all of these names together, and gives
// the accounts that have them.
func (l *lister) whoseOlder(ctx context.Context, found []*olderNames) (map[string][]string, error) {
	wanted, out := map[string]bool{}, map[string][]string{}
	for _, of := range found {
		room := min(len(of.names), max(0, mostNamesInAll-len(wanted)))
		of.more += len(of.names) - room
		of.names = of.names[:room]
		for _, name := range of.names {
			wanted[name] = true
		}
	}
	if len(wanted) == 0 {
		return out, nil
	}
	names := slices.Sorted(maps.Keys(wanted))
	for _, authority := range l.c.Authorities() {
		var unasked []string
		var reason error
		accounts, err := l.called(ctx, authority, names, func(string) bool { return false }, func(name string, err error) {
			unasked, reason = append(unasked, name), err
		})
		if err != nil {
			return nil, err
		}
		if len(unasked) > 0 {
			l.warn(credential.FindingAlsoReadable, "whether %s has accounts of %d of the names that older versions of %s hold could not be looked for (%v): look there by hand at who is named in them, or, once somebody has looked, accept each of these places", l.c.Called(authority), len(unasked), some(placesOf(found, unasked)), reason)
		}
		for _, a := range accounts {
			for _, name := range append(rdnOf(a.Name), append(slices.Clone(a.Logins), a.Short, a.Name)...) {
				if who := authority + ": " + a.Name; wanted[fold(name)] && !slices.Contains(out[fold(name)], who) {
					out[fold(name)] = append(out[fold(name)], who)
				}
			}
		}
	}
	return out, nil
}

// placesOf are the secrets of which older versions hold one of these names.
func placesOf(found []*olderNames, names []string) (out []string) {
	for _, of := range found {
		if slices.ContainsFunc(of.names, func(name string) bool { return slices.Contains(names, name) }) {
			out = append(out, of.place)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// warnOlder says what is named in one secret. What stands there may be
// anything, so accounts are said by the names that authorities have for them.
func (l *lister) warnOlder(of *olderNames, known map[string][]string) {
	var whose []string
	strangers := 0
	for _, name := range of.names {
		whose = append(whose, known[name]...)
		if len(known[name]) == 0 {
			strangers++
		}
	}
	slices.Sort(whose)
	var what []string
	if whose = slices.Compact(whose); len(whose) > 0 {
		what = append(what, some(whose))
	}
	if strangers > 0 {
		what = append(what, "somebody who is no account of the campaign's authorities")
	}
	if of.hidden {
		what = append(what, "somebody by a text that may be a password in the wrong field, so that nobody was asked for it")
	}
	if of.more > 0 {
		what = append(what, fmt.Sprintf("%d more, which are too many to look for", of.more))
	}
	versions := slices.Sorted(maps.Keys(of.versions))
	l.warn(credential.FindingAlsoReadable, "%s: its version %s, which whoever reads that path reads too, names %s, which is not on the roll: the password that lay there is stolen as well, and may be in force. List that account (a line of a manifest with account), or, once somebody has seen that it is another one by now, destroy that version (vault kv destroy) or accept it: %s%s",
		of.place, strings.Trim(strings.Join(strings.Fields(fmt.Sprint(versions)), ", "), "[]"), strings.Join(what, "; and "), paste.Entry("accept", "vault", of.place, "on", "TIME"), l.outdated(of.place))
}
