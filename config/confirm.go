package config

import (
	"fmt"
	"math"
	"time"

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
	// Written is when Vault wrote that version, to the second at least: a
	// secret that was deleted and made anew counts its versions from 1 again. A
	// word with a version and without it counts for nothing.
	Written time.Time `json:"written,omitzero"`
	// Only: the account has no other places than those that the file and a
	// person's lists name.
	Only bool `json:"only,omitempty"`
	// New: the secret is not there yet, and is to be made. Where one is there
	// all the same, this says nothing of whose it is.
	New    bool   `json:"new,omitempty"`
	Reason string `json:"reason"`
}

func (l *loader) confirm(top fields) []Confirm {
	var out []Confirm
	for i, n := range top.list("confirm") {
		f := l.mapping(n, fmt.Sprintf("confirm[%d]", i), "account", "path", "version", "written", "only", "new", "reason")
		if n.Kind != yaml.MappingNode {
			continue
		}
		c := Confirm{
			Account: f.required("account", "the account whose password the path holds: DN, immutable id, uid or sAMAccountName, or mount/name of a login to Vault (approle/esg-01)"),
			Version: f.integer("version", 0, 1, math.MaxInt32),
			Written: f.past("written"),
			Only:    f.boolean("only"),
			New:     f.boolean("new"),
			Reason:  f.required("reason", "say who looked at it, and how the path is known to be this account's"),
		}
		if !f.has("path") {
			f.problem("path", "missing: the path in Vault that is this account's, mount/path#field")
		} else {
			c.Path = f.reference("path", "a Vault reference: mount/path#field")
		}
		if c.New && c.Version > 0 {
			f.problem("new", "cannot stand beside version: a secret that is not there yet has none; say one of the two")
		}
		if f.has("written") && c.Version == 0 {
			f.problem("written", "goes with version: it is the created_time of that version (vault kv metadata get)")
		}
		out = append(out, c)
	}
	return out
}
