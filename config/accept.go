package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/credential"
)

// Accept is what a person takes upon himself, by name and with a reason: a problem of one account,
// which is then rotated all the same, or that a source finds nothing. Exactly one of
// Account and Source is set; Problem goes with Account.
type Accept struct {
	Account string             `json:"account,omitempty"` // as in Exclude
	Problem credential.Problem `json:"problem,omitempty"`
	Source  string             `json:"source,omitempty"` // its name
	Reason  string             `json:"reason"`
}

// acceptable are the problems that an account may be rotated with.
var acceptable = []string{string(credential.SecondCopy), string(credential.HasKeytab)}

func (l *loader) accept(top fields, c *Campaign) []Accept {
	var out []Accept
	for i, n := range top.list("accept") {
		f := l.mapping(n, fmt.Sprintf("accept[%d]", i), "account", "problem", "source", "reason")
		if n.Kind != yaml.MappingNode {
			continue
		}
		a := Accept{Account: f.str("account"), Source: f.str("source"), Reason: f.required("reason", "say who looked at it, and why it may go on")}
		switch {
		case f.has("account") == f.has("source"):
			l.problem(n.Line, "%s: needs either account (with problem) or source", f.where)
		case f.has("account"):
			if a.Account == "" {
				f.problem("account", "must name an account: DN, immutable id, uid or sAMAccountName")
			}
			if !f.has("problem") {
				f.problem("problem", "missing: one of %s", strings.Join(acceptable, ", "))
			}
			a.Problem = credential.Problem(f.oneOf("problem", "", acceptable))
		default:
			if f.has("problem") {
				f.problem("problem", "goes with account; what is accepted of a source is that it finds nothing")
			}
			if !c.hasSource(a.Source) {
				f.problem("source", "no source is called %s", shown(a.Source))
			}
		}
		out = append(out, a)
	}
	return out
}
