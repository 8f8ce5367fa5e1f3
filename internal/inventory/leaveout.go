package inventory

import (
	"cmp"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/profile"
)

// placeOf begins the id of a place that was left out, where its account is on
// the roll all the same.
const placeOf = "path/"

// leftPath is what a source found at a path that the campaign file leaves out.
type leftPath struct {
	Candidate
	reason string
}

// names reports whether the exclude takes the path of a candidate. The field of
// a secret that says nothing of itself is known by the name under which it is
// listed.
func names(e config.Exclude, p credential.Path) bool {
	return e.Path != "" && (e.Path == p.String() || e.Path == p.Secret())
}

// leavePathsOut takes off what sources found at paths that are left out: those
// paths, and not the accounts that are named there. Whoever may write the
// metadata of such a path could name any account in it.
func (m *merger) leavePathsOut(found []Candidate) iter.Seq[*Candidate] {
	return func(yield func(*Candidate) bool) {
		for n := range found {
			c := &found[n]
			i := slices.IndexFunc(m.c.Exclude, func(e config.Exclude) bool { return c.Path != nil && names(e, *c.Path) })
			if i >= 0 {
				m.leftOut = append(m.leftOut, leftPath{*c, m.c.Exclude[i].Reason})
			} else if !yield(c) {
				return
			}
		}
	}
}

// exclude moves drafts to Roll.Excluded, and notes the paths that were left
// out. An exclude that takes off nothing is a warning: the person who wrote it
// believes in a credential that is not there, or is there by another name; a
// campaign does not begin with it. One that means several is an
// error, because leaving out more than was meant would let a stolen credential
// live.
func (m *merger) exclude(roll *credential.Roll) ([]Warning, error) {
	var warnings []Warning
	unused := func(e config.Exclude) {
		warnings = append(warnings, takesNothing("exclude "+m.called(e)+" matches nothing on the roll", m.like(e)))
	}
	why := map[string]string{}
	for _, e := range m.c.Exclude {
		if e.Path != "" {
			if err := m.makesNoPath(e); err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(m.leftOut, func(p leftPath) bool { return names(e, *p.Path) }) && !m.isBeside(e) {
				unused(e)
			}
			continue
		}
		if e.Campaign != "" {
			for id, l := range m.drafts {
				if l.kept == e.Campaign && l.Problem != "" {
					why[id] = cmp.Or(why[id], e.Reason)
				}
			}
			continue
		}
		one, err := m.theOne("exclude account "+e.Account, e.Account)
		if err != nil {
			return nil, err
		}
		if len(one) == 0 {
			gone, known := m.wasHere(e.Account)
			if !known {
				unused(e)
			}
			if l := m.drafts[gone]; l != nil {
				why[gone] = cmp.Or(why[gone], e.Reason)
			}
		}
		for _, t := range one {
			why[t.id] = cmp.Or(why[t.id], e.Reason)
		}
	}
	var gone []leftAccount
	for id, reason := range why {
		l := m.drafts[id]
		m.complete(l)
		roll.Excluded = append(roll.Excluded, credential.Exclusion{ID: id, Name: cmp.Or(l.Name, id), Reason: reason, Found: l.Reasons, Kind: l.Kind, Hearsay: !l.told,
			Logins: l.VaultLogins(), Names: l.AccountNames(), Paths: l.Paths})
		gone = append(gone, leftAccount{l.Credential, reason, l.resets && !l.protected})
		delete(m.drafts, id)
	}
	for _, x := range append(gone, m.notePaths(roll, why)...) {
		warnings = append(warnings, m.meansLeftOut(x)...)
	}
	slices.SortFunc(roll.Excluded, func(a, b credential.Exclusion) int { return strings.Compare(a.ID, b.ID) })
	return warnings, nil
}

// takesNothing warns of an exclude. like is on the roll, and may be meant.
func takesNothing(what, like string) Warning {
	if like == "" {
		return Warning{Code: credential.FindingExcludeNothing, Detail: what + ": correct it or remove it"}
	}
	return Warning{Code: credential.FindingExcludeMistyped, Detail: what + "; " + like + " is on it: correct the exclude or remove it; `rollcall run` refuses it until then"}
}

