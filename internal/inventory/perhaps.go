package inventory

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
)

// A path of which it is not certain whose it is may be the one that an
// account's consumers read: a name there means several accounts, or none any
// more, or nothing but a "username" beside the password says whose it is. Were
// the account given a new value at a path of Rollcall's own meanwhile, they
// would be cut off, and the report would say that Vault had never held the
// password.

// calledSo are drafts with an account, by authority and every name that a
// secret may call it, and by how such a name may be spelled within another.
type calledSo struct {
	named   map[reference][]*draft
	spelled func() spelledSo // worked out for whoever asks first
}

func (m *merger) named() calledSo {
	out := calledSo{map[reference][]*draft{}, sync.OnceValue(m.spelled)}
	for _, l := range m.drafts {
		if l.Subject == "" {
			continue
		}
		refs := map[reference]bool{}
		for _, name := range l.called() {
			refs[refTo(m.c, l.Authority, name)] = true
		}
		for ref := range refs {
			out.named[ref] = append(out.named[ref], l)
		}
	}
	return out
}

// called are the names of its account, its DN first.
func (l *draft) called() []string {
	names := append([]string{l.Name}, l.logins...)
	if login := l.Kind.Traits().Login; login != nil && login.BareName {
		names = append(names, l.short) // a secret names no mount
	}
	return names
}

// maybePath is a path that may be an account's. beside: the secret's own
// metadata names another one, for another field.
type maybePath struct {
	credential.Path
	beside  bool
	assumed bool // a name there is taken for another authority's, and no authority is named
}

func sortedMaybe(list []maybePath) []maybePath {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b maybePath) int {
		return cmp.Or(strings.Compare(a.String(), b.String()), map[bool]int{true: 1}[a.beside]-map[bool]int{true: 1}[b.beside])
	})
	return slices.CompactFunc(list, func(a, b maybePath) bool { return a.Path == b.Path })
}

