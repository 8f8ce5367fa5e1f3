package inventory

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/ownmount"
)

// Whoever had the device can take away what names a credential: a tag, a
// secret's metadata. And a person can narrow a campaign file. What an earlier
// campaign of the device knew does not end with that: what it left open stays
// on the roll, and the rest is said.

// earlierType is the type of the reason for which such a credential is on the
// roll.
const earlierType = "earlier"

// past is what is known of earlier campaigns; the zero value is nothing.
type past struct {
	last      *ownmount.LastRoll
	leftovers []ownmount.Leftover
	kept      []kept
	tasks     []kept // of people
}

// kept is a credential that an earlier campaign did not bring to its end.
type kept struct {
	credential.Credential
	campaign string // which left it open
	staged   bool   // with a new value that may be in force
	rotate   bool   // it may be rotated although nothing names it: no person has taken it off
}

// readEarlier reads what earlier campaigns left, and asks the directories for
// those accounts.
func (l *lister) readEarlier(ctx context.Context, campaign string) error {
	last, err := l.vault.LastRoll(ctx, l.c.Device, campaign, l.c.Formerly...)
	if err == nil {
		l.past.last = last
		l.past.leftovers, err = l.vault.Leftovers(ctx, l.c.Device, campaign, l.c.Formerly...)
	}
	if vault.IsDenied(err) {
		return nil // doctor names the right, and no campaign begins without it
	}
	if err != nil {
		return fmt.Errorf("what earlier campaigns left: %w; the listing was given up and nothing was changed", err)
	}
	l.past.choose(l.c)
	for _, k := range l.past.kept {
		if k.Subject != "" {
			l.add(k.candidate())
		}
	}
	return nil
}

// choose picks what stays on the roll: what was staged for the device, and what
// its last roll had and nobody proved dead.
func (p *past) choose(c *config.Campaign) {
	seen := map[string]bool{credential.VaultAuthority + "/" + vault.WorkerRole: true} // the file alone puts that on
	for _, left := range p.leftovers {
		if left.Listed != nil && c.IsDevice(left.Device) && !seen[left.ID] && left.Listed.Subject != "" {
			seen[left.ID] = true
			p.keep(kept{*left.Listed, left.Campaign, true, true})
		}
	}
	if p.last == nil {
		return
	}
	for _, roll := range append([]ownmount.LastRoll{*p.last}, p.last.Before...) {
		p.chooseOf(c, roll, seen)
	}
}

func (p *past) chooseOf(c *config.Campaign, roll ownmount.LastRoll, seen map[string]bool) {
	same := unchangedSources(c.Sources, roll.Sources)
	for _, was := range roll.Credentials {
		if seen[was.ID] || roll.Dead == nil || roll.Dead[was.ID] || onlyListed(was) || was.Problem == credential.SameName {
			continue // a name is asked about for as long as an account of the roll has it
		}
		seen[was.ID] = true
		p.keep(kept{was, openedBy(was.Reasons, roll.Campaign), false, namedBy(was.Reasons, same)})
	}
	for _, x := range roll.Excluded {
		authority, subject, ok := strings.Cut(x.ID, "/")
		if from := openedBy(x.Found, ""); ok && from != "" && !seen[x.ID] {
			k := credential.Credential{ID: x.ID, Kind: credential.AppRoleSecretID, Authority: authority, Subject: subject, Name: x.Name, Reasons: x.Found}
			if strings.HasPrefix(subject, minted.TokenPrefix) {
				k.Kind = credential.VaultToken
			}
			if of := c.KindOf(authority); of != "" {
				k.Kind = of
			}
			if authority == credential.PersonAuthority {
				// What was to be done its row said, and that is gone.
				k.Kind, k.Task = credential.AnyByHand, &credential.Task{Ends: []credential.TaskEnd{{Name: itself}}}
			}
			p.keep(kept{k, from, false, false})
		}
	}
}