// like is something of the roll whose name is like that of an exclude, the
// first in order; empty if nothing is.
func (m *merger) like(e config.Exclude) (found string) {
	note := func(want, name, shown string) {
		if likeName(want, name) && (found == "" || shown < found) {
			found = shown
		}
	}
	for _, l := range m.drafts {
		if e.Account != "" {
			for _, name := range append([]string{l.Name, rdnValue(l.Name)}, l.logins...) {
				note(e.Account, name, l.Name)
			}
		}
		for _, p := range l.Paths {
			if e.Path != "" {
				note(e.Path, p.String(), p.String())
				note(e.Path, p.Secret(), p.Secret())
			}
		}
	}
	return found
}

// likeName reports whether a name may be a slip for another: one or two letters
// differ, or the case. Names that are numbered are alike all the same: of those
// it is one only if the numbers are equal.
func likeName(a, b string) bool {
	a, b = fold(a), fold(b)
	if len(a) > maxLike || len(b) > maxLike || a == "" || b == "" {
		return false
	}
	if x, y := digits.ReplaceAllString(a, ""), digits.ReplaceAllString(b, ""); x == y {
		return slices.Equal(numbers(a), numbers(b))
	}
	return min(len(a), len(b)) >= 5 && profile.Distance(a, b) <= min(2, 1+len(a)/8)
}

// maxLike is how long names are that are compared.
const maxLike = 200

var digits = regexp.MustCompile(`[0-9]+`)

// numbers are those in a name, without leading zeros.
func numbers(s string) (out []string) {
	for _, n := range digits.FindAllString(s, -1) {
		out = append(out, strings.TrimLeft(n, "0"))
	}
	return out
}

// makesNoPath refuses a path that is left out and that we would write to:
// vault.adopt and vault.handover make it for an account that has none.
func (m *merger) makesNoPath(e config.Exclude) error {
	for _, l := range m.drafts {
		if l.Adopted && slices.ContainsFunc(l.Paths, func(p credential.Path) bool { return names(e, p) }) {
			return &naming{
				fmt.Errorf("exclude %s: that is where the new value of %s: %s goes, which no source gives another place: nothing was listed; exclude the account by its DN, or name a path for it in a manifest", name(e), l.Authority, l.Name),
				"an exclude names the path at which the new value of an account goes; exclude the account by its DN, or name a path for it in a manifest",
			}
		}
	}
	return nil
}