// noteMaybe keeps a loose candidate's path with each account of the roll that
// it may mean.
func (m *merger) noteMaybe(c Candidate, known calledSo) {
	for _, a := range m.accounts(c) {
		if l := m.drafts[c.Authority+"/"+a.Subject]; l != nil {
			l.maybe = append(l.maybe, maybePath{Path: *c.Path})
		}
	}
	names := slices.Concat(c.Users, calledAfterAll(c.Settings), []string{lastSegment(c.Path.Path)})
	spelled := slices.Concat(c.Settings, segmentsOf(m.c, c))
	if c.Account != "" {
		if len(m.accounts(c)) > 0 {
			if c.Assumed {
				m.noteNamesakes(c, known)
			}
			return
		}
		// It was moved, renamed or deleted since, or is mistyped.
		switch local, suffix, at := strings.Cut(c.Account, "@"); {
		case strings.Contains(c.Account, `\`): // another domain's, which this file does not have
		case !at:
			names = append(names, c.Account, rdnValue(c.Account))
		case !m.hasDomain(suffix): // what stands behind the @ is changed with a company's name
			names, spelled = append(names, local), append(spelled, local)
		}
	}
	m.means(c, known, names, maybePath{Path: *c.Path})
	m.meansByWords(c, known, spelled, maybePath{Path: *c.Path})
	for _, f := range c.Fields {
		at := maybePath{Path: credential.Path{Mount: c.Path.Mount, Path: c.Path.Path, Field: f}}
		m.means(c, known, calledAfter(f), at)
		m.meansByWords(c, known, []string{f}, at)
	}
}

// noteNamesakes keeps, where nothing says at which authority an account is, the
// place with those of other authorities that have the name too.
func (m *merger) noteNamesakes(c Candidate, known calledSo) {
	for name := range m.c.Systems {
		if name != c.Authority {
			of := c
			of.Authority, of.Assumed = name, false
			m.means(of, known, []string{c.Account}, maybePath{Path: *c.Path, assumed: true})
		}
	}
}

// hasDomain reports whether a directory of the file is that domain.
func (m *merger) hasDomain(name string) bool {
	for _, d := range m.c.Directories {
		if d.HasDomains() && strings.EqualFold(d.Domain(), name) {
			return true
		}
	}
	return false
}

// noteBeside keeps, with each other account that a secret may hold besides the
// one that its metadata names, the place there: metadata has room for one.
func (m *merger) noteBeside(c Candidate, owners []*draft, known calledSo) {
	place := secretPathOf(*c.Path)
	taken := m.answeredFields(place)
	c.Authority = "" // that is of the account that is named, and not of what lies beside it
	for _, l := range owners {
		for _, p := range l.Paths {
			if secretPathOf(p) == place {
				taken = append(taken, p.Field)
			}
		}
	}
	at := maybePath{Path: *c.Path, beside: true}
	at.Field = "FIELD"
	if free := without(secretsIn(m.lost.held, c), taken); len(free) > 0 {
		if len(free) == 1 {
			at.Field = free[0]
		}
		m.means(c, known, c.Users, at)
	}
	at.Field = "FIELD"
	m.means(c, known, calledAfterAll(c.Settings), at)
	m.meansByWords(c, known, c.Settings, at)
	for _, f := range c.Fields {
		if at.Field = f; !slices.Contains(taken, f) {
			m.means(c, known, calledAfter(f), at)
			m.meansByWords(c, known, []string{f}, at)
		}
	}
}

// answeredFields are the fields of a secret that the campaign file leaves out
// or confirms, or that are a task's.
func (m *merger) answeredFields(at secretPath) []string {
	out := slices.Clone(m.lost.rows[at])
	for _, c := range m.c.Confirm {
		if secretPathOf(c.Path) == at {
			out = append(out, c.Path.Field)
		}
	}
	for _, e := range m.c.Exclude {
		if field, ok := strings.CutPrefix(e.Path, at.String()+"#"); ok {
			out = append(out, field)
		}
	}
	return out
}

// means keeps a path with each account that one of these names calls.
func (m *merger) means(c Candidate, known calledSo, names []string, at maybePath) {
	for _, authority := range m.mayNameAt(c) {
		for _, user := range names {
			_, short, _ := strings.Cut(user, `\`) // DOMAIN\account
			local, _, _ := strings.Cut(user, "@")
			for _, name := range []string{user, short, local, rdnValue(user)} { // a DN may be shortened
				for _, l := range known.named[refTo(m.c, authority, name)] {
					l.maybe = append(l.maybe, at)
				}
			}
		}
	}
}

// secretEnd ends the name of a field that is called after its account:
// svc-scan_password, SVC_SCAN_PW.
var secretEnd = regexp.MustCompile(`(?i)[-_. ](?:pass|password|passwd|passphrase|pw|pwd|secret|bind_?pw)$`)

func calledAfterAll(names []string) (out []string) {
	for _, name := range names {
		out = append(out, calledAfter(name)...)
	}
	return out
}

// calledAfter are the accounts that a field may be called after. Environments
// write a hyphen as an underscore, in capitals.
func calledAfter(field string) []string {
	var out []string
	for _, name := range []string{field, secretEnd.ReplaceAllString(field, "")} {
		out = append(out, name, strings.ReplaceAll(name, "_", "-"), strings.ReplaceAll(name, "_", "."))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// lastSegment is what teams call a secret, often by its account.
func lastSegment(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// perhapsIts keeps open an account that would get a path of Rollcall's own
// although one in Vault may be its own, and says so of one that has others.
// Whoever excludes the path, names its account there, or accepts the problem
// has answered. Where it is a field beside another account's, or the path is
// taken for another's, nothing else of the roll is open for it, so that it is a
// warning too.
func (m *merger) perhapsIts() (warnings []Warning) {
	for _, l := range m.drafts {
		alone := len(l.Paths) == 0
		for _, p := range sortedMaybe(l.maybe) {
			if slices.ContainsFunc(l.Paths, func(q credential.Path) bool { return secretPathOf(p.Path) == secretPathOf(q) }) {
				continue
			}
			at, answer := p.Secret(), m.answerFor(l, p)
			if !alone {
				if slices.Contains(l.Accepted, credential.PerhapsIts) {
					continue
				}
				l.find(credential.FindingPlace, "%s may hold its password too: %s; as listed it is not kept current, and what reads it is cut off", at, answer)
				if p.beside || p.assumed {
					warnings = append(warnings, Warning{Code: credential.FindingFieldBeside, Detail: fmt.Sprintf("%s: %s: %s may hold its password too, besides another account's: %s; as listed it is not kept current, and what reads it there is cut off", l.Authority, l.Name, at, answer)})
				}
				continue
			}
			if slices.Contains(l.Accepted, credential.PerhapsIts) {
				continue
			}
			l.find(credential.FindingPlace, "%s may be where its password is read: %s; it is left alone until then", at, answer)
			if l.Problem == "" {
				l.Problem = credential.PerhapsIts
			}
		}
	}
	return sortWarnings(warnings)
}

// answerFor says how a person answers whether a path is the account's. A field
// is shown only where the secret has it by its name.
func (m *merger) answerFor(l *draft, p maybePath) string {
	at, field := p.Secret(), "FIELD"
	if p.beside || slices.ContainsFunc(calledAfter(p.Field), func(name string) bool { return strings.EqualFold(name, l.short) }) {
		field = p.Field
	}
	row := "account,path: " + paste.CSV(l.Name, at+"#"+field)
	if l.Authority == credential.VaultAuthority {
		row = "kind,account,path: " + paste.CSV(string(l.Kind), l.Name, at+"#"+field)
	}
	not := paste.Entry("accept", "account", l.Name, "problem", string(credential.PerhapsIts))
	if p.assumed {
		return fmt.Sprintf("an account is named there, and not at which authority, so that one of another authority of that name is meant; if it is this one's, say so there (directory: %s); if not, name the other one's there, or accept that (%s)", l.Authority, not)
	}
	if p.beside {
		return fmt.Sprintf("its metadata, or a row, names another account, and metadata has room for no second one; if it is, say so by a row of a manifest (%s); if not, accept that (%s)", row, not)
	}
	return fmt.Sprintf("if it is, say so by a row of a manifest (%s) or by its custom_metadata (account: that name, field); if not, exclude that path", row)
}
