package listing

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// Was is a credential of the roll of a running campaign, and where that has it.
type Was struct {
	Ref credential.Ref
	credential.Credential
}

// Why what is other than it was is not taken up while a campaign runs.
const (
	ApartOwn   = "Rollcall works with it"
	ApartTask  = "people see to it: their task goes on as it was opened"
	ApartLogin = "it opens Vault, or may read what others are set to: what waits for it was settled when the campaign began"
	ApartLast  = "servers replicate by it, so it goes last of all, and while the others are worked on nothing of it is set"
	ApartDoor  = "a door of it was not there when the campaign began"

	apartUnlisted = ", and is not on its roll"
)

// ApartWords say why something is not taken up, and what to do instead. had: it
// is on the roll, and goes on as it was.
func ApartWords(why string, had bool) string {
	const again = ". Run again once it has ended"
	switch {
	case !had:
		return why + apartUnlisted + again
	case why == ApartTask:
		return why + ". Whoever has an end of it gives that to somebody else by `rollcall tasks reassign`, and has another value made by `rollcall tasks renew`; for other ends, instructions or another time run again once it has ended"
	case why == ApartDoor:
		return why + ": it is proved at those that it had. Run again once it has ended, and that one is asked too"
	}
	return why + again
}

// AgainSpec is the campaign file of a running campaign with those parts of a
// later one that say what is on the roll. All else stays as it was begun.
func AgainSpec(begun, now *config.Campaign) *config.Campaign {
	out := *begun
	out.Sources, out.Exclude, out.Accept, out.Confirm, out.UsedBy = now.Sources, now.Exclude, now.Accept, now.Confirm, now.UsedBy
	out.Open = now.Open
	return &out
}

// AgainParts are the parts of a campaign file that AgainSpec takes over.
var AgainParts = []string{"sources", "exclude", "accept", "confirm", "used_by", "open"}

// Again compares a roll with what listing again found. doors are those that the
// campaign began with, by the names that credentials have for them, and told
// are the warnings that its listings have given so far.
func Again(id string, was []Was, now *credential.Roll, doors map[string]bool, told []credential.Finding) ownmount.Proposal {
	p := ownmount.Proposal{ID: id, Apart: map[string]string{}}
	before, listed, places := map[string]Was{}, map[string]bool{}, map[credential.Path]bool{}
	for _, w := range was {
		before[w.ID] = w
	}
	excluded := map[string]credential.Exclusion{}
	for _, x := range now.Excluded {
		excluded[x.ID] = x
	}
	all, seen := now.Warnings, seenNow(before, now)
	for _, c := range now.Credentials {
		listed[c.ID] = true
		old, had := before[c.ID]
		if seen[c.Authority] && c.Subject != "" && c.Problem == "" && c.Task == nil && !slices.Contains(c.ReadBy, credential.MoreReaders) {
			c.ReadBy = append(slices.Clone(c.ReadBy), credential.MoreReaders)
		}
		if had && sameListed(old.Credential, c) {
			continue
		}
		if why := apart(old.Credential, c, doors); why != "" {
			if had && sameBut(old.Credential, c) {
				continue
			}
			p.Apart[c.ID] = why
			all = append(all, credential.Finding{Code: credential.FindingNotTakenUp, Detail: called(c) + " was listed again, and is not taken up while the campaign runs: " + ApartWords(why, had)})
			continue
		}
		if own := c.LoginPlaces(); len(own) > 0 { // for itself it does not wait
			c.ReadBy = slices.DeleteFunc(slices.Clone(c.ReadBy), func(by string) bool { return slices.Contains(own, strings.ToLower(by)) })
		}
		it := ownmount.ProposalItem{Now: c, Findings: now.Findings[c.ID]}
		if had {
			it.Old = &credential.Ref{Page: old.Ref.Page, Index: old.Ref.Index}
		}
		p.Items = append(p.Items, it)
		for _, at := range c.Paths {
			places[at] = true
			places[credential.Path{Mount: at.Mount, Path: at.Path}] = true // one of which no field was known
		}
	}
	for _, w := range was {
		x, out := excluded[w.ID]
		switch {
		case listed[w.ID]:
		case out:
			if p.Excluded = append(p.Excluded, x); ExcludedStays(w.Credential) == "" {
				p.Replaced = append(p.Replaced, w.Ref)
			}
		case w.Subject == "" && w.Task == nil && taken(w.Paths, places):
			p.Replaced = append(p.Replaced, w.Ref)
		case w.Problem == credential.SameName || len(w.Alike) > 0: // nobody was asked this time
		default:
			p.Gone = append(p.Gone, w.Ref)
		}
	}
	if slices.ContainsFunc(p.Items, func(it ownmount.ProposalItem) bool { return it.Now.ReachesVault() }) {
		p.Read = readByNow(was, now)
	}
	for _, f := range all {
		if slices.Contains(told, f) || slices.Contains(p.Warnings, f) {
			continue
		}
		if p.Warnings = append(p.Warnings, f); f.Code.Incomplete() {
			p.Incomplete++
		}
	}
	return p
}

