package inventory

import (
	"context"
	"fmt"
	"maps"
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

// readEarlier reads what earlier campaigns left, and asks the directories for
// those accounts.
func (l *lister) readEarlier(ctx context.Context, campaign string) error {
	last, err := l.vault.LastRoll(ctx, l.c.Device, campaign, l.c.Formerly...)
	if err == nil {
		giveSubjects(last)
		l.past.last = last
		l.past.unlike, l.past.ended = unlikeOf(last), endedTokens(last)
		l.past.leftovers, err = l.vault.Leftovers(ctx, l.c.Device, campaign, l.c.Formerly...)
	}
	if vault.IsDenied(err) {
		return nil // doctor names the right, and no campaign begins without it
	}
	if err != nil {
		return fmt.Errorf("what earlier campaigns left: %w; the listing was given up and nothing was changed", err)
	}
	l.past.choose(l.c)
	l.past.kept = slices.DeleteFunc(l.past.kept, func(k kept) bool { return k.Problem == credential.SameName && l.nameAccepted(k.Authority) })
	for _, k := range l.past.kept {
		if k.Subject != "" {
			l.add(k.candidate())
		}
	}
	return nil
}

// unlikeOf are the namesakes that were seen to refuse what was stolen: when
// they were asked, or as the proof of the campaign that rotated them.
func unlikeOf(last *ownmount.LastRoll) (ids []string) {
	if last != nil {
		for _, roll := range append([]ownmount.LastRoll{*last}, last.Before...) {
			ids = append(ids, roll.Unlike...)
			for _, was := range roll.Credentials {
				if len(was.Alike) > 0 && roll.Dead[was.ID] {
					ids = append(ids, was.ID)
				}
			}
		}
	}
	return ids
}

// giveSubjects gives back the account of what an earlier listing kept and did
// not find: its roll has the account's id in that of the credential alone.
func giveSubjects(last *ownmount.LastRoll) {
	if last == nil {
		return
	}
	for _, roll := range append([]ownmount.LastRoll{*last}, last.Before...) {
		for i, c := range roll.Credentials {
			authority, subject, ok := strings.Cut(c.ID, "/")
			if c.Subject == "" && ok && authority == c.Authority && authority != unmatched {
				roll.Credentials[i].Subject = subject
			}
		}
	}
}

// choose picks what stays on the roll: what was staged for the device, and what
// its last roll had and nobody proved dead.
func (p *past) choose(c *config.Campaign) {
	seen := map[string]bool{credential.VaultAuthority + "/" + vault.WorkerRole: true} // the file alone puts that on
	for _, left := range p.leftovers {
		if left.Listed != nil && c.IsDevice(left.Device) && !seen[left.ID] && left.Listed.Subject != "" {
			seen[left.ID] = true
			p.keep(kept{Credential: *left.Listed, campaign: left.Campaign, staged: true, rotate: true})
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
		if seen[was.ID] || roll.Dead == nil || roll.Dead[was.ID] || onlyListed(was) {
			continue
		}
		if was.Problem == credential.SameName && was.Authority == credential.VaultAuthority {
			continue // a user's name is asked about for as long as an account of the roll has it
		}
		seen[was.ID] = true
		// What took another account's value then is the device's, whoever has
		// that name now.
		p.keep(kept{Credential: was, campaign: openedBy(was.Reasons, roll.Campaign), rotate: namedBy(was.Reasons, same) || len(was.Alike) > 0})
	}
	for _, x := range roll.Excluded {
		if k, ok := wasExcluded(c, x); ok && !seen[x.ID] {
			k.rotate = namedBy(x.Found, same) && !k.Hearsay // a secret's own word rotates nobody whose secret is gone
			k.campaign = openedBy(x.Found, roll.Campaign)
			k.leftOut = openedBy(x.Found, "") == ""
			p.keep(k)
		}
	}
}

// wasExcluded is a credential that a person had excluded: nobody has proved it
// dead. It is on no roll for as long as he excludes it.
func wasExcluded(c *config.Campaign, x credential.Exclusion) (kept, bool) {
	authority, subject, ok := strings.Cut(x.ID, "/")
	if !ok || authority == unmatched || strings.HasPrefix(x.ID, placeOf) {
		return kept{}, false // a place, of which whoever excluded it said that nothing there is to be done
	}
	k := credential.Credential{ID: x.ID, Kind: x.Kind, Authority: authority, Subject: subject, Name: x.Name, Hearsay: x.Hearsay, Reasons: x.Found}
	if authority == credential.PersonAuthority {
		// What was to be done its row said, and that is gone.
		k.Kind, k.Task = credential.AnyByHand, &credential.Task{Ends: []credential.TaskEnd{{Name: itself}}}
		return kept{Credential: k}, openedBy(x.Found, "") != "" // else whoever took the row away has answered
	}
	if k.Kind == "" {
		k.Kind = credential.AppRoleSecretID // of a roll that did not say it
		if strings.HasPrefix(subject, minted.TokenPrefix) {
			k.Kind = credential.VaultToken
		}
		if of := c.KindOf(authority); of != "" {
			k.Kind = of
		}
	}
	// What is on a roll only because another account is, or because Rollcall
	// works with it, goes with that.
	return kept{Credential: k}, slices.ContainsFunc(x.Found, func(r credential.Reason) bool { return r.Type != ownSource && r.Type != nameSource })
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

// onlyNamed: it was on a roll for its name alone.
func onlyNamed(c credential.Credential) bool {
	return !slices.ContainsFunc(c.Reasons, func(r credential.Reason) bool { return r.Type != nameSource })
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
	openIn    = "was open in campaign "
	leftOutIn = "was left out in campaign "
	takenOff  = ", and the campaign file names it no more"
)

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
		case known[was.ID], isOwn, kept, was.Problem == credential.SameName, onlyNamed(was):
		case was.Kind.OnlyEnds() && last.Dead[was.ID]: // that it is gone was the end that was wanted
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
		code, why := credential.FindingSmallerRoll, "because the campaign file names less or the account was deleted"
		if len(last.Sources) > 0 && !slices.Contains(slices.Collect(maps.Values(same)), true) {
			why = "because that campaign was of another file (this one has none of its sources), or the account was deleted"
		}
		if last.Dead == nil {
			// What is not kept is not known to be dead, and nothing of it is
			// carried on.
			code, why = credential.FindingMissing, why+": find out what became of each, and name again what is not dead"
		}
		l.warn(code, "%d on the roll of campaign %s (%s) are not on this one, %s: %s; this is said once", len(fewer), last.Campaign, what, why, some(fewer))
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
