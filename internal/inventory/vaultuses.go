package inventory

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"rollcall/internal/credential"
	"rollcall/internal/paste"
)

// vaultUse is an account with which Vault itself works at an authority: it
// binds with it, or a secrets engine of Vault keeps its password.
//
// Vault's own login is kept in a configuration where nobody reads it and
// Rollcall may not write: every login of an auth mount goes through it, and so
// does what a secrets engine does. A password that is kept Vault sets itself,
// and gives to whoever asks there: nobody else may write what it gives.
type vaultUse struct {
	at    string              // the place in Vault that says so
	names []string            // of the account, as they are there: a DN, or any name that logs in
	in    map[string][]string // the authorities where it may be

	// rotate is how a person has Vault set another password; empty where Vault
	// does not keep it but binds with it.
	rotate string
	attr   string // by which the engine looks for accounts

	// write is what a person writes at the place after a rotation, where Vault
	// binds; empty: bindpass.
	write string
	// by is the authority that binds with it elsewhere, where that is not
	// Vault, and mend what a person does there after a rotation.
	by, mend string
	// unsure is the question where the place may be about another authority's
	// account of that name; empty: it is about this one.
	unsure string
}

func (u vaultUse) keeps() bool { return u.rotate != "" }

func (u vaultUse) problem() credential.Problem {
	switch {
	case u.by != "":
		return credential.KeptElsewhere
	case u.keeps():
		return credential.KeptByVault
	}
	return credential.VaultsBind
}

// is reports whether the account is the one that is meant.
func (u vaultUse) is(authority string, a Account) bool {
	if _, asked := u.in[authority]; !asked {
		return false
	}
	if a.system != nil {
		return slices.Contains(u.names, a.system.Name)
	}
	if a.facts == nil {
		return false
	}
	return slices.ContainsFunc(u.names, func(name string) bool {
		return a.bindsAs(name) || u.keeps() && a.calledBy(u.attr, name)
	})
}

// bindsAs reports whether a bind by a name is one of the account: by its DN,
// and in a domain by any name that logs in.
func (a Account) bindsAs(name string) bool {
	if dnKey(a.Name) == dnKey(name) {
		return true
	}
	if !a.facts.domains || strings.Contains(name, "=") {
		return false
	}
	if fold(name) == fold(a.facts.principal) {
		return true
	}
	short := loginOf(name)
	return slices.ContainsFunc(a.facts.login, func(login string) bool { return fold(login) == fold(short) })
}

// loginOf is the login in a name that binds to a domain: DOMAIN\login, or
// login@domain, which a domain takes besides the principal that is stored.
func loginOf(name string) string {
	if _, short, ok := strings.Cut(name, `\`); ok {
		name = short
	}
	name, _, _ = strings.Cut(name, "@")
	return name
}

// calledBy reports whether consumers log in as the account by a name, for an
// entry that was moved since has another DN.
func (a Account) calledBy(attr, name string) bool {
	have := slices.Concat(a.facts.login, a.facts.named[attr], []string{a.facts.principal}, rdnOf(a.Name))
	return slices.ContainsFunc(have, func(h string) bool { return fold(h) == fold(name) })
}

// rdnOf are the values of the leading RDN of a DN, without its escapes: a
// comma or a plus may be part of one (RFC 4514).
func rdnOf(dn string) (values []string) {
	parsed, err := ldap.ParseDN(dn)
	if err != nil || len(parsed.RDNs) == 0 {
		return nil
	}
	for _, a := range parsed.RDNs[0].Attributes {
		values = append(values, a.Value)
	}
	return values
}

// told says what a rotation from here would do.
func (u vaultUse) told() string {
	if u.by != "" {
		return fmt.Sprintf("%s itself binds with it elsewhere (%s): from its new password on whatever goes through there is refused, everybody's logins among it. "+
			"Give it an account of its own there, that the device never had, and list again; or accept it by name, and right after the rotation: %s", u.by, u.at, u.mend) + u.unsure
	}
	if u.keeps() {
		return fmt.Sprintf("Vault itself keeps its password (%s), sets it at its own times, and gives it to whoever asks there: after a reset from here it would go on giving the old one, and its next own reset would cut off what reads the new one elsewhere. "+
			"Rotate it there: %s; then exclude it, or accept it if nothing reads it there any more", u.at, u.rotate) + u.unsure
	}
	field, write := "binddn", "bindpass=…"
	if u.write != "" {
		field, write = "username", u.write
	}
	return fmt.Sprintf("Vault itself binds with it (%s of %s): from its new password on every login or request there fails until Vault has it too. "+
		"Give Vault an account of its own, that the device never had, and list again; or accept it, and right after the rotation: vault write %s %s (the path of the account in Vault holds it)", field, u.at, paste.Shell(u.at), write) + u.unsure
}

// usedByVault marks a draft whose account Vault itself works with.
func (d *draft) usedByVault(uses []vaultUse) {
	for _, u := range uses {
		p, detail := u.problem(), u.told()
		if !slices.ContainsFunc(d.findings, func(f credential.Finding) bool { return f.Detail == detail }) {
			d.find(credential.FindingCode(p), "%s", detail)
		}
		if !slices.Contains(d.problems, p) {
			d.problems = append(d.problems, p)
		}
		d.nameProblem()
	}
}
