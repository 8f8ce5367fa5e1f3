package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// doubts gathers the paths of the roll that say that they are somebody else's,
// and asks for all such names together: one that means no account tells
// nothing, and neither does one of the account itself, however it is spelled.
type doubts struct {
	*lister
	paths []doubt
	seen  map[reference][]Account
}

// doubt is a path of a credential and who may be meant there. Those in loose
// are what the path is called, which counts only where the secret does not name
// the account itself. anew: nothing that is there now ties it to the account.
type doubt struct {
	c     *credential.Credential
	at    credential.Path
	names []nameThere
	loose []nameThere
	since ownmount.Since
}

// anew: somebody has written the path since the earlier campaign.
func (d doubt) anew() bool { return d.since == ownmount.WrittenSince }

// nameThere is a name at an authority. asked: the authority may be asked who it
// is.
type nameThere struct {
	authority, name string
	asked           bool
	where           string // for people; it has no name that a secret holds
}

func (l *lister) newDoubts() *doubts { return &doubts{lister: l} }

// see looks at what a path holds. It asks nobody.
func (d *doubts) see(c *credential.Credential, p credential.Path, h held) {
	if !h.found || c.Adopted || c.Subject == "" {
		return
	}
	d.namesOnce.Do(d.nameAccounts)
	of, itself := doubt{c: c, at: p}, false
	note := func(to *[]nameThere, m nameThere) {
		if d.isOwn(c, m) {
			itself = true
		} else if m.authority != "" {
			*to = append(*to, m)
		}
	}
	if h.metadataFor(p.Field, c.Kind.Traits().Fields()) {
		m := nameThere{h.whose.directory, h.whose.account, true, "its custom_metadata names another account"}
		if m.authority == "" {
			if m.authority = onlyAuthority(d.c); d.c.Authority(c.Authority) != nil {
				m.authority = c.Authority
			}
		}
		note(&of.names, m)
	}
	all := h.saysOf(p.Field)
	if !slices.ContainsFunc(all, func(s said) bool { return d.isOwn(c, d.besideOf(c, s.Name, s.asked, "")) }) {
		for _, s := range all {
			note(&of.names, d.besideOf(c, s.Name, s.asked, fmt.Sprintf("its field %s names another account", shownName(s.Field))))
		}
	} else {
		itself = true // who else is named there is of something else
	}
	for _, name := range calls(p) {
		note(&of.loose, d.besideOf(c, name, true, "it is called after another account"))
	}
	if itself {
		of.loose = nil
	}
	if !itself {
		of.since = d.onlyRecorded(c, p, h)
	}
	if of.since != "" || len(of.names)+len(of.loose) > 0 {
		d.paths = append(d.paths, of)
	}
}

// onlyRecorded is what became of a path that only an earlier campaign's record
// has for a credential's, or empty. Once somebody has written it, it may have
// been given to another account. Secret-ids are nobody's first password.
func (d *doubts) onlyRecorded(c *credential.Credential, p credential.Path, h held) ownmount.Since {
	since, recorded := d.recorded[c.ID][p]
	if !recorded || slices.Contains(c.Named, p) || d.besideOf(c, "", false, "").authority == "" {
		return ""
	}
	if h.owner == c.Subject || strings.HasSuffix(p.Path, "-"+segment(c.Subject)) {
		return "" // made for it alone
	}
	if slices.ContainsFunc(d.candidates, func(of Candidate) bool {
		return of.Path != nil && !of.Earlier && !of.Left && of.Account != "" && (*of.Path == p || of.AnyField && secretPathOf(*of.Path) == secretPathOf(p))
	}) {
		return ""
	}
	return since
}

// besideOf is whom a name means beside a credential's secret: an account of the
// same authority. AppRoles are not told by what a secret says of users.
func (d *doubts) besideOf(c *credential.Credential, name string, asked bool, where string) nameThere {
	m := nameThere{c.Authority, name, asked, where}
	if c.Authority == credential.VaultAuthority {
		mount, _, ok := cutRole(c.Subject)
		if login := c.Kind.Traits().Login; !ok || login == nil || !login.BareName {
			return nameThere{}
		}
		m.name = mount + "/" + name
	}
	return m
}

// isOwn reports whether a name is one of the credential's own account, as far
// as that shows without asking.
func (d *doubts) isOwn(c *credential.Credential, m nameThere) bool {
	if m.authority != c.Authority {
		return false
	}
	_, exact := d.c.Systems[m.authority]
	return slices.ContainsFunc(d.names[c.ID], func(own string) bool {
		return m.name == own || !exact && (callsBy(m.name, own) || isDN(m.name) && dnKey(m.name) == dnKey(own))
	})
}

