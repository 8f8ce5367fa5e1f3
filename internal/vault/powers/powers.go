// Package powers reads in the text of Vault's policies which of their rules are
// worth more than they say: whoever has one can give himself, or a login that
// he makes, other rights than the policy gives, or have values shown that pass
// through Vault.
//
// Vault's own answer about a path (sys/capabilities) does not do for this: a
// rule may name one role, one user or one policy exactly, and nobody can ask
// about every name that there may be.
//
// A rule with a wildcard counts if any such place fits it, whatever a narrower
// rule denies there. One that reads everything is nothing more than it says.
package powers

import (
	"fmt"
	"slices"
	"strings"

	parser "github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
)

// What a power is over.
type What string

// Powers, in the words of a reason.
const (
	Logins   What = "it may make or change roles, users, groups or the configuration of an auth mount, their secret-ids and passwords among them, and so be another login"
	Tokens   What = "it may make tokens with other policies than its own (auth/token/)"
	Policies What = "it may write a policy, and so give itself any right"
	Identity What = "it may write entities, groups or their aliases (identity/), and so give itself any policy"
	Methods  What = "it may write auth mounts (sys/auth/), and so make itself a login with any policy"
	Mounts   What = "it may write or move mounts (sys/mounts/, sys/remount), and so have a secret where it may read"
	Audit    What = "it may write audit devices (sys/audit/), to which Vault then shows each new value as it is written (log_raw)"
	Storage  What = "it may read or write Vault's storage (sys/raw/, sys/storage/)"
	Sync     What = "it may have Vault push secrets to another store (sys/sync/), and so each new value to one of its own"
	System   What = "it may write to what Vault itself is run with (sys/): plugins, namespaces, replication, its configuration, or new keys"
)

// Power is a rule of a policy that is worth more than it says.
type Power struct {
	Path string // as the policy has it
	What What
}

// Exact reports whether the rule is about one path alone.
func (p Power) Exact() bool {
	return !strings.ContainsAny(p.Path, "+*") && !strings.Contains(p.Path, "{{")
}

// Lasts reports whether what was made with the power lives on without it.
func (p Power) Lasts() bool { return p.What != Mounts && p.What != Storage }

// place is what a rule may be about: "+" stands for any segment, "#" for one
// and more, and "*" at the end for any further ones or none.
type place struct {
	path string
	what What
	// by are the capabilities of which one is enough; nil: those that write.
	by []string
}

var writes = []string{"create", "update", "patch"}

// Auth methods: https://developer.hashicorp.com/vault/api-docs/auth; below
// sys/: …/api-docs/system. A token from auth/token/create has no more policies
// than the one it is made with, unless that may go against it (sudo).
//
// The first that fits names the power.
var places = slices.Concat(
	[]place{
		{"auth/token/create", Tokens, []string{"sudo"}},
		{"auth/token/create-orphan", Tokens, []string{"sudo"}},
		{"auth/token/create/+", Tokens, nil},
		{"auth/token/roles/+", Tokens, nil},
	},
	below("auth/#/", Logins, "role/+", "roles/+", "user/+", "users/+", "group/+", "groups/+", "map/+", "certs/+", "crls/+", "config"),
	below("sys/", Policies, "policies/+/+", "policy/+"),
	below("identity/", Identity, "entity", "entity-alias", "group", "group-alias", "alias", "persona", "mfa", "oidc/key", "oidc/role", "oidc/config"),
	below("sys/", Methods, "auth/+"),
	below("sys/", Audit, "audit/+"),
	below("sys/", Mounts, "mounts/+", "remount"),
	[]place{
		{"sys/storage/raft/snapshot", Storage, []string{"read", "create", "update", "patch"}},
		{"sys/raw/+/*", Storage, []string{"read", "create", "update", "patch"}},
	},
	below("sys/", Storage, "storage/+"),
	below("sys/", Sync, "sync/+"),
	below("sys/", System, "plugins/+", "config/+", "namespaces/+", "replication/+", "rekey/+", "rekey-recovery-key/+", "generate-root/+", "generate-recovery-token/+", "managed-keys/+", "mfa/+"),
)

func below(prefix string, what What, all ...string) (out []place) {
	for _, at := range all {
		out = append(out, place{prefix + at + "/*", what, nil})
	}
	return out
}

// harmless ends of paths of an auth mount: there one only looks, or takes away.
var harmless = []string{"/lookup", "/destroy", "/tidy"}