func (p *past) keep(k kept) {
	if k.Task != nil {
		p.tasks = append(p.tasks, k)
		return
	}
	p.kept = append(p.kept, k)
}

// onlyListed: a person's list names it and no account was found, so taking the
// line away, or correcting it, is that person's answer. So it is of what no
// path holds.
func onlyListed(c credential.Credential) bool {
	return c.Subject == "" && (len(c.Paths) == 0 || !slices.ContainsFunc(c.Reasons, func(r credential.Reason) bool { return !config.TraitsOfSource(r.Type).Rows }))
}

// unchangedSources are the names of sources that the campaign file has as it
// had them then.
func unchangedSources(now, then []config.Source) map[string]bool {
	out := map[string]bool{}
	for _, a := range now {
		for _, b := range then {
			a.Line, b.Line = 0, 0
			out[a.Name] = out[a.Name] || reflect.DeepEqual(a, b)
		}
	}
	return out
}

func namedBy(reasons []credential.Reason, sources map[string]bool) bool {
	return slices.ContainsFunc(reasons, func(r credential.Reason) bool { return sources[r.Source] && r.Type != earlierType }) &&
		!slices.ContainsFunc(reasons, func(r credential.Reason) bool { return r.Type == earlierType && strings.HasSuffix(r.Detail, takenOff) })
}

// What the reason says. takenOff marks what a person's change of the file took
// off, for the campaigns after the next as well.
const (
	openIn   = "was open in campaign "
	takenOff = ", and the campaign file names it no more"
)

// openedBy is the campaign that left it open first, as its reasons have it.
func openedBy(reasons []credential.Reason, otherwise string) string {
	for _, r := range reasons {
		if from, ok := strings.CutPrefix(r.Detail, openIn); ok && r.Type == earlierType {
			return strings.TrimSuffix(from, takenOff)
		}
	}
	return otherwise
}

func (k kept) candidate() Candidate {
	detail := openIn + k.campaign
	if !k.rotate {
		detail += takenOff
	}
	return Candidate{Kind: k.Kind, Authority: k.Authority, Account: k.Subject, Kept: true, Reason: credential.Reason{Source: "rollcall", Type: earlierType, Detail: detail}}
}

// keep puts on the roll what earlier campaigns left and no source names.
func (m *merger) keep() {
	for _, k := range m.lost.past.kept {
		if m.isNamed(k) {
			continue
		}
		paths := m.withoutLeftOut(k)
		if k.Subject != "" && k.Hearsay && len(k.Paths) > 0 && len(paths) == 0 {
			continue // a person left out the only place that names it
		}
		l := m.draftOf(k)
		l.Paths, l.named, l.kept = paths, k.Named, k.campaign
		l.Reasons = []credential.Reason{k.candidate().Reason}
		for _, r := range k.Reasons {
			if r.Type != earlierType {
				l.Reasons = append(l.Reasons, r)
			}
		}
		switch {
		case l.Subject == "":
			l.find(credential.FindingNotNamed, "it was open in campaign %s, and no source of this campaign names it; nothing is done to it: %s", k.campaign, notNamedDo(k))
		case k.staged:
			l.find(credential.FindingNotNamed, "no source of this campaign names it; campaign %s left a new value staged for it, which may be in force and nowhere else, so it is rotated to its end", k.campaign)
		case k.rotate:
			l.find(credential.FindingNotNamed, "it was open in campaign %s, and the source that named it then names it no more, although the campaign file has it unchanged: it is rotated all the same; find out who took away what named it", k.campaign)
		default:
			l.find(credential.FindingNotNamed, "it was open in campaign %s, and the campaign file has no source any more that names it; nothing is done to it: %s", k.campaign, notNamedDo(k))
			if l.Problem == "" {
				l.Problem = credential.NotNamed
			}
		}
	}
}

func notNamedDo(k kept) string {
	return fmt.Sprintf("name it again, or exclude it with a reason (exclude: account or path, or campaign: %s for all that was left open there and is named no more)", k.campaign)
}

