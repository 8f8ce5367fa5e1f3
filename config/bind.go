package config

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/credential"
)

// binds reads the identity with which the worker logs in to a directory, or a
// list of the two that can reset each other.
func (l *loader) binds(f fields, d *Directory) {
	n := f.vals["bind"]
	switch {
	case n == nil:
		f.problem("bind", "missing: the identity with which the worker resets passwords, as dn and password (a Vault reference), or a list of two of them that can reset each other")
		return
	case n.Kind != yaml.SequenceNode:
		d.Bind, _ = l.bind(n, f.at("bind"))
		return
	case len(n.Content) != 2:
		f.problem("bind", "is a list of %d; it must name exactly two identities, which can reset each other; for a single one write dn and password without a list", len(n.Content))
		return
	}
	var first, second bool
	d.Bind, first = l.bind(n.Content[0], f.at("bind")+"[0]")
	d.Partner, second = l.bind(n.Content[1], f.at("bind")+"[1]")
	if !first || !second {
		return
	}
	at := fmt.Sprintf("%s[1]", f.at("bind"))
	line := n.Content[1].Line
	if below(d.Partner.DN, d.Bind.DN) && below(d.Bind.DN, d.Partner.DN) {
		l.problem(line, "%s: is the same identity as the one on line %d; an identity cannot reset itself", at, n.Content[0].Line)
	}
	if d.Partner.Password == d.Bind.Password {
		l.problem(line, "%s: has its password in the same place as the one on line %d, which can hold the value of one", at, n.Content[0].Line)
	}
}

// bind reads one identity. complete is false if a part is missing or was
// refused.
func (l *loader) bind(n *yaml.Node, where string) (b Bind, complete bool) {
	f := l.mapping(n, where, "dn", "password")
	if n.Kind == yaml.MappingNode {
		b.DN = f.dn("dn", "the DN with which the worker binds")
		b.Password = f.reference("password", "where Vault holds the bind password, as mount/path#field")
	}
	return b, b.DN != "" && b.Password != credential.Path{}
}
