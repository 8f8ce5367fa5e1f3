package inventory

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// Suggestion is whose a secret says that it is, where nothing else says so.
type Suggestion struct {
	Path credential.Path
	// Authority and Account, by its full name there. Empty: there is none to
	// suggest, and Why says why, for people.
	Authority, Account string
	Why                string
}

// Suggest looks, for each secret of a roll whose account nothing names, whom
// the users that it holds mean, in order of the paths. Only names that an
// authority knows are suggested, so that no password in the wrong field is
// shown. Nothing is changed anywhere.
func Suggest(ctx context.Context, c *config.Campaign, at Authorities, v Vault, roll *credential.Roll) ([]Suggestion, error) {
	l := newLister(ctx, c, at, v)
	defer l.end()
	if err := l.check(); err != nil {
		return nil, err
	}
	paths := unnamedPaths(roll)
	read := make([]vault.Live, len(paths))
	out := make([]Suggestion, len(paths))
	g, gctx := errgroup.WithContext(l.ctx)
	g.SetLimit(looksAtOnce)
	for i, p := range paths {
		g.Go(func() (err error) {
			out[i].Path = p
			read[i], err = v.ReadLive(gctx, p, 0)
			if placeProblem(err) != "" || vault.IsDenied(err) {
				out[i].Why, err = "this login may not read it", nil
			}
			if err != nil {
				err = fmt.Errorf("looking at %s: %w; nothing was changed", p, err)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	named := make([][]string, len(read))
	for i, live := range read {
		if password, why := passwordField(live, out[i].Path.Field); why == "" {
			named[i] = live.Named(password)
		}
	}
	known, err := l.whoIsCalled(named)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if out[i].Why == "" {
			out[i].from(c, read[i], named[i], known)
		}
	}
	return out, nil
}

// unnamedPaths are those of secrets of which nothing says whose they are, each
// secret once.
func unnamedPaths(roll *credential.Roll) (paths []credential.Path) {
	for _, c := range roll.Credentials {
		if c.Subject == "" && c.Task == nil && c.Problem == credential.NoOwner {
			paths = append(paths, c.Paths...)
		}
	}
	return slices.CompactFunc(sortedPaths(paths), func(a, b credential.Path) bool { return secretPathOf(a) == secretPathOf(b) })
}

// whoIsCalled asks every authority for the users that secrets hold.
func (l *lister) whoIsCalled(named [][]string) (accounts, error) {
	asked := map[string][]mention{}
	seen := map[reference]bool{}
	for _, users := range named {
		for _, user := range users {
			for _, name := range l.c.Authorities() {
				r := refTo(l.c, name, user)
				if d, of := l.c.Directories[name]; seen[r] || of && accountKey(d.Base) == r.account {
					continue
				}
				seen[r] = true
				asked[name] = append(asked[name], mention{user, r.account, formOf(user), false})
			}
		}
	}
	var mu sync.Mutex
	known := accounts{}
	g, gctx := errgroup.WithContext(l.ctx)
	for name, refs := range asked {
		g.Go(func() error {
			found := accounts{}
			ask := l.lookUpEntries
			if l.systems[name] != nil {
				ask = l.lookUpAccounts
			}
			err := ask(gctx, name, refs, found)
			mu.Lock()
			defer mu.Unlock()
			for r, list := range found {
				known[r] = list
			}
			return err
		})
	}
	return known, g.Wait()
}

// from suggests the one account that the users of a secret mean.
func (s *Suggestion) from(c *config.Campaign, live vault.Live, users []string, known accounts) {
	type account struct{ authority, name string }
	var found []account
	for _, name := range c.Authorities() {
		for _, user := range users {
			for _, a := range preferAccounts(known[refTo(c, name, user)]) {
				if at := (account{name, a.Name}); a.facts.mayHavePassword() && !slices.Contains(found, at) {
					found = append(found, at)
				}
			}
		}
	}
	field, why := passwordField(live, s.Path.Field)
	switch {
	case live.Version == 0 || live.Keys == nil:
		s.Why = "it holds nothing by now"
	case why != "":
		s.Why = why
	case len(users) == 0 && len(live.Users()) == 0:
		s.Why = "it holds no name beside the password"
	case len(users) == 0 && live.Exchanged(field):
		s.Why = "its password is written as names of accounts are, so that the two may lie in each other's place: no directory was asked for either"
	case len(users) == 0:
		s.Why = "what it holds beside the password is not written as names of accounts are, so it may be a password too: no directory was asked for it"
	case len(found) == 0:
		s.Why = "no authority of the campaign file knows an account by a name that it holds"
	case len(found) > 1:
		var names []string
		for _, a := range found {
			names = append(names, a.name+" in "+a.authority)
		}
		s.Why = "it names several accounts: " + sortedText(names)
	default:
		s.Path.Field = field
		if back, ok := config.ParseReference(s.Path.String()); !ok || back.String() != s.Path.String() {
			s.Why = "its path cannot be written in a manifest"
			return
		}
		s.Authority, s.Account = found[0].authority, found[0].name
	}
}

// mayHavePassword: nothing shows that the entry is no account.
func (a *facts) mayHavePassword() bool { return a == nil || a.noAccount().code == "" }

// passwordField is the one that a secret keeps the password in: the usual one,
// or the only one that looks so.
func passwordField(live vault.Live, usual string) (field, why string) {
	if slices.Contains(live.Keys, usual) {
		return usual, ""
	}
	secrets, _ := live.Credentials(looksSecret)
	switch len(secrets) {
	case 1:
		return secrets[0], ""
	case 0:
		return "", fmt.Sprintf("none of its fields looks like a password: %s", quoted(live.Keys))
	}
	return "", fmt.Sprintf("several of its fields look like a password: %s", quoted(secrets))
}

// suggestedHead stands above the rows.
const suggestedHead = `# Whose these secrets are by their own word alone. Whoever could write them may have written that: so
# long as suggested is true an account that refuses what its path holds stays open (unproved-path).
# Look at each row; where you know that it is so, take true out, and it is your word.
`

// WriteSuggested writes the suggestions that name an account as a manifest.
func WriteSuggested(w io.Writer, list []Suggestion) error {
	if _, err := io.WriteString(w, suggestedHead); err != nil {
		return err
	}
	rows := csv.NewWriter(w)
	err := rows.Write([]string{"directory", "account", "path", "suggested"})
	for _, s := range list {
		if s.Account != "" {
			err = errors.Join(err, rows.Write([]string{s.Authority, s.Account, s.Path.String(), "true"}))
		}
	}
	rows.Flush()
	return errors.Join(err, rows.Error())
}

// Unsuggested words, for people, why there is no row for a path.
func (s Suggestion) Unsuggested() string {
	return strings.TrimSpace(s.Path.Secret() + ": " + s.Why)
}
