package inventory

import (
	"cmp"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/ownmount"
)

func (m *merger) accounts(c Candidate) []Account {
	if c.Found != nil {
		return []Account{*c.Found}
	}
	if c.Account == "" {
		return nil
	}
	// A token is ended where a person names it as one, and not by the word of a
	// secret: whoever may write that could have anybody's revoked.
	return slices.DeleteFunc(slices.Clone(preferAccounts(m.known[refTo(m.c, c.Authority, c.Account)])), func(a Account) bool {
		return a.kind.OnlyEnds() && !c.Kind.OnlyEnds()
	})
}

// matched adds a candidate to the draft of its account.
func (m *merger) matched(c Candidate, a Account) {
	id := c.Authority + "/" + a.Subject
	if a.kind != "" {
		c.Kind = a.kind
	}
	l := m.drafts[id]
	if c.Earlier || c.Left {
		if l != nil { // else all that names it is left out
			l.Paths = append(l.Paths, *c.Path)
		}
		if l != nil && c.Earlier {
			l.Ours = append(l.Ours, *c.Path)
			if c.Since == ownmount.AsActivated {
				l.current = append(l.current, *c.Path)
			}
			confirmed := slices.ContainsFunc(m.c.Confirm, func(x config.Confirm) bool { return x.Path == *c.Path })
			if c.Since == ownmount.WrittenSince && !confirmed { // else the look says it (confirmed.go)
				l.find(credential.FindingPlace, "%s: an earlier campaign put a value of it there, and somebody has written it since: if the account does not accept what it holds now, it stays as it is; exclude the path if it is not the account's any more", c.Path)
			}
		}
		return
	}
	if l == nil {
		l = &draft{Credential: credential.Credential{ID: id, Kind: c.Kind, Authority: c.Authority, Subject: a.Subject, Name: a.Name, Logins: m.lost.logins[id]}, short: a.Short}
		m.drafts[id] = l
	}
	// An entry renamed during the listing may show two names.
	l.Name, l.short = min(l.Name, a.Name), min(l.short, a.Short)
	of := config.TraitsOfSource(c.Reason.Type)
	switch {
	case of.Logs: // whose account it is they do not say
	case c.Kind.Traits().HandsOver:
		if l.people = append(l.people, c.Reason.Source); len(l.services) == 0 {
			l.Kind = c.Kind
		}
	default:
		l.services = append(l.services, c.Reason.Source)
		l.Kind = c.Kind
	}
	l.logins = append(l.logins, a.Logins...)
	if a.facts != nil && len(a.facts.mails) > 0 {
		l.mails = append(l.mails, a.facts.mails...)
	}
	if a.facts != nil {
		l.personal = a.facts.personal
	}
	if a.Protected {
		l.resets, l.protected = true, true
		l.find(credential.FindingProtected, "adminCount is 1: rights delegated on the organizational unit do not reach it; bind.dn needs Reset Password on CN=AdminSDHolder, or a domain administrator resets it")
	}
	l.hinder(a)
	l.fromSystem(a.system)
	l.seenAround(m.lost.around[c.Authority], a.Subject)
	l.usedByVault(m.uses.of(c.Authority, a))
	if a.mayBeRoot(m.c.Directories[c.Authority].Base) {
		l.find(credential.FindingRootDN, "an entry of this name is commonly the rootdn of the database as well: if the configuration has a rootpw (olcRootPW) for it, the stolen value may be that one too, and stays good until it is changed there")
	}
	hearsay := of.Hearsay
	l.told, l.logged, l.hinted = l.told || !hearsay, l.logged || of.Logs, l.hinted || hearsay && !of.Logs
	if c.Like != nil {
		l.likened(c.Like)
	}
	if c.Path != nil && !hearsay {
		l.named = append(l.named, *c.Path)
	}
	if c.Path != nil && c.Reason.Type == ownSource {
		l.ownPath = c.Path
	}
	l.takeDoors(c)
	if c.Path != nil && c.AnyField {
		l.guesses = append(l.guesses, *c.Path)
		c.Path = nil
	}
	l.found(c)
}

