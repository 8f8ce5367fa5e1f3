package inventory

import (
	"slices"

	"rollcall/config"
	"rollcall/internal/credential"
)

// hinder marks a draft whose account cannot be rotated as it is listed.
func (d *draft) hinder(a Account) {
	for _, p := range a.facts.problems() {
		d.find(credential.FindingCode(p.code), "%s", p.detail)
		if !slices.Contains(d.problems, p.code) {
			d.problems = append(d.problems, p.code)
		}
	}
	d.nameProblem()
}

// nameProblem takes the first problem that nobody accepted.
func (d *draft) nameProblem() {
	d.Problem = ""
	if len(d.problems) > 0 {
		d.Problem = d.problems[0]
	}
}

// accept takes a problem off the draft. What it is stays a finding, with the
// name of nobody: the campaign file is whoever's who started it.
func (d *draft) accept(a config.Accept) bool {
	// The one is seen by the look at what its paths hold, the other by the read
	// that precedes Set.
	if a.Problem == credential.CopyBeside || a.Problem == credential.PointsAtDevice || a.Problem == credential.LeadsElsewhere || a.Problem == credential.ForcedChange || a.Problem == credential.PasswordHidden {
		d.Accepted = append(d.Accepted, a.Problem)
		return true
	}
	if a.Problem == credential.PerhapsIts && len(d.maybe) > 0 {
		d.Accepted = append(d.Accepted, a.Problem)
		d.find(credential.FindingPlace, "what may be its path is not, by the campaign file: %s", a.Reason)
		return true
	}
	if a.Problem == credential.OnlyInLogs && d.onlyLogged() {
		d.Accepted, d.told = append(d.Accepted, a.Problem), true
		d.find(credential.FindingOnlyInLogs, "accepted by the campaign file: %s", a.Reason)
		return true
	}
	if login := d.Kind.Traits().Login; a.Problem == credential.SharedRole && login != nil && login.SecretIDs {
		d.Accepted = append(d.Accepted, a.Problem) // seen when its secret-ids are looked at
		d.find(credential.FindingSharedRole, "accepted by the campaign file: %s", a.Reason)
		return true
	}
	i := slices.Index(d.problems, a.Problem)
	if i < 0 {
		return false
	}
	d.problems = slices.Delete(d.problems, i, i+1)
	d.Accepted = append(d.Accepted, a.Problem)
	d.find(credential.FindingCode(a.Problem), "accepted by the campaign file: %s", a.Reason)
	d.nameProblem()
	return true
}

// unfound marks a draft that no account was found for. Several sources may say
// different things of it: the one that knows most decides, whatever came first.
func (d *draft) unfound(c Candidate, holder string) {
	p := credential.NoAccount
	switch {
	case c.Account == "":
		p = credential.NoOwner
	case holder != "":
		p = credential.BehindReferral
	}
	order := []credential.Problem{"", credential.NoOwner, credential.NoAccount, credential.BehindReferral}
	if slices.Index(order, p) > slices.Index(order, d.Problem) && slices.Contains(order, d.Problem) {
		d.Problem = p
	}
}

// preferAccounts drops what is no account from entries that one reference
// means: an alias commonly bears the name of the account it stands for, and a
// group the address of a person.
func preferAccounts(list []Account) []Account {
	if len(list) < 2 {
		return list
	}
	var real []Account
	for _, a := range list {
		if p := a.facts.problems(); len(p) == 0 || p[0].code != credential.IsAlias && p[0].code != credential.NotAnAccount {
			real = append(real, a)
		}
	}
	if len(real) == 0 {
		return list
	}
	return real
}
