package inventory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
)

// referred notes that a part of a directory is on other servers. The answer to
// every search tells it again.
func (l *lister) referred(name string, urls []string) {
	if len(urls) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.elsewhere[name] == nil {
		l.elsewhere[name] = map[string]bool{}
	}
	for _, u := range urls {
		l.elsewhere[name][u] = true
	}
}

// parts are the entries of each directory below which another server takes
// over, with its URLs. "" stands for a place that bind.dn may not see.
type parts map[string]map[string][]string

// findParts says in a warning which parts of a directory were not searched.
func (l *lister) findParts(ctx context.Context) (parts, error) {
	out := parts{}
	for _, name := range slices.Sorted(maps.Keys(l.dirs)) {
		if err := l.referredParts(ctx, name, out); err != nil {
			return nil, err
		}
		if err := l.contextParts(ctx, name, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// referredParts are those that a server refers to.
func (l *lister) referredParts(ctx context.Context, name string, out parts) error {
	if l.elsewhere[name] == nil {
		return nil
	}
	at, err := l.dirs[name].Referrals(ctx, l.dirs[name].Servers()[0])
	if err != nil {
		return fmt.Errorf("looking for the referrals of directory %s: %w; the listing was given up and nothing was changed", name, err)
	}
	if len(at) == 0 {
		at = map[string][]string{"": slices.Sorted(maps.Keys(l.elsewhere[name]))}
	}
	out[name] = at
	for _, dn := range slices.Sorted(maps.Keys(at)) {
		where := "a part of it"
		if dn != "" {
			where = dn
		}
		l.notSearched(name, fmt.Sprintf("%s is on another server (%s) and was not searched", where, strings.Join(at[dn], ", ")),
			"no referral is followed, because that would hand the bind password to a server that the campaign file does not name. Name that server as a directory of its own, with a source that searches it")
	}
	return nil
}

// contextParts are those that a server does not even refer to: domains below a
// domain, and databases that are not glued to the one above.
func (l *lister) contextParts(ctx context.Context, name string, out parts) error {
	base, server := l.c.Directories[name].Base, l.dirs[name].Servers()[0]
	found, err := l.dirs[name].Contexts(ctx, server, base)
	if err != nil {
		return fmt.Errorf("looking for what lies below %s in directory %s and is no part of it: %w; the listing was given up and nothing was changed", base, name, err)
	}
	for _, part := range found {
		at := strings.Join(part.At, ", ")
		if out[name] == nil {
			out[name] = map[string][]string{}
		}
		if err := l.searchedFromOutside(name, base, part); err != nil {
			return err
		}
		if part.DN != "" && out[name][part.DN] == nil {
			out[name][part.DN] = part.At
		}
		if !l.searches(name, base) || part.DN != "" && l.searchesAt(part.DN) {
			continue
		}
		switch {
		case part.DN == "":
			l.notSearched(name, "which domains or databases lie below "+base+" is not shown to bind.dn, and no search reaches one",
				"let it read the root entry, and in a domain CN=Partitions of the configuration, or say under accept that there is none")
		case part.Domain:
			l.notSearched(name, fmt.Sprintf("the domain %s (%s) lies below %s and was not searched: accounts of it are not on the roll", part.DN, at, base),
				"it has domain controllers of its own. Name them as a directory of its own, with base "+part.DN+" and a source that searches it")
		default:
			l.notSearched(name, fmt.Sprintf("%s (%s) lies below %s, is a database of its own, and was not searched: accounts there are not on the roll", part.DN, at, base),
				"name it as a directory of its own, with base "+part.DN+" and a source that searches it")
		}
	}
	return nil
}

// searchedFromOutside refuses a source that searches a database which its
// directory's base does not reach: what it finds there would be called deleted
// as soon as it is looked for by its id, and nobody would have looked at the
// rules of that database.
func (l *lister) searchedFromOutside(name, base string, part directory.Context) error {
	if part.DN == "" || part.Domain {
		return nil
	}
	for _, s := range l.c.Sources {
		if s.Type == config.FromLDAP && s.Directory == name && s.Base != "" && directory.Within(s.Base, part.DN) {
			return fmt.Errorf("source %s searches %s in directory %s: %s is a database of its own, which a search of %s does not reach; name it as a directory of its own, with base %s and this source; the listing was given up and nothing was changed", s.Name, s.Base, name, part.DN, base, part.DN)
		}
	}
	return nil
}

// searches reports whether a source searches a directory at a base or above.
func (l *lister) searches(name, base string) bool {
	return slices.ContainsFunc(l.c.Sources, func(s config.Source) bool {
		return s.Type == config.FromLDAP && s.Directory == name && (s.Base == "" || directory.Within(base, s.Base) || directory.Within(s.Base, base))
	})
}

// searchesAt reports whether some source searches all of a naming context.
func (l *lister) searchesAt(dn string) bool {
	return slices.ContainsFunc(l.c.Sources, func(s config.Source) bool {
		base := s.Base
		if base == "" {
			base = l.c.Directories[s.Directory].Base
		}
		return s.Type == config.FromLDAP && directory.SameDN(base, dn)
	})
}

// notSearched warns of a part, unless a person says that nothing is there.
func (l *lister) notSearched(name, what, how string) {
	if i := slices.IndexFunc(l.c.Accept, func(a config.Accept) bool { return a.Accepts(name, credential.FindingNotSearched) }); i >= 0 {
		l.warn(credential.FindingAccepted, "directory %s: %s, which the campaign file accepts: %s", name, what, l.c.Accept[i].Reason)
		return
	}
	l.warn(credential.FindingNotSearched, "directory %s: %s: %s", name, what, how)
}

// unfound is what is known besides of the accounts that were found, and of
// references that no account was found for.
type unfound struct {
	parts parts
	hints map[reference]string

	placed map[string][]credential.Path // where earlier campaigns put values, by credential id
	past   past                         // what they left

	resets map[string]directory.Resets // who may reset whom, by directory

	around map[string]authority.Seen // what servers show of accounts, by authority

	users []Account // of Vault's userpass mounts

	logins map[string][]credential.VaultLogin // what directory accounts have at Vault, by credential id

	uses []vaultUse // accounts with which Vault itself works

	doorUses doorUses // notes which matches of doors take something

	tasks bool // people have tasks, so that what accounts are called matters

	rows map[secretPath][]string // fields that rows of these name

	confirmed []Candidate // what lies where the campaign file confirms a path
	held      *holdings

	mounts map[string]string // of the paths that templates give, by template and authority
}

// holder says who may hold an account that was not found here, if that is
// another server than those of the directory.
func (p parts) holder(authority, account string) string {
	at := p[authority]
	for _, dn := range slices.Sorted(maps.Keys(at)) {
		if dn != "" && formOf(account) == byDN && directory.Within(account, dn) {
			return fmt.Sprintf("it lies below %s, which is on another server: %s", dn, strings.Join(at[dn], ", "))
		}
	}
	if len(at) == 0 || formOf(account) == byDN && at[""] == nil {
		return ""
	}
	return fmt.Sprintf("it is not in what the servers of %s hold themselves, and a part of that directory is on another server: %s", authority, strings.Join(all(at), ", "))
}

func all(at map[string][]string) []string {
	var urls []string
	for _, u := range at {
		urls = append(urls, u...)
	}
	slices.Sort(urls)
	return slices.Compact(urls)
}