// loose deals with candidates that do not lead to exactly one account.
func (m *merger) loose(list []*Candidate) {
	owners := map[secretPath][]*draft{}
	for _, l := range m.drafts {
		for _, p := range l.Paths {
			owners[secretPathOf(p)] = append(owners[secretPathOf(p)], l)
		}
	}
	known := m.named()
	for _, c := range m.assumed {
		m.noteNamesakes(*c, known)
	}
	var pathless []*Candidate
	byRef := map[reference][]*draft{}
	named := map[secretPath][]*draft{} // paths that a source names for an account which was not found
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b *Candidate) int { return cmp.Compare(min(1, len(b.Account)), min(1, len(a.Account))) })
	for _, cand := range list {
		c := *cand
		if c.Path == nil {
			pathless = append(pathless, cand)
			continue
		}
		if others := meantThere(c, named[secretPathOf(*c.Path)]); len(others) > 0 {
			for _, l := range others {
				l.reason(c)
			}
			m.noteMaybe(c, known)
			continue
		}
		if m.claimed(c, owners[secretPathOf(*c.Path)]) {
			m.share(cand)
			continue
		}
		m.noteMaybe(c, known)
		l := m.unmatched(unmatched+"/"+c.Path.String(), c)
		if c.Account != "" {
			r := refTo(m.c, c.Authority, c.Account)
			byRef[r] = append(byRef[r], l)
			named[secretPathOf(*c.Path)] = append(named[secretPathOf(*c.Path)], l)
		}
	}
	for _, c := range m.shared {
		m.noteBeside(*c, owners[secretPathOf(*c.Path)], known)
	}
	for _, c := range m.lost.confirmed {
		m.noteBeside(c, owners[secretPathOf(*c.Path)], known)
	}
	for _, cand := range pathless {
		c := *cand
		r := refTo(m.c, c.Authority, c.Account)
		for _, l := range byRef[r] {
			l.reason(c)
		}
		if len(byRef[r]) == 0 {
			m.unmatched(unmatched+"/"+c.Authority+"/"+r.account, c)
		}
	}
}

// share keeps a secret of which it is known what it has, and that somebody
// owns.
func (m *merger) share(c *Candidate) {
	if c.Path != nil && c.Fields != nil {
		m.shared = append(m.shared, c)
	}
}

// meantThere are the drafts of a secret that say whose it is, for a candidate
// that does not.
func meantThere(c Candidate, there []*draft) []*draft {
	if c.Account != "" {
		return nil
	}
	var out []*draft
	for _, l := range there {
		if c.AnyField || slices.Contains(l.Paths, *c.Path) {
			out = append(out, l)
		}
	}
	return out
}

// inRow says where a list that people keep has it.
func inRow(c Candidate) string {
	if !config.TraitsOfSource(c.Reason.Type).Rows {
		return ""
	}
	return " (" + c.Reason.Detail + ")"
}

// claimed gives a candidate to the accounts that other sources found for its
// path: when it names no account itself, or an ambiguous one that the path
// settles.
func (m *merger) claimed(c Candidate, owners []*draft) bool {
	several := m.accounts(c)
	if c.Account != "" && len(several) == 0 {
		return false // it names an account, and another one
	}
	hit := false
	for _, l := range owners {
		meant := c.Account == "" || slices.ContainsFunc(several, func(a Account) bool { return c.Authority+"/"+a.Subject == l.ID })
		if meant && (c.AnyField && c.Account == "" || slices.Contains(l.Paths, *c.Path)) {
			l.reason(c)
			hit = true
		}
	}
	return hit
}

