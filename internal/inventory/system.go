package inventory

import (
	"context"
	"fmt"
	"slices"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// lookUpAccounts resolves references at an authority that is neither a
// directory nor Vault: it knows itself what its accounts are called.
func (l *lister) lookUpAccounts(ctx context.Context, name string, refs []mention, known accounts) error {
	texts := make([]string, 0, len(refs))
	for _, r := range refs {
		texts = append(texts, r.text)
	}
	found, err := l.systems[name].Find(ctx, texts)
	if err != nil {
		return fmt.Errorf("looking up %s of %s: %w; the listing was given up and nothing was changed: check that the server answers and what Rollcall's login may read there (rollcall doctor), then list again",
			plural.Count(len(refs), "account", "accounts"), l.c.Called(name), err)
	}
	for _, r := range refs {
		for _, a := range found[r.text] {
			at := reference{name, r.key}
			known[at] = addAccount(known[at], Account{Subject: a.Subject, Name: a.Name, Short: a.Short, Logins: a.Names, system: &a})
		}
	}
	return nil
}

// fromSystem takes over what the authority says of the account.
func (d *draft) fromSystem(a *authority.Account) {
	if a == nil {
		return
	}
	d.findings = append(d.findings, a.Findings...)
	d.resets = d.resets || a.Resets
	for _, p := range a.Problems {
		d.find(credential.FindingCode(p.Code), "%s", p.Detail)
		if !slices.Contains(d.problems, p.Code) {
			d.problems = append(d.problems, p.Code)
		}
	}
	d.nameProblem()
}
