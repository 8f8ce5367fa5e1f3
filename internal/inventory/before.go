package inventory

import (
	"context"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
)

// namesBefore puts on a credential by which of the account's names a value at
// one of its paths begins: of "svc:x" the part behind it is the secret, if the
// account accepts that.
func (l *lister) namesBefore(ctx context.Context, c *credential.Credential, h *held) error {
	if len(h.before) == 0 {
		return nil
	}
	l.namesOnce.Do(l.nameAccounts)
	alias, err := l.aliasOf(ctx, c)
	if err != nil {
		return err
	}
	for _, written := range h.before {
		if written != alias && !slices.ContainsFunc(l.names[c.ID], func(name string) bool { return callsBy(written, name) }) {
			continue
		}
		h.more = ""
		if !slices.Contains(c.Users, written) {
			c.Users = append(c.Users, written)
		}
	}
	slices.SortFunc(c.Users, func(a, b string) int { return len(b) - len(a) }) // a DN before its beginning
	return nil
}

// aliasOf is by what a login to Vault is known there besides its name: an
// AppRole's role-id, which consumers give with the secret-id. Empty where it
// has none, or it may not be read.
func (l *lister) aliasOf(ctx context.Context, c *credential.Credential) (string, error) {
	mount, name, ok := cutRole(c.Subject)
	if !ok || !c.Kind.OpensVault() {
		return "", nil
	}
	alias, _, err := (&preview{api: l.vault.API()}).alias(ctx, c.Kind, mount, name)
	return alias, err
}

// callsBy reports whether a text means an account of that name: as it is, in a
// domain (DOMAIN\name), or at one (name@domain).
func callsBy(text, name string) bool {
	_, short, _ := strings.Cut(text, `\`)
	local, _, at := strings.Cut(text, "@")
	return strings.EqualFold(text, name) || short != "" && strings.EqualFold(short, name) || at && strings.EqualFold(local, name)
}

// nameAccounts gathers what the accounts that were found are called, by
// credential id.
func (l *lister) nameAccounts() {
	l.names = map[string][]string{}
	add := func(authority string, a Account) {
		names := append([]string{a.Name, a.Short}, a.Logins...)
		if a.facts != nil {
			names = append(names, a.facts.principal)
		}
		if dn, err := ldap.ParseDN(a.Name); err == nil && len(dn.RDNs) > 1 {
			for _, part := range dn.RDNs[0].Attributes {
				names = append(names, part.Value)
			}
		}
		id := authority + "/" + a.Subject
		l.names[id] = append(l.names[id], slices.DeleteFunc(names, func(n string) bool { return n == "" })...)
	}
	for ref, found := range l.known {
		for _, a := range found {
			add(ref.authority, a)
		}
	}
	for _, c := range l.candidates {
		if c.Found != nil {
			add(c.Authority, *c.Found)
		}
	}
}