// notePaths records what was found at the paths that were left out: as the
// credential, where nothing else ties it to the device, else as the path, with
// a finding on the account that stays. It gives the accounts that are left out
// by it.
func (m *merger) notePaths(roll *credential.Roll, excluded map[string]string) (gone []leftAccount) {
	byID := map[string]*credential.Exclusion{}
	for _, p := range m.leftOut {
		x := credential.Exclusion{ID: unmatched + "/" + p.Path.String(), Name: cmp.Or(p.Account, p.Path.String()), Reason: p.reason}
		all := m.accounts(p.Candidate)
		if a := all; len(a) == 1 {
			x.ID, x.Name = p.Authority+"/"+a[0].Subject, a[0].Name
			of := m.credentialOf(p.Candidate, a[0])
			if m.lost.tasks {
				of.Names = append([]string{rdnValue(a[0].Name)}, a[0].Logins...)
			}
			x.Logins, x.Names = of.VaultLogins(), of.AccountNames()
		}
		if l := m.drafts[x.ID]; l != nil || excluded[x.ID] != "" {
			x.ID, x.Name = placeOf+p.Path.String(), p.Path.String()
			if l != nil {
				l.find(credential.FindingPathLeftOut, "%s was left out (%s): what is there is not replaced, and is refused once the account is rotated", p.Path, p.reason)
			}
		}
		for _, a := range all { // each that the name there may mean
			of := m.credentialOf(p.Candidate, a)
			if m.drafts[of.ID] == nil && excluded[of.ID] == "" {
				gone = append(gone, leftAccount{of, p.reason, a.system != nil && a.system.Resets})
			}
		}
		if byID[x.ID] == nil {
			byID[x.ID] = &credential.Exclusion{ID: x.ID, Name: x.Name, Reason: x.Reason, Kind: p.Kind, Hearsay: true}
		}
		// Two accounts at one place are one that was left out: its name is the
		// smaller.
		byID[x.ID].Name, byID[x.ID].Reason = min(byID[x.ID].Name, x.Name), min(byID[x.ID].Reason, x.Reason)
		byID[x.ID].Kind = min(byID[x.ID].Kind, p.Kind)
		byID[x.ID].Found = append(byID[x.ID].Found, p.Reason)
		if !slices.Contains(byID[x.ID].Paths, *p.Path) {
			byID[x.ID].Paths = append(byID[x.ID].Paths, *p.Path)
		}
		byID[x.ID].Hearsay = byID[x.ID].Hearsay && config.TraitsOfSource(p.Reason.Type).Hearsay
		logins := append(byID[x.ID].Logins, x.Logins...)
		slices.Sort(logins)
		byID[x.ID].Logins = slices.Compact(logins)
		byID[x.ID].Names = slices.Compact(slices.Sorted(slices.Values(append(byID[x.ID].Names, x.Names...))))
	}
	for _, x := range byID {
		found := draft{Credential: credential.Credential{Reasons: x.Found}}
		found.tidy()
		x.Found = found.Reasons
		roll.Excluded = append(roll.Excluded, *x)
	}
	return gone
}

// called is name of one that matches nothing.
func (m *merger) called(e config.Exclude) string {
	if e.Path != "" {
		return "path " + m.shownPath(e)
	}
	return name(e)
}

func name(e config.Exclude) string {
	if e.Account != "" {
		return "account " + e.Account
	}
	if e.Campaign != "" {
		return "campaign " + e.Campaign
	}
	return "path " + e.Path
}

// acceptances marks problems that a person accepted, by account: their drafts
// are rotated.
func (m *merger) acceptances() ([]Warning, error) {
	var warnings []Warning
	for _, a := range m.c.Accept {
		m.acceptUnshown(a)
		if a.Account == "" {
			continue
		}
		one, err := m.theOne("accept account "+a.Account, a.Account)
		if err != nil {
			return nil, err
		}
		used := false
		for _, t := range one {
			used = m.drafts[t.id].accept(a) || used
		}
		if !used {
			warnings = append(warnings, Warning{Code: credential.FindingExcludeUnused, Detail: fmt.Sprintf("accept account %s: nothing on the roll has the problem %s by that name: correct it or remove it", a.Account, a.Problem)})
		}
	}
	return warnings, nil
}

// acceptUnshown marks the drafts of a directory of which a person said that no
// account is barred, or checked elsewhere, by a userPassword that bind.dn may
// not read.
func (m *merger) acceptUnshown(a config.Accept) {
	if !a.Accepts(a.Directory, credential.FindingStorageHidden) {
		return
	}
	for _, d := range m.drafts {
		if d.Authority == a.Directory && !slices.Contains(d.Accepted, credential.PasswordHidden) {
			d.Accepted = append(d.Accepted, credential.PasswordHidden)
		}
	}
}

// isBeside reports whether an exclude takes off a field beside one that is on
// the roll: it is on no credential by itself.
func (m *merger) isBeside(e config.Exclude) bool {
	p, err := credential.ParsePath(e.Path)
	if err != nil {
		return false
	}
	for at, fields := range m.lost.rows {
		if p.Mount+"/"+p.Path == at.mount+"/"+at.path && !slices.Contains(fields, p.Field) {
			return true
		}
	}
	for _, l := range m.drafts {
		for _, q := range l.Paths {
			if p.Mount+"/"+p.Path == q.Mount+"/"+q.Path {
				return true
			}
		}
	}
	return false
}
