package inventory

import (
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/credential"
)

// A path of which it is not certain whose it is may be the one that an
// account's consumers read: a name there means several accounts, or none any
// more, or nothing but a "username" beside the password says whose it is. Were the account given a
// new value at a path of Rollcall's own meanwhile, they would be cut off, and
// the report would say that Vault had never held the password.

// calledSo are drafts with an account, by authority and every name that a
// secret may call it.
type calledSo map[reference][]*draft

func (m *merger) named() calledSo {
	out := calledSo{}
	for _, l := range m.drafts {
		if l.Subject == "" {
			continue
		}
		names := append([]string{l.Name}, l.logins...)
		if login := l.Kind.Traits().Login; login != nil && login.BareName {
			names = append(names, l.short) // a secret names no mount
		}
		refs := map[reference]bool{}
		for _, name := range names {
			refs[refTo(m.c, l.Authority, name)] = true
		}
		for ref := range refs {
			out[ref] = append(out[ref], l)
		}
	}
	return out
}

// noteMaybe keeps a loose candidate's path with each account of the roll that
// it may mean.
func (m *merger) noteMaybe(c Candidate, known calledSo) {
	for _, a := range m.accounts(c) {
		if l := m.drafts[c.Authority+"/"+a.Subject]; l != nil {
			l.maybe = append(l.maybe, *c.Path)
		}
	}
	hints := append(slices.Clone(c.Users), lastSegment(c.Path.Path))
	if c.Account != "" {
		if len(m.accounts(c)) > 0 {
			return
		}
		// It was moved, renamed or deleted since, or is mistyped. With a domain
		// beside it, it may be another domain's, which this file does not have.
		if !strings.ContainsAny(c.Account, `\@`) {
			hints = append(hints, c.Account, rdnValue(c.Account))
		}
	}
	for _, authority := range append(m.c.Authorities(), credential.VaultAuthority) {
		// A directory is named where the file has one alone, whether or not the
		// secret names it.
		if c.Authority != "" && authority != c.Authority && authority != credential.VaultAuthority {
			continue
		}
		for _, user := range hints {
			_, short, _ := strings.Cut(user, `\`) // DOMAIN\account
			local, _, _ := strings.Cut(user, "@")
			for _, name := range []string{user, short, local} {
				for _, l := range known[refTo(m.c, authority, name)] {
					l.maybe = append(l.maybe, *c.Path)
				}
			}
		}
	}
}

// lastSegment is what teams call a secret, often by its account.
func lastSegment(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// perhapsIts keeps open an account that would get a path of Rollcall's own
// although one in Vault may be its own, and says so of one that has others.
// Whoever excludes the path, or names its account there, has answered.
func (m *merger) perhapsIts() {
	for _, l := range m.drafts {
		alone := len(l.Paths) == 0
		for _, p := range sortedPaths(l.maybe) {
			if slices.ContainsFunc(l.Paths, func(q credential.Path) bool { return secretPathOf(p) == secretPathOf(q) }) {
				continue
			}
			at := p.Mount + "/" + p.Path
			row := fmt.Sprintf("account,path: %q,%s#FIELD", strings.ReplaceAll(l.Name, `"`, ""), at)
			if l.Authority == credential.VaultAuthority {
				row = fmt.Sprintf("kind,account,path: %s,%s,%s#FIELD", l.Kind, l.Name, at)
			}
			answer := fmt.Sprintf("if it is, say so by a row of a manifest (%s) or by its custom_metadata (account: that name, field); if not, exclude that path", row)
			if !alone {
				l.find(credential.FindingPlace, "%s may hold its password too: %s; as listed it is not kept current, and what reads it is cut off", at, answer)
				continue
			}
			l.find(credential.FindingPlace, "%s may be where its password is read: %s; it is left alone until then", at, answer)
			if l.Problem == "" {
				l.Problem = credential.PerhapsIts
			}
		}
	}
}