// readByNow are those of the roll whose new values somebody could read who
// could not when they were listed before, or of whom that is not known: nobody
// looks at what is not listed any more, or has a problem by now.
func readByNow(was []Was, now *credential.Roll) (out credential.Refs) {
	listed := map[string]credential.Credential{}
	for _, c := range now.Credentials {
		listed[c.ID] = c
	}
	for _, w := range was {
		c, still := listed[w.ID]
		more := slices.ContainsFunc(c.ReadBy, func(by string) bool { return !slices.Contains(w.ReadBy, by) })
		if !w.Kind.OnlyEnds() && (more || !still || c.Problem != "") {
			out = append(out, w.Ref)
		}
	}
	return out
}

func called(c credential.Credential) string {
	if c.Authority == "" {
		return c.Name
	}
	return c.Authority + ": " + c.Name
}

// seenNow are the authorities of which an account may read what the others are
// set to, and the campaign does not know it: what is taken up there waits.
func seenNow(before map[string]Was, now *credential.Roll) map[string]bool {
	out := map[string]bool{}
	for _, c := range now.Credentials {
		if c.ReadsOthers && !before[c.ID].ReadsOthers {
			out[c.Authority] = true
		}
	}
	return out
}

func taken(paths []credential.Path, places map[credential.Path]bool) bool {
	return len(paths) > 0 && !slices.ContainsFunc(paths, func(p credential.Path) bool { return !places[p] })
}

func apart(was, now credential.Credential, doors map[string]bool) string {
	switch {
	case was.Own || now.Own:
		return ApartOwn
	case was.Task != nil || now.Task != nil:
		return ApartTask
	case was.ReachesVault() || was.ReadsOthers || now.ReadsOthers || now.ReachesVault() && was.ID != "":
		return ApartLogin
	case now.ID != "" && !now.ReachesVault() && slices.Contains(slices.Concat(was.Accepted, now.Accepted), credential.Replicates):
		return ApartLast
	case slices.ContainsFunc(now.Doors, func(d credential.DoorLogin) bool { return !doors[d.Door] }):
		return ApartDoor
	}
	return ""
}

// sameListed reports whether two listings say the same of a credential, as far
// as it decides what is done with it.
func sameListed(a, b credential.Credential) bool {
	b = asThen(a, b)
	return reflect.DeepEqual(deciding(a), deciding(b))
}

// sameBut is sameListed but for what the campaign itself changes when it
// rotates: that its path is there by now, and how it came to it.
func sameBut(a, b credential.Credential) bool {
	plain := func(c credential.Credential) credential.Credential {
		d := deciding(c)
		d.Adopted, d.Spare, d.Named, d.Confirmed, d.ConfirmedAt, d.ConfirmedWritten, d.ReadBy = false, nil, nil, nil, nil, nil, nil
		return d
	}
	b = asThen(a, b)
	return reflect.DeepEqual(plain(a), plain(b))
}

// asThen is now without what the roll of an earlier version does not say of
// was: other logins at its doors, and that its time counts from the listing.
func asThen(was, now credential.Credential) credential.Credential {
	now.Doors = slices.Clone(now.Doors)
	for i, d := range now.Doors {
		if slices.ContainsFunc(was.Doors, func(w credential.DoorLogin) bool { return w.Door == d.Door && w.End == d.End && len(w.Own) == 0 }) {
			now.Doors[i].Own = nil
		}
	}
	if !was.LeadsKnown { // listed by a build that did not look
		now.Leads = nil
	}
	if now.Task != nil && now.Task.After > 0 && was.Task != nil && was.Task.After == 0 {
		task := *now.Task
		task.After, task.Due = 0, was.Task.Due
		now.Task = &task
	}
	return now
}

