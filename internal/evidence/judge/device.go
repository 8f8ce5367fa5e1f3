package judge

import (
	"cmp"
	"slices"
	"strings"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/taken"
)

// head says what a result is of.
func (j *Judge) head() taken.Head {
	h := taken.Head{Layout: taken.Layout, Device: j.o.DeviceName, Campaign: j.o.Campaign, Addresses: []string{}, ReadAt: j.o.Now.UTC()}
	for _, p := range j.o.Device {
		h.Addresses = append(h.Addresses, p.String())
	}
	return h
}

// mostSpelled ways to write one account are kept apart: what two of them mean
// only the authority can say (svc@a and svc@b).
const mostSpelled = 8

// spell keeps how an account is written that the device used.
func (g *group) spell(account string) {
	switch {
	case account == "" || slices.Contains(g.spelled, account):
	case len(g.spelled) < mostSpelled:
		g.spelled = append(g.spelled, strings.Clone(account))
	default:
		g.moreSpelled = true
	}
}

// sameAccount is what makes two entries one.
type sameAccount struct {
	authority  string
	form       event.Form
	account    string
	credential string
}

// fromDevice is who logged in from the device: what is on the roll by a login
// that was let in alone, for that it is tried is no news of it.
func (j *Judge) fromDevice() []taken.Account {
	best := map[sameAccount]taken.Account{}
	for k, g := range j.seen {
		if g.place != device || k.change != "" || len(g.seen) == 0 || k.outcome == event.Failed || k.outcome.NoUse() {
			continue
		}
		of := taken.Account{Authority: k.authority, Form: k.account.form, Outcome: k.outcome, Address: k.address.String(), Count: g.Count,
			First: g.First.UTC(), Last: g.Last.UTC(), At: g.seen[0].Place, More: g.moreSpelled,
			NameOnly: k.named && k.address.IsValid() && !g.clear}
		if k.crowd.on || !k.address.IsValid() { // of several addresses, or none
			of.Address, of.Client = g.seen[0].Address, g.seen[0].Client
		}
		grade, rule := notOnRoll(k)
		if !g.clear {
			grade, of.Doubts = grade.lower(), slices.Sorted(slices.Values(g.doubts))
		}
		of.Grade, of.Rule = string(grade), rule
		spelled := g.spelled
		if k.credential >= 0 && !k.perhaps {
			c := j.o.Credentials[k.credential]
			if !k.outcome.Right() {
				continue
			}
			of.Authority, of.Credential, of.Form, of.More = c.Authority, c.ID, event.Other, false
			spelled = []string{c.Name}
		} else if k.perhaps { // of a domain that may be another one
			of.Authority, of.Form = j.o.Credentials[k.credential].Authority, event.Login
		} else {
			of.Masked = !g.whole && !k.outcome.Right()
		}
		for _, account := range spelled {
			of.Account = account
			key := sameAccount{of.Authority, of.Form, account, of.Credential}
			if had, ok := best[key]; ok {
				best[key] = with(had, of)
			} else {
				best[key] = of
			}
		}
	}
	out := make([]taken.Account, 0, len(best))
	for _, of := range best {
		out = append(out, of)
	}
	slices.SortFunc(out, func(a, b taken.Account) int {
		return cmp.Or(a.Rank()-b.Rank(), a.First.Compare(b.First), strings.Compare(a.Authority, b.Authority), strings.Compare(string(a.Form), string(b.Form)),
			strings.Compare(a.Account, b.Account), strings.Compare(a.Credential, b.Credential))
	})
	return out
}

// with joins two entries of one account: the one that bears further, with the
// counts of both where both ended alike.
func with(f, other taken.Account) taken.Account {
	if c := cmp.Or(other.Rank()-f.Rank(), other.First.Compare(f.First), strings.Compare(other.Address, f.Address), strings.Compare(other.At.File, f.At.File), other.At.Line-f.At.Line); c < 0 {
		f, other = other, f
	}
	f.More = f.More || other.More
	if !other.Outcome.Bad() { // what was refused is no use by the device
		f.NameOnly = f.NameOnly && other.NameOnly
	}
	if f.Outcome == other.Outcome {
		f.Count += other.Count
		if other.Last.After(f.Last) {
			f.Last = other.Last
		}
	}
	return f
}
