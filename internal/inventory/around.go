package inventory

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/plural"
)

// lookAround asks each authority what its servers show of the accounts that
// were found, besides the accounts themselves. What a listing must not pass
// over in silence, and was not shown, is a warning.
func (l *lister) lookAround(ctx context.Context, known accounts) (map[string]authority.Seen, error) {
	of := map[string]map[string]authority.Account{}
	for _, c := range l.candidates {
		found := known[refTo(l.c, c.Authority, c.Account)]
		if c.Found != nil {
			found = []Account{*c.Found}
		}
		for _, a := range found {
			if of[c.Authority] == nil {
				of[c.Authority] = map[string]authority.Account{}
			}
			of[c.Authority][a.Subject] = authority.Account{Subject: a.Subject, Name: a.Name, Names: a.Logins}
		}
	}
	out := map[string]authority.Seen{}
	for _, name := range slices.Sorted(maps.Keys(of)) {
		looks, ok := l.looker(name)
		if !ok {
			continue
		}
		var accounts []authority.Account
		for _, subject := range slices.Sorted(maps.Keys(of[name])) {
			accounts = append(accounts, of[name][subject])
		}
		seen, err := looks.LookAt(ctx, accounts)
		if err != nil {
			return nil, fmt.Errorf("looking at the servers of %s for %s: %w; the listing was given up and nothing was changed: check that they answer (rollcall doctor), then list again", l.c.Called(name), plural.Count(len(accounts), "account", "accounts"), err)
		}
		for _, h := range seen.Hidden {
			l.warnHidden(name, h)
		}
		out[name] = seen
	}
	for _, name := range l.c.Authorities() {
		// One of which nothing is on the roll may work with an account of
		// another one that is.
		looks, ok := l.looker(name)
		if _, asked := out[name]; asked || !ok || len(of) == 0 {
			continue
		}
		seen, err := looks.LookAt(ctx, nil)
		if err != nil {
			return nil, fmt.Errorf("looking at the servers of %s: %w; the listing was given up and nothing was changed: check that they answer (rollcall doctor), then list again", l.c.Called(name), err)
		}
		out[name] = authority.Seen{Binds: seen.Binds}
	}
	return out, nil
}

// bindElsewhere are the accounts of one authority with which another one of the
// file works.
func (l *lister) bindElsewhere(ctx context.Context, around map[string]authority.Seen) (out []vaultUse, err error) {
	for _, name := range slices.Sorted(maps.Keys(around)) {
		for _, b := range around[name].Binds {
			urls := b.URLs
			if len(urls) == 0 {
				urls = []string{""} // it may be any
			}
			in, err := l.asks(ctx, urls, &authMount{below: b.Below})
			if err != nil {
				return nil, err
			}
			delete(in, name) // it says so itself
			u := vaultUse{at: b.Where, names: []string{b.Name}, in: in, by: l.c.Called(name), mend: b.Mend}
			if len(in) > 0 {
				if _, err = l.meant(ctx, &u); err != nil {
					return nil, err
				}
				out = append(out, u)
			}
		}
	}
	return out, nil
}

func (l *lister) looker(name string) (authority.Looker, bool) {
	if d := l.dirs[name]; d != nil {
		looks, ok := d.(authority.Looker)
		return looks, ok
	}
	looks, ok := l.systems[name].(authority.Looker)
	return looks, ok
}

func (l *lister) warnHidden(name string, h authority.Hidden) {
	if h.Code == "" {
		return // doctor says it
	}
	if i := slices.IndexFunc(l.c.Accept, func(a config.Accept) bool { return a.Accepts(name, h.Code) }); i >= 0 {
		l.warn(credential.FindingAccepted, "%s, %s: %s; the campaign file accepts it: %s", l.c.Called(name), h.Server, h.Detail, l.c.Accept[i].Reason)
		return
	}
	l.warn(h.Code, "%s, %s: %s; or look there by hand, and accept it: %s", l.c.Called(name), h.Server, h.Detail, paste.Entry("accept", "directory", name, "finding", string(h.Code)))
}

// seenAround takes over what the servers of its authority show of an account.
func (d *draft) seenAround(seen authority.Seen, subject string) {
	for _, p := range seen.Problems[subject] {
		if slices.ContainsFunc(d.findings, func(f credential.Finding) bool {
			return f.Code == credential.FindingCode(p.Code) && f.Detail == p.Detail
		}) {
			continue
		}
		d.find(credential.FindingCode(p.Code), "%s", p.Detail)
		if !slices.Contains(d.problems, p.Code) {
			d.problems = append(d.problems, p.Code)
		}
	}
	if why := seen.Resets[subject]; why != "" && !d.resets {
		d.resets = true
		d.find(credential.FindingResetsOthers, "%s: it goes before those that it could reset", why)
	}
	d.nameProblem()
}

// goesLast: what replicates by it may stop with it, and then no change arrives
// any more.
func (d *draft) goesLast() bool {
	return slices.Contains(d.Accepted, credential.Replicates) && d.rank() != toVault
}