// deciding leaves out what may change from one moment to the next, and in which
// order sources were asked.
func deciding(c credential.Credential) credential.Credential {
	sorted := func(paths []credential.Path) []credential.Path {
		out := slices.Clone(paths)
		slices.SortFunc(out, func(a, b credential.Path) int { return strings.Compare(a.String(), b.String()) })
		if len(out) == 0 {
			return nil
		}
		return out
	}
	d := credential.Credential{
		ID: c.ID, Kind: c.Kind, Authority: c.Authority, Subject: c.Subject, Name: c.Name, Owner: c.Owner, Adopted: c.Adopted, Hearsay: c.Hearsay, Spare: c.Spare, ReadsOthers: c.ReadsOthers,
		Paths: sorted(c.Paths), Named: sorted(c.Named), Confirmed: sorted(c.Confirmed), Doubted: sorted(c.Doubted), Problem: c.Problem,
	}
	if len(c.ConfirmedAt) > 0 {
		d.ConfirmedAt = c.ConfirmedAt
	}
	if len(c.ConfirmedWritten) > 0 {
		d.ConfirmedWritten = c.ConfirmedWritten
	}
	if len(c.ReadBy) > 0 {
		d.ReadBy = slices.Sorted(slices.Values(c.ReadBy))
	}
	if logins := c.VaultLogins(); len(logins) > 0 {
		d.Logins = []credential.VaultLogin{{Names: logins}}
	}
	if len(c.UsedBy) > 0 {
		d.UsedBy = slices.Sorted(slices.Values(c.UsedBy))
	}
	if len(c.Leads) > 0 {
		d.Leads = c.Leads
	}
	if len(c.Users) > 0 {
		d.Users = slices.Sorted(slices.Values(c.Users))
	}
	if len(c.Accepted) > 0 {
		d.Accepted = slices.Sorted(slices.Values(c.Accepted))
	}
	if t := c.Task; t != nil {
		d.Task = &credential.Task{Do: orNil(t.Do), Due: t.Due, After: t.After, Ends: orNil(t.Ends), Make: t.Make, At: t.At, Login: t.Login}
		if t.After > 0 {
			d.Task.Due = time.Time{} // each listing counts from itself
		}
	}
	if len(c.Doors) > 0 {
		d.Doors = slices.Clone(c.Doors)
		slices.SortFunc(d.Doors, func(a, b credential.DoorLogin) int { return strings.Compare(a.Door+"\x00"+a.End, b.Door+"\x00"+b.End) })
	}
	return d
}

func orNil[T any](list []T) []T {
	if len(list) == 0 {
		return nil
	}
	return list
}

// Fits are the items of a proposal that may become part of the roll beside what
// stays as it is, and what they take the place of. A path that somebody else
// goes on with is nobody else's: two would write there.
func Fits(p ownmount.Proposal, was []Was, take []int, replaced credential.Refs) (fit []int, instead credential.Refs) {
	fit = slices.Clone(take)
	for {
		// What does not fit stays, and may be in the way of others.
		places := map[credential.Path]bool{}
		moved := map[credential.Ref]bool{}
		for _, i := range fit {
			for _, at := range p.Items[i].Now.Paths {
				places[at] = true
			}
			if old := p.Items[i].Old; old != nil {
				moved[*old] = true
			}
		}
		instead = nil
		for _, w := range was {
			if slices.Contains(replaced, w.Ref) && (isExcluded(p, w.ID) || taken(w.Paths, places)) {
				instead = append(instead, w.Ref)
				moved[w.Ref] = true
			}
		}
		held, known := map[credential.Path]string{}, map[string]bool{}
		for _, w := range was {
			if moved[w.Ref] {
				continue
			}
			known[w.ID] = true
			for _, at := range w.Places() {
				held[at] = w.ID
			}
		}
		rest := slices.DeleteFunc(slices.Clone(fit), func(i int) bool {
			it := p.Items[i]
			if it.Old == nil && known[it.Now.ID] {
				return true
			}
			return slices.ContainsFunc(it.Now.Places(), func(at credential.Path) bool { return held[at] != "" && held[at] != it.Now.ID })
		})
		if len(rest) == len(fit) {
			break
		}
		fit = rest
	}
	return fit, instead
}

// LeftOf are the places of the roll that were asked for and go on as they are.
func LeftOf(p ownmount.Proposal, take []int, replaced credential.Refs, fit []int, instead credential.Refs) (left credential.Refs) {
	for _, i := range take {
		if old := p.Items[i].Old; old != nil && !slices.Contains(fit, i) {
			left = append(left, *old)
		}
	}
	for _, r := range replaced {
		if !slices.Contains(instead, r) {
			left = append(left, r)
		}
	}
	return left
}
