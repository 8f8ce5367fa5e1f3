package config

import "strings"

// defaultSymbols mean nothing of their own in shells, LDAP filters, and files
// of settings: "%" begins a reference in INI files (Python's configparser) and
// systemd's units, "~", "^" and "=" are operators in PHP's INI files, "@" ends
// the user's part of a URL, and "+" is a blank in its query.
const defaultSymbols = "-_."

func (l *loader) passwordPolicy(f fields) PasswordPolicy {
	n := f.vals["password"]
	if l.refused[n] {
		return PasswordPolicy{}
	}
	p := l.mapping(n, f.at("password"), "vault_policy", "length", "symbols", "no_symbols")
	pol := PasswordPolicy{VaultPolicy: p.str("vault_policy"), NoSymbols: p.boolean("no_symbols")}
	if p.has("vault_policy") {
		for _, k := range []string{"length", "symbols", "no_symbols"} {
			if p.has(k) {
				p.problem(k, "not allowed beside vault_policy, which decides it")
			}
		}
		if pol.VaultPolicy != "" && !nameForm.MatchString(pol.VaultPolicy) {
			p.problem("vault_policy", nameRule)
		}
		return pol
	}
	pol.Length = p.integer("length", 32, 16, 128)
	if !pol.NoSymbols {
		pol.Symbols = defaultSymbols
	}
	s, ok := p.scalar("symbols")
	switch {
	case !ok:
	case pol.NoSymbols:
		p.problem("symbols", "contradicts no_symbols: keep one of them")
	case s == "":
		p.problem("symbols", "is empty; for values without symbols write no_symbols: true")
	case !allSymbols(s):
		p.problem("symbols", "may hold each ASCII symbol once, no letters, digits or spaces")
	default:
		pol.Symbols = s
	}
	return pol
}

func allSymbols(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if r <= ' ' || r > '~' || letter || strings.ContainsRune(s[:i], r) {
			return false
		}
	}
	return true
}
