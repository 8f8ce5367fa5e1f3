package inventory

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// UsedByVault are the accounts of one authority with which Vault itself works
// now, by credential id, and why a rotation from here would do harm. The
// listing asks which accounts of the roll they are; here it is asked the other
// way round, and so takes as few calls as Vault has such places, however long
// the roll is. What our login may not read is left out: the listing says so.
func UsedByVault(ctx context.Context, c *config.Campaign, at Authorities, v Vault, authority string) (map[string][]credential.Problem, error) {
	l := newLister(ctx, c, at, v)
	defer l.end()
	ctx, l.only, l.tokens = l.ctx, authority, nil
	err := l.eachLDAPMount(ctx, func(*authMount, map[string]any) error { return nil })
	if err == nil {
		err = l.engineUses(ctx)
	}
	if err == nil {
		err = l.keptByEngines(ctx)
	}
	if err != nil {
		return nil, notLookedAt(err)
	}
	out, uses := map[string][]credential.Problem{}, indexUses(l.uses)
	note := func(a Account) error {
		id := authority + "/" + a.Subject
		for _, u := range uses.of(authority, a) {
			if !slices.Contains(out[id], u.problem()) {
				out[id] = append(out[id], u.problem())
			}
		}
		return nil
	}
	return out, l.eachUsed(ctx, note)
}

// notLookedAt words an error of Vault where no text of its may go: it names
// paths, and paths name accounts.
func notLookedAt(err error) error {
	const op = "look at which accounts Vault itself works with"
	err = vault.Refusal(credential.VaultAuthority, op, err)
	var stop *protocol.Stop
	var at *atDirectory
	if errors.As(err, &at) {
		return at.error
	}
	if errors.Is(err, context.Canceled) || errors.As(err, &stop) {
		return err
	}
	return &protocol.Stop{Reason: protocol.ReasonVault, Server: credential.VaultAuthority, Detail: op + ": Vault does not answer, or not as expected; nothing was changed"}
}

// concerns reports whether any of those authorities matters.
func (l *lister) concerns(authorities map[string][]string) bool {
	_, named := authorities[l.only]
	return l.only == "" || named
}

// eachUsed looks up the accounts that Vault's places may name.
func (l *lister) eachUsed(ctx context.Context, each func(Account) error) error {
	d := l.dirs[l.only]
	if d == nil {
		return l.eachUsedRole(ctx, each)
	}
	f := l.driver(l.only)
	var clauses []string
	for _, u := range l.uses {
		if l.concerns(u.in) {
			for _, name := range u.names {
				clauses = append(clauses, f.mayMean(u, name)...)
			}
		}
	}
	slices.Sort(clauses)
	for part := range slices.Chunk(slices.Compact(clauses), perSearch) {
		_, err := d.Find(ctx, d.Servers()[0], l.c.Directories[l.only].Base, "(|"+strings.Join(part, "")+")", f.read, func(e directory.Entry) error {
			a, err := f.accountOf(e)
			if err != nil {
				return err
			}
			return each(a)
		})
		if err != nil {
			return l.lookupError(l.only, len(part), err)
		}
	}
	return nil
}

// eachUsedRole does so at an authority that is no directory.
func (l *lister) eachUsedRole(ctx context.Context, each func(Account) error) error {
	var names []string
	for _, u := range l.uses {
		if l.concerns(u.in) {
			names = append(names, u.names...)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if l.systems[l.only] == nil || len(names) == 0 {
		return nil
	}
	found, err := l.systems[l.only].Find(ctx, names)
	if err != nil {
		return err
	}
	for _, several := range found {
		for _, a := range several {
			if err := each(Account{Subject: a.Subject, Name: a.Name, system: &a}); err != nil {
				return err
			}
		}
	}
	return nil
}

// mayMean are filters that find whatever account a name is (vaultUse.is), and
// perhaps others.
func (d driver) mayMean(u vaultUse, name string) []string {
	if isDN(name) {
		dn, _ := ldap.ParseDN(name) // isDN saw that it parses
		first := dn.RDNs[0].Attributes[0]
		return []string{"(" + first.Type + "=" + ldap.EscapeFilter(first.Value) + ")"}
	}
	if !d.domains && !u.keeps() {
		return nil // only a DN binds
	}
	whole, short := ldap.EscapeFilter(name), ldap.EscapeFilter(loginOf(name))
	out := []string{"(" + d.login + "=" + whole + ")"}
	if d.domains {
		out = append(out, "(userPrincipalName="+whole+")", "("+d.login+"="+short+")")
	}
	if u.keeps() {
		out = append(out, "(cn="+whole+")")
		if u.attr != "" {
			out = append(out, "("+u.attr+"="+whole+")")
		}
	}
	return out
}