// isNamed: something else puts it on the roll, whether or not a person takes it
// off again.
func (m *merger) isNamed(k kept) bool {
	if k.Subject != "" {
		return m.drafts[k.ID] != nil
	}
	for _, p := range k.Paths {
		for _, l := range m.drafts {
			if slices.ContainsFunc(l.Paths, func(q credential.Path) bool { return secretPathOf(p) == secretPathOf(q) }) {
				return true
			}
		}
	}
	return len(m.withoutLeftOut(k)) < len(k.Paths)
}

// withoutLeftOut are its paths but for those that a person left out, which are
// noted as such.
func (m *merger) withoutLeftOut(k kept) []credential.Path {
	var out []credential.Path
	for _, p := range k.Paths {
		i := slices.IndexFunc(m.c.Exclude, func(e config.Exclude) bool { return names(e, p) })
		if i < 0 {
			out = append(out, p)
			continue
		}
		c := k.candidate()
		c.Path = &p
		m.leftOut = append(m.leftOut, leftPath{c, m.c.Exclude[i].Reason})
	}
	return out
}

// draftOf makes the draft, of the account if that is still there.
func (m *merger) draftOf(k kept) *draft {
	if found := m.accounts(k.candidate()); k.Subject != "" && len(found) == 1 {
		m.matched(Candidate{Kind: k.Kind, Authority: k.Authority, Reason: k.candidate().Reason}, found[0])
		l := m.drafts[k.ID]
		l.told = !k.Hearsay
		return l
	}
	l := &draft{Credential: credential.Credential{ID: k.ID, Kind: k.Kind, Authority: k.Authority, Name: k.Name, Problem: k.Problem}}
	if k.Subject != "" {
		l.Problem = credential.NoAccount
		l.find(credential.FindingNoAccount, "the account is not in %s: deleted, outside of base, or hidden from bind.dn, or the campaign file has no such directory", k.Authority)
		l.logins = []string{k.Subject}
	}
	m.drafts[k.ID] = l
	return l
}

// leftStaged refuses to leave out what may be cut off from its consumers, and
// says what lies in staging alone and is on no roll.
func (m *merger) leftStaged(roll *credential.Roll) ([]Warning, error) {
	var warnings []Warning
	for _, left := range m.lost.past.leftovers {
		authority, _, _ := strings.Cut(left.ID, "/")
		if authority == credential.PersonAuthority {
			continue // nothing reads it but its owner, whose task is kept (allTasks)
		}
		if ours := m.hasAuthority(authority); !ours && !m.c.IsDevice(left.Device) && authority != credential.VaultAuthority {
			continue // of a directory that this campaign does not have
		}
		i := slices.IndexFunc(roll.Excluded, func(x credential.Exclusion) bool { return x.ID == left.ID })
		j := slices.IndexFunc(roll.Excluded, func(x credential.Exclusion) bool {
			p, path := strings.CutPrefix(x.ID, "path/")
			return path && slices.Contains(left.Paths, p)
		})
		from := "a campaign"
		if left.Campaign != "" {
			from = "campaign " + left.Campaign
		}
		const alone = "left a new value staged that may be in force and lies nowhere else"
		switch name := m.nameOf(left); {
		case i >= 0 && left.Campaign != "":
			return nil, &naming{
				fmt.Errorf("exclude: %s: %s %s: nothing was listed; take the exclude out, let a campaign finish it, then exclude it (or copy the value from %s/%s to where its consumers read, and delete it there)",
					roll.Excluded[i].Name, from, alone, m.c.Vault.Mount, ownmount.StagingPath(left.ID)),
				"an exclude names a credential for which " + from + " " + alone + "; take it out, let a campaign finish it, then exclude it",
			}
		case j >= 0:
			return nil, &naming{
				fmt.Errorf("exclude: %s: %s %s, and it was meant for that path: nothing was listed; take the exclude out, let a campaign finish it, then exclude it", roll.Excluded[j].Name, from, alone),
				"an exclude names a path for which " + from + " " + alone + "; take it out, let a campaign finish it, then exclude it",
			}
		case m.drafts[left.ID] != nil:
		case left.Device != "" && !m.c.IsDevice(left.Device):
			warnings = append(warnings, Warning{Code: credential.FindingLeftStaged, Detail: fmt.Sprintf("%s: %s of device %s %s: run a campaign of that device, which goes on with it", name, from, left.Device, alone)})
		default:
			warnings = append(warnings, Warning{Code: credential.FindingLeftStaged, Detail: fmt.Sprintf("%s: %s %s, and nothing of this campaign names it: name the account in a source, and the next campaign goes on with it", name, from, alone)})
		}
	}
	return warnings, nil
}

