package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"rollcall/internal/credential"
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

// mostOlder bounds the versions that are read of one secret: Vault keeps ten
// where nobody says otherwise.
const mostOlder = 30

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
	found := map[string]map[string][]int{} // by secret and name, the versions
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(looksAtOnce)
	l.older.Range(func(_, value any) bool {
		at := value.(olderVersions)
		g.Go(func() error {
			by, err := l.namedInOlder(within, at, names)
			mu.Lock()
			defer mu.Unlock()
			if len(by) > 0 {
				found[at.Mount+"/"+at.Path.Path] = by
			}
			return err
		})
		return true
	})
	if err := g.Wait(); err != nil {
		return err
	}
	for place, by := range found {
		for name, versions := range by {
			if err := l.warnOlder(ctx, place, name, versions); err != nil {
				return err
			}
		}
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
// roll has, nor the present version, with the versions.
func (l *lister) namedInOlder(ctx context.Context, at olderVersions, known map[string]bool) (map[string][]int, error) {
	by := map[string][]int{}
	for _, n := range at.versions[:min(len(at.versions), mostOlder)] {
		live, err := l.vault.ReadLive(ctx, at.Path, n)
		switch {
		case placeProblem(err) != "" || vault.IsDenied(err) || vault.IsNotFound(err):
			continue
		case err != nil:
			return nil, fmt.Errorf("looking at version %d of %s: %w; the listing was given up and nothing was changed", n, at.Path, err)
		}
		for _, user := range live.Users() {
			_, short, domain := strings.Cut(user, `\`)
			local, _, _ := strings.Cut(user, "@")
			if !domain {
				short = user
			}
			if known[fold(user)] || known[fold(short)] || known[fold(local)] || known[dnKey(user)] {
				continue
			}
			by[user] = append(by[user], n)
		}
	}
	if len(by) == 0 {
		return nil, nil
	}
	now, err := l.vault.ReadLive(ctx, at.Path, 0)
	if err != nil {
		return nil, fmt.Errorf("looking at %s: %w; the listing was given up and nothing was changed", at.Path, err)
	}
	for _, user := range now.Users() {
		delete(by, user) // a name that stayed is no other account's
	}
	return by, nil
}

func (l *lister) warnOlder(ctx context.Context, place, name string, versions []int) error {
	if reason, ok := l.acceptedPlace(place); ok {
		l.warn(credential.FindingAccepted, "%s in Vault: whom its older versions name is accepted by the campaign file: %s", place, reason)
		return nil
	}
	// What stands there may be anything, a password in the wrong field too, so
	// it is said only where it is an account's name.
	var whose []string
	for _, authority := range l.c.Authorities() {
		found, err := l.called(ctx, authority, []string{fold(name)}, func(string) bool { return false })
		if err != nil {
			return err
		}
		for _, a := range found {
			whose = append(whose, authority+": "+a.Name)
		}
	}
	slices.Sort(versions)
	what := "somebody who is no account of the campaign's authorities"
	if len(whose) > 0 {
		slices.Sort(whose)
		what = some(whose)
	}
	l.warn(credential.FindingAlsoReadable, "%s: its version %s, which whoever reads that path reads too, names %s, which is not on the roll: the password that lay there is stolen as well, and may be in force. List that account (a line of a manifest with account), or, once somebody has seen that it is another one by now, destroy that version (vault kv destroy) or accept it: accept: - {vault: %q, on: TIME, reason: …}%s",
		place, strings.Trim(strings.Join(strings.Fields(fmt.Sprint(versions)), ", "), "[]"), what, place, l.outdated(place))
	return nil
}