// In gives the powers that policies have together, by their text, sorted by
// path. own are the API paths of the login that has them
// (auth/MOUNT/role/NAME): its own secret-ids or password, of which its rotation
// leaves none, are no power.
func In(own []string, policies ...string) ([]Power, error) {
	rules := map[string]map[string]bool{}
	for _, text := range policies {
		if err := read(rules, text); err != nil {
			return nil, err
		}
	}
	var out []Power
	for path, caps := range rules {
		if caps["deny"] || ownSecret(path, own) {
			continue
		}
		for _, at := range places {
			if path == "*" && !slices.ContainsFunc(writes, func(c string) bool { return caps[c] }) {
				break
			}
			by := at.by
			if by == nil {
				by = writes
			}
			if slices.ContainsFunc(by, func(c string) bool { return caps[c] }) && covers(path, at.path) &&
				!(at.what == Logins && slices.ContainsFunc(harmless, func(end string) bool { return strings.HasSuffix(path, end) })) {
				out = append(out, Power{path, at.what})
				break
			}
		}
	}
	slices.SortFunc(out, func(a, b Power) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// read puts the capabilities of a policy's rules to those that are there, by
// path.
func read(rules map[string]map[string]bool, text string) error {
	file, err := parser.Parse(text)
	if err != nil {
		return fmt.Errorf("the policy cannot be read: %w", err)
	}
	list, ok := file.Node.(*ast.ObjectList)
	if !ok {
		return fmt.Errorf("the policy cannot be read: it has no paths")
	}
	for _, item := range list.Filter("path").Items {
		if len(item.Keys) == 0 {
			continue
		}
		path, _ := item.Keys[0].Token.Value().(string)
		path = strings.TrimPrefix(path, "/")
		var says struct {
			Policy       string
			Capabilities []string
		}
		if err := parser.DecodeObject(&says, item.Val); err != nil {
			return fmt.Errorf("the policy's path %q cannot be read: %w", path, err)
		}
		if rules[path] == nil {
			rules[path] = map[string]bool{}
		}
		for _, c := range append(says.Capabilities, oldForm[says.Policy]...) {
			rules[path][c] = true
		}
	}
	return nil
}

// oldForm are the capabilities that a rule's older word stands for.
var oldForm = map[string][]string{
	"deny": {"deny"}, "read": {"read", "list"}, "write": {"create", "read", "update", "delete", "list"},
	"sudo": {"create", "read", "update", "delete", "list", "sudo"},
}

// ownName stands in a policy for the name of whoever has it at an auth mount.
func ownName(segment string) bool {
	return strings.HasPrefix(segment, "{{identity.entity.aliases.") && strings.HasSuffix(segment, ".name}}")
}

// ownSecret reports whether a rule is about the secrets of one of the logins
// own, and no more.
func ownSecret(path string, own []string) bool {
	for _, at := range own {
		named := strings.Split(path, "/")
		for i, s := range named {
			if ownName(s) {
				named[i] = at[strings.LastIndex(at, "/")+1:]
			}
		}
		end, ok := strings.CutPrefix(strings.ToLower(strings.Join(named, "/")), strings.ToLower(at)+"/")
		if ok && slices.Contains([]string{"secret-id", "custom-secret-id", "role-id", "password"}, end) {
			return true
		}
	}
	return false
}

// covers reports whether a rule for path may be about a place.
func covers(path, at string) bool {
	path, glob := strings.CutSuffix(path, "*")
	return meets(strings.Split(path, "/"), glob, strings.Split(at, "/"))
}

func meets(rule []string, glob bool, at []string) bool {
	switch {
	case glob && len(rule) == 1:
		return len(at) > 0 && (open(rule[0]) || strings.Contains("+#*", at[0]) || strings.HasPrefix(at[0], rule[0]))
	case len(rule) == 0:
		return len(at) == 0 || at[0] == "*"
	case len(at) == 0:
		return false
	case at[0] == "*":
		return true
	case at[0] == "#":
		return meets(rule[1:], glob, at[1:]) || meets(rule[1:], glob, at)
	case open(rule[0]) || at[0] == "+" || rule[0] == at[0]:
		return meets(rule[1:], glob, at[1:])
	}
	return false
}

// open reports whether a segment of a rule may be any: a template is filled in
// by Vault.
func open(segment string) bool { return segment == "+" || strings.Contains(segment, "{{") }
