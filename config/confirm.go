package config

import (
	"fmt"
	"math"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/credential"
)

// Confirm is a person's answer to the question whose a path in Vault is: the
// new value of the account is written there, although the account refuses what
// the path holds.
type Confirm struct {
	Account string          `json:"account"` // as in Exclude
	Path    credential.Path `json:"path"`
	// Version of the secret that the person looked at: the word is for what
	// that one holds, and for no later one. 0: for what is there when it is
	// first used.
	Version int `json:"version,omitempty"`
	// Only: the account has no other places than those that the file and a
	// person's lists name.
	Only   bool   `json:"only,omitempty"`
	Reason string `json:"reason"`
}

func (l *loader) confirm(top fields) []Confirm {
	var out []Confirm
	for i, n := range top.list("confirm") {
		f := l.mapping(n, fmt.Sprintf("confirm[%d]", i), "account", "path", "version", "only", "reason")
		if n.Kind != yaml.MappingNode {
			continue
		}
		c := Confirm{
			Account: f.required("account", "the account whose password the path holds: DN, immutable id, uid or sAMAccountName, or mount/name of a login to Vault (approle/esg-01)"),
			Version: f.integer("version", 0, 1, math.MaxInt32),
			Only:    f.boolean("only"),
			Reason:  f.required("reason", "say who looked at it, and how the path is known to be this account's"),
		}
		if !f.has("path") {
			f.problem("path", "missing: the path in Vault that is this account's, mount/path#field")
		} else {
			c.Path = f.reference("path", "a Vault reference: mount/path#field")
		}
		out = append(out, c)
	}
	return out
}
