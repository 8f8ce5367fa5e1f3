package inventory

import (
	"fmt"
	"slices"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// leftAccount is one that a person leaves out, by its name, by its path, or as
// what a campaign left.
type leftAccount struct {
	credential.Credential
	reason string
	resets bool // it may reset others, by what its servers show
}

// credentialOf is as whom a candidate finds an account.
func (m *merger) credentialOf(c Candidate, a Account) credential.Credential {
	id := c.Authority + "/" + a.Subject
	return credential.Credential{ID: id, Kind: c.Kind, Authority: c.Authority, Subject: a.Subject, Name: a.Name, Reasons: []credential.Reason{c.Reason}, Logins: m.lost.logins[id]}
}

// meansLeftOut says what it means for the others that an account is left out,
// whichever way it was. Nobody asks what a login that is not on the roll could
// read (internal/reach), and nothing waits for what may read or reset others
// there. What is found as Rollcall's own, or for its name alone, nobody stole.
func (m *merger) meansLeftOut(x leftAccount) (out []Warning) {
	stolen := func(but ...string) bool {
		return slices.ContainsFunc(x.Reasons, func(r credential.Reason) bool { return !slices.Contains(but, r.Type) })
	}
	if x.ReachesVault() && stolen(ownSource, nameSource) {
		out = append(out, Warning{Code: credential.FindingLoginExcluded, Detail: fmt.Sprintf("%s is a login to Vault and is left out (%s): whoever stole it, and its tokens, may read what is set; "+
			"that it does not is the word of whoever excluded it and is not checked: take the exclude out and rotate it, or, if the device never had it, have no source list it", x.Name, x.reason)})
	}
	if m.readsOthers(&x.Credential) && stolen(ownSource) {
		out = append(out, acceptable(m.c, x.Authority, Warning{Code: credential.FindingReadsOthers, Detail: fmt.Sprintf("%s may %s, and is left out (%s): whoever stole it has each new one there; take that right from it, or take the exclude out and rotate it first",
			x.Name, m.readsHow(&x.Credential), x.reason)}))
	}
	if n := m.mayReset(x); n > 0 && stolen(ownSource, nameSource) {
		out = append(out, Warning{Code: credential.FindingResetsOthers, Detail: fmt.Sprintf("%s may set the passwords of %s of the roll, and is left out (%s): whoever stole it may set them again, to what he knows; take that right from it, or take the exclude out and rotate it first",
			x.Name, plural.Count(n, "other account", "other accounts"), x.reason)})
	}
	return out
}

// mayReset is how many of the accounts that stay on the roll it may reset.
func (m *merger) mayReset(x leftAccount) (n int) {
	at := map[string]bool{}
	for id, l := range m.drafts {
		if l.Authority == x.Authority && l.Subject != "" && id != x.ID {
			at[l.Subject] = true
		}
	}
	if x.resets || m.lost.around[x.Authority].Resets[x.Subject] != "" {
		return len(at) // a role of a cluster: which of them is not said
	}
	for _, alike := range m.lost.resets[x.Authority].Alike {
		if !slices.Contains(alike.By, x.Subject) {
			continue
		}
		for _, id := range alike.Accounts {
			if at[id] {
				delete(at, id)
				n++
			}
		}
	}
	return n
}