// tell marks the paths that another account is named at, and those that only an
// earlier campaign's record ties to theirs. Of one that holds what that
// campaign put there nothing is said: it is looked at again right before Set,
// for somebody may write it until then (rotation's anothers).
func (d *doubts) tell(ctx context.Context, roll *credential.Roll) error {
	if len(d.paths) == 0 {
		return nil
	}
	known, err := d.lookUp(ctx)
	if err != nil {
		return err
	}
	for _, of := range d.paths {
		why := d.why(of, known)
		if why == "" && of.since == "" {
			continue
		}
		of.c.Doubted = append(of.c.Doubted, of.at)
		if why == "" && !of.anew() {
			continue
		}
		if slices.Contains(of.c.Confirmed, of.at) {
			continue // and what he looked at is asked for before anything is set
		}
		if why == "" {
			roll.Findings[of.c.ID] = append(roll.Findings[of.c.ID], credential.Finding{Code: credential.FindingPlace,
				Detail: fmt.Sprintf("%s: nothing but an earlier campaign's record says that it is this account's, somebody has written it since, and another account may have the same password (a first one that several were given): if this one accepts what is there, nothing is set, and it stays open as shared-path until a person has said whose it is; exclude the path; or, %s", of.at, question(of.c.Name, of.at))})
			continue
		}
		roll.Findings[of.c.ID] = append(roll.Findings[of.c.ID], credential.Finding{Code: credential.FindingPlace,
			Detail: fmt.Sprintf("%s: %s, which may have the same password: if this one accepts what is there, nothing is set, and it stays open as shared-path until a person has said whose it is; correct the row or the custom_metadata; or, %s", of.at, why, question(of.c.Name, of.at))})
	}
	for i := range roll.Credentials {
		roll.Credentials[i].Doubted = sortedPaths(roll.Credentials[i].Doubted)
	}
	return nil
}

// why says by what another account is meant at a path; empty if none is.
func (d *doubts) why(of doubt, known accounts) string {
	itself := false
	for _, m := range of.names {
		found := known[refTo(d.c, m.authority, m.name)]
		if d.another(of.c, found) {
			return m.where
		}
		itself = itself || m.authority == of.c.Authority && slices.ContainsFunc(found, func(a Account) bool { return a.Subject == of.c.Subject })
	}
	for _, m := range of.loose {
		if !itself && d.another(of.c, known[refTo(d.c, m.authority, m.name)]) {
			return m.where
		}
	}
	return ""
}

// another reports whether accounts that a name means are others than a
// credential's, of which one may have a password.
func (d *doubts) another(c *credential.Credential, found []Account) bool {
	is := false
	for _, a := range found {
		if a.Subject == c.Subject {
			return false
		}
		is = is || !a.passwordless()
	}
	return is
}

// passwordless reports whether an account has no password, as its authority
// shows it: an entry that is no account, a group of a database.
func (a Account) passwordless() bool {
	var shown []credential.Problem
	if a.facts != nil {
		shown = append(shown, a.facts.noAccount().code)
	}
	if a.system != nil {
		for _, p := range a.system.Problems {
			shown = append(shown, p.Code)
		}
	}
	return slices.ContainsFunc(shown, func(p credential.Problem) bool {
		return slices.Contains([]credential.Problem{credential.NotAnAccount, credential.IsAlias, credential.NoPassword}, p)
	})
}

// lookUp asks each authority once whom the names mean, as many as there are in
// one search. A name that it does not find is not asked for by itself: people
// write anything there.
func (d *doubts) lookUp(ctx context.Context) (accounts, error) {
	known := accounts{}
	refs := map[string][]mention{}
	seen := map[reference]bool{}
	for _, of := range d.paths {
		for _, m := range slices.Concat(of.names, of.loose) {
			at := refTo(d.c, m.authority, m.name)
			if seen[at] {
				continue
			}
			seen[at] = true
			if found := d.known[at]; len(found) > 0 {
				known[at] = found
			} else if !m.asked {
				known[at] = d.seenSo(at)
			} else if m.asked && len(m.name) <= longestName {
				refs[m.authority] = append(refs[m.authority], mention{m.name, at.account, formOf(m.name), false})
			}
		}
	}
	for authority, of := range refs {
		slices.SortFunc(of, func(a, b mention) int { return strings.Compare(a.key, b.key) })
		var err error
		switch {
		case authority == credential.VaultAuthority:
			err = d.lookUpLogins(ctx, of, known)
		case d.dirs[authority] != nil:
			err = d.findEntries(ctx, authority, of, known)
		case d.systems[authority] != nil:
			err = d.lookUpAccounts(ctx, authority, of, known)
		}
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

// seenSo are the accounts that the listing has met by a name.
func (d *doubts) seenSo(ref reference) (out []Account) {
	if d.seen == nil {
		d.seen = map[reference][]Account{}
		for id, names := range d.names {
			authority, subject, _ := strings.Cut(id, "/")
			for _, name := range names {
				at := refTo(d.c, authority, name)
				d.seen[at] = addAccount(d.seen[at], Account{Subject: subject})
			}
		}
	}
	return d.seen[ref]
}

// findEntries is lookUpEntries without the searches for single names.
func (d *doubts) findEntries(ctx context.Context, name string, refs []mention, known accounts) error {
	refs, short, err := d.withoutDomains(ctx, name, refs)
	if err != nil {
		return err
	}
	defer func() {
		for written, key := range short {
			known[reference{name, written}] = known[reference{name, key}]
		}
	}()
	for batch := range slices.Chunk(refs, perSearch) {
		found, err := d.searchBatch(ctx, name, batch)
		if breaksAlone(err) {
			found, err = d.oneByOne(ctx, name, batch)
		}
		if err != nil {
			return d.lookupError(name, len(batch), err)
		}
		for _, r := range batch {
			if len(found[r.key]) > 0 {
				known[reference{name, r.key}] = found[r.key]
			}
		}
	}
	return nil
}

// oneByOne asks for names of which one broke the search for all.
func (d *doubts) oneByOne(ctx context.Context, name string, batch []mention) (map[string][]Account, error) {
	out := map[string][]Account{}
	for _, r := range batch {
		found, err := d.searchOne(ctx, name, r)
		if err != nil && !breaksAlone(err) {
			return nil, err
		}
		out[r.key] = found
	}
	return out, nil
}