func (m *merger) unmatched(id string, c Candidate) *draft {
	l := m.drafts[id]
	if l == nil {
		l = &draft{Credential: credential.Credential{ID: id}}
		m.drafts[id] = l
		l.Kind, l.Authority, l.Name = c.Kind, c.Authority, c.Account
	}
	l.found(c)
	// Several sources may say different things of one path: take the same one
	// whatever came first.
	l.Kind = min(l.Kind, c.Kind)
	l.Authority = firstText(l.Authority, c.Authority)
	l.Name = firstText(l.Name, c.Account)
	if c.Account != "" {
		l.logins = append(l.logins, c.Account)
	}
	several := m.accounts(c)
	if config.TraitsOfSource(c.Reason.Type).Logs && len(several) < 2 {
		m.notFoundInLogs(l, c)
		return l
	}
	if len(several) > 1 {
		names := make([]string, 0, len(several))
		for _, a := range several {
			names = append(names, a.Name)
		}
		slices.Sort(names)
		l.Problem = credential.Ambiguous
		l.find(credential.FindingAmbiguous, "%q%s matches %d accounts in %s: %s; name the DN or immutable id instead", c.Account, inRow(c), len(names), c.Authority, strings.Join(names, "; "))
		return l
	}
	holder, hint := m.lost.parts.holder(c.Authority, c.Account), m.lost.hints[refTo(m.c, c.Authority, c.Account)]
	l.unfound(c, holder)
	switch {
	case holder != "":
		l.find(credential.FindingBehindReferral, "the account %q%s was not found: %s", c.Account, inRow(c), holder)
	case hint != "":
		l.find(credential.FindingNoAccount, "the account %q%s was not looked for: %s", c.Account, inRow(c), hint)
	case c.Account == "" && slices.Contains(c.HeldBack, metaAccount):
		l.find(credential.FindingNoAccount, "the account that its custom_metadata names is not known, or is a secret of it, and is not written as names are: look there (it is not repeated), and correct it, or list it in a manifest")
	case c.Account == "" && len(c.Misnamed) > 0:
		l.find(credential.FindingNoAccount, "its custom_metadata has the keys %q; the keys that are read are account, directory and field, in lower case", c.Misnamed)
	case c.Account == "" && c.ByField != "":
		l.find(credential.FindingNoAccount, "its field %q does not say whose it is: %s (what it holds is not shown, for it may be a password); correct it, or set custom_metadata directory, account and field, or list it in a manifest, or exclude it (%s)", c.ByField, c.FieldSays, paste.Entry("exclude", "path", c.Path.Secret()))
	case c.Account == "":
		l.find(credential.FindingNoAccount, "nothing says whose secret this is: set custom_metadata directory, account and field on it, or list it in a manifest, or exclude it (%s)", paste.Entry("exclude", "path", c.Path.Secret()))
	case c.Authority == "":
		l.find(credential.FindingNoAccount, "names the account %q and no directory, and the campaign has several: set custom_metadata directory", c.Account)
	case c.Authority != credential.VaultAuthority && !m.hasAuthority(c.Authority):
		l.find(credential.FindingNoAccount, "names the account %q in %s, an authority that the campaign file does not have", c.Account, c.Authority)
	case c.Kind.OnlyEnds() && !m.unasked(c):
		l.find(credential.FindingNoAccount, "Vault knows no token of the accessor %q%s, and no earlier roll of the device had it: it has ended, or the accessor is mistyped; find out which, and take it out", strings.TrimPrefix(c.Account, minted.TokenPrefix), inRow(c))
	case m.unasked(c):
		l.find(credential.FindingNoAccount, "names the login to Vault %q, which Rollcall may not look up: the auth mount is not there, or the worker's policy does not have it; if the device has this login, run rollcall init again, and if nobody knows it, ask who wrote this into the secret's metadata", c.Account)
	case strings.Contains(c.Account, `\`) && !isDN(c.Account) && m.c.Directories[c.Authority].Driver != "":
		l.find(credential.FindingNoAccount, "the account %q%s is not in %s, which is no Active Directory: DOMAIN\\account is a form of that alone; write the uid, the DN or the immutable id", c.Account, inRow(c), c.Authority)
	case m.atRDN(c) != "":
		l.find(credential.FindingNoAccount, "no account of %s logs in as %q%s; %s is on the roll, whose name begins with that: if it is meant, write its DN", c.Authority, c.Account, inRow(c), m.atRDN(c))
	default:
		l.find(credential.FindingNoAccount, "the account %q%s is not in %s: deleted, renamed, outside the base, or mistyped", c.Account, inRow(c), c.Authority)
	}
	return l
}

// atRDN is an account of the roll whose DN begins with what a candidate calls
// its account, by an attribute that is no login name there; empty if none is.
func (m *merger) atRDN(c Candidate) string {
	if m.byRDN == nil {
		m.byRDN = map[[2]string]string{}
		for _, l := range m.drafts {
			if key := [2]string{l.Authority, rdnValue(l.Name)}; l.Subject != "" && isDN(l.Name) && (m.byRDN[key] == "" || l.Name < m.byRDN[key]) {
				m.byRDN[key] = l.Name
			}
		}
	}
	return m.byRDN[[2]string{c.Authority, fold(c.Account)}]
}

// unasked: the authority did not let us look the account up.
func (m *merger) unasked(c Candidate) bool {
	found, asked := m.known[refTo(m.c, c.Authority, c.Account)]
	return asked && len(found) == 0
}