func (m *merger) nameOf(left ownmount.Leftover) string {
	if left.Listed != nil {
		return left.Listed.Name + " (" + left.ID + ")"
	}
	return left.ID
}

// sayUnnamed says what the last roll had and this one has not. It was proved
// dead, or is no account, so nothing is open; something may be missing from
// this roll all the same, where a source names less that the campaign file has
// unchanged.
func (l *lister) sayUnnamed(ctx context.Context, roll *credential.Roll) error {
	last := l.past.last
	if last == nil {
		return nil
	}
	known := map[string]bool{}
	for _, c := range roll.Credentials {
		known[c.ID] = true
	}
	for _, x := range roll.Excluded {
		known[x.ID] = true
	}
	same := unchangedSources(l.c.Sources, last.Sources)
	var missing []credential.Credential
	var fewer []string
	for _, was := range last.Credentials {
		isOwn := slices.ContainsFunc(was.Reasons, func(r credential.Reason) bool { return r.Type == ownSource })
		kept := last.Dead != nil && was.Subject == "" && !onlyListed(was) // or its path is on the roll by another name
		switch {
		case known[was.ID], isOwn, kept, was.Problem == credential.SameName:
		case namedBy(was.Reasons, same) && was.Subject != "":
			missing = append(missing, was)
		default:
			fewer = append(fewer, was.Name)
		}
	}
	there, deleted, err := l.stillThere(ctx, missing)
	if err != nil {
		return err
	}
	what := "proved dead there, or without an account"
	if last.Dead == nil {
		what = "what became of it was not kept by that version"
	}
	fewer = append(fewer, deleted...)
	if len(there) > 0 {
		l.warn(credential.FindingMissing, "%d on the roll of campaign %s (%s) are named no more, by a source that the campaign file has unchanged: %s: something may be missing from this roll; find out who took away what named them (a tag, a secret's metadata, a role), this is said once", len(there), last.Campaign, what, some(there))
	}
	if len(fewer) > 0 {
		l.warn(credential.FindingSmallerRoll, "%d on the roll of campaign %s (%s) are not on this one, because the campaign file names less or the account was deleted: %s; this is said once", len(fewer), last.Campaign, what, some(fewer))
	}
	return nil
}

// stillThere tells apart accounts that their directory has and those that are
// gone, by name.
func (l *lister) stillThere(ctx context.Context, list []credential.Credential) (there, deleted []string, err error) {
	found := accounts{}
	asked := map[string][]mention{}
	for _, c := range list {
		if l.dirs[c.Authority] != nil {
			asked[c.Authority] = append(asked[c.Authority], mention{c.Subject, accountKey(c.Subject), byID, true})
		}
	}
	for name, refs := range asked {
		if err := l.lookUpEntries(ctx, name, refs, found); err != nil {
			return nil, nil, err
		}
	}
	for _, c := range list {
		if l.dirs[c.Authority] != nil && len(found[refTo(l.c, c.Authority, c.Subject)]) == 0 {
			deleted = append(deleted, c.Name)
			continue
		}
		there = append(there, c.Name)
	}
	return there, deleted, nil
}
