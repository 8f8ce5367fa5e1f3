package inventory

import (
	"cmp"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
)

// unmatched begins the ids of credentials without an account, and is the
// authority of those whose authority nobody named. No directory may be called
// so.
const unmatched = "unmatched"

// mergeAll makes the roll out of candidates. It does no I/O. own are the
// credentials that we ourselves work with, lost is what is known of accounts
// that were not found. The error is about names in the campaign file that
// cannot be carried out.
func mergeAll(c *config.Campaign, found []Candidate, known accounts, own ownIdentities, lost unfound) (*credential.Roll, []Warning, error) {
	m := &merger{c: c, known: known, lost: lost, uses: indexUses(lost.uses), drafts: map[string]*draft{}}
	var loose, left []*Candidate
	for cand := range m.leavePathsOut(found) {
		switch {
		case cand.Kept:
			continue
		case cand.Earlier || cand.Left:
			left = append(left, cand)
		}
		if a := m.accounts(*cand); len(a) == 1 {
			m.matched(*cand, a[0])
			m.share(cand)
			if cand.Path != nil && cand.Assumed && len(m.c.Systems) > 0 {
				m.assumed = append(m.assumed, cand)
			}
		} else {
			loose = append(loose, cand)
		}
	}
	m.stillLeftOut()
	m.applyDefaultFields()
	m.loose(loose)
	m.keep()
	for _, cand := range left {
		if l := m.drafts[cand.Authority+"/"+cand.Found.Subject]; l != nil && l.kept != "" {
			m.matched(*cand, *cand.Found)
		}
	}
	unaccepted, err := m.acceptances()
	if err != nil {
		return nil, nil, err
	}
	unconfirmed, err := m.confirmed()
	if err != nil {
		return nil, nil, err
	}
	m.peopleAndServices()
	m.onlyInLogs()
	perhaps := m.perhapsIts()
	m.ownPlaces(own)
	m.tellPlaces()
	m.sharedPaths()
	if err := m.adopt(own); err != nil {
		return nil, nil, err
	}
	m.sameNames(lost.users, own)
	warnings := m.leaveOwnIdentities(own)
	roll := &credential.Roll{Findings: map[string][]credential.Finding{}}
	more, err := m.exclude(roll)
	if err != nil {
		return nil, nil, err
	}
	m.forgetNames()
	m.noteResets(own)
	m.noteReaders(own)
	staged, err := m.leftStaged(roll)
	if err != nil {
		return nil, nil, err
	}
	if roll.Waves, err = m.order(own); err != nil {
		return nil, nil, err
	}
	m.fitLines()
	m.finish(roll)
	return roll, slices.Concat(warnings, more, staged, unaccepted, unconfirmed, perhaps, m.peoplesDoors()), nil
}

// applyDefaultFields takes the usual field of a secret only where no source
// names the field that this account has in it.
func (m *merger) applyDefaultFields() {
	for _, l := range m.drafts {
		for _, g := range sortedPaths(l.guesses) {
			if !slices.ContainsFunc(l.Paths, func(p credential.Path) bool { return secretPathOf(p) == secretPathOf(g) }) {
				l.Paths = append(l.Paths, g)
			}
		}
	}
}

// peopleAndServices keeps must-change off accounts that anything but their
// owner logs in with: it would cut that off.
func (m *merger) peopleAndServices() {
	for _, l := range m.drafts {
		if len(l.people) == 0 || len(l.services) == 0 {
			continue
		}
		l.find(credential.FindingPersonAndService, "%s: a person's; %s: a service's; it is rotated as %s, without must-change at the next log-on, which would cut its consumers off",
			sortedText(l.people), sortedText(l.services), l.Kind)
	}
}

// perhapsPerson says of an account that was listed as any other one that it may
// be a person's: its new value lies where nobody reads it, and its owner is
// locked out until somebody thinks of him.
func (d *draft) perhapsPerson() {
	if len(d.personal) == 0 || len(d.people) > 0 || !d.Adopted || d.Problem != "" || d.Task != nil {
		return
	}
	d.find(credential.FindingPerhapsPerson, "its entry has %s, as people's have, and nothing in Vault is read with its password: the new one will lie at %s, and its owner is locked out until somebody hands it over",
		strings.Join(d.personal, ", "), d.Paths[0])
}

// finish sorts everything and fills the roll.
func (m *merger) finish(roll *credential.Roll) {
	roll.Credentials = slices.Grow(roll.Credentials, len(m.drafts))
	for _, l := range m.drafts {
		m.complete(l)
		if l.Authority == "" {
			l.Authority = unmatched
		}
		if l.Name == "" && len(l.Paths) > 0 {
			l.Name = l.Paths[0].String()
		}
		roll.Credentials = append(roll.Credentials, l.Credential)
		if len(l.findings) > 0 {
			roll.Findings[l.ID] = l.findings
		}
	}
	slices.SortFunc(roll.Credentials, func(a, b credential.Credential) int {
		return cmp.Or(a.Wave-b.Wave, strings.Compare(a.Authority, b.Authority), strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.ID, b.ID))
	})
}

// complete fills in what only the whole of a draft shows.
func (m *merger) complete(d *draft) {
	d.perhapsPerson()
	d.tidy()
	d.Short = d.short
	if k := d.Kind; !k.ByHand() && !k.OnlyEnds() {
		m.lost.doorUses.note(m.c, d.Credential, d.short)
		if d.Problem == "" {
			d.Doors = doorsOf(m.c, d.Credential, m.namedDoors(d), d.short, d.Name)
			m.doorsThen(d)
			m.spellDoors(d)
		}
	}
	d.withoutDoors()
	if in, ok := m.c.Directories[d.Authority]; ok && d.Subject != "" {
		d.LoginNames = loginNames(d, in.HasDomains())
	}
	if m.lost.tasks && d.Subject != "" {
		d.Names = slices.Clone(d.logins)
		if rdn := rdnValue(d.Name); rdn != "" {
			d.Names = append(d.Names, rdn)
		}
	}
}

// Bounds of LoginNames: an attribute may have any number of values, and an
// entry of the ledger holds them.
const mostLoginNames, longestLoginName = 16, 256

// loginNames are those of an account. A servicePrincipalName is no login's.
func loginNames(d *draft, domain bool) []string {
	out := slices.DeleteFunc(slices.Clone(d.logins), func(name string) bool {
		return len(name) > longestLoginName || domain && strings.Contains(name, "/")
	})
	if !domain && len(out) == 1 && strings.EqualFold(out[0], rdnValue(d.Name)) {
		return nil
	}
	return out[:min(len(out), mostLoginNames)]
}

// tidy sorts what is a set and drops repeats.
func (d *draft) tidy() {
	d.Paths, d.Lines = sortedPaths(d.Paths), sortedLines(d.Lines)
	slices.Sort(d.logins)
	d.logins = slices.Compact(d.logins)
	slices.SortFunc(d.Reasons, func(a, b credential.Reason) int {
		return cmp.Or(strings.Compare(a.Source, b.Source), strings.Compare(a.Type, b.Type), strings.Compare(a.Detail, b.Detail))
	})
	d.Reasons = slices.Compact(d.Reasons)
	slices.SortFunc(d.findings, func(a, b credential.Finding) int {
		return cmp.Or(strings.Compare(string(a.Code), string(b.Code)), strings.Compare(a.Detail, b.Detail))
	})
	d.findings = slices.Compact(d.findings)
}
