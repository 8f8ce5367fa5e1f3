package config

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/authority"
	"rollcall/internal/credential"
)

// VaultRehearsal is what the file allows for a rehearsal in Vault.
type VaultRehearsal struct {
	// Path is a folder, mount/folder, below which a live value is written and
	// removed; empty: on Rollcall's own mount.
	Path string `json:"path,omitempty"`
	// Logins are logins to Vault that an administrator made for it, as
	// mount/name, by the type of their auth mount.
	Logins map[string]string `json:"logins,omitempty"`
}

// Rehearsal is what the file allows at an authority.
func (c *Campaign) Rehearsal(name string) authority.Rehearsal {
	if r, ok := c.Authority(name).(authority.Rehearsed); ok {
		return r.Rehearsal()
	}
	return authority.Rehearsal{}
}

// Rehearses reports whether the file allows a rehearsal anywhere.
func (c *Campaign) Rehearses() bool {
	return len(c.Vault.Rehearsal.Logins) > 0 || slices.ContainsFunc(c.Authorities(), func(name string) bool { return c.Rehearsal(name).Allowed() })
}

// Rehearsal is authority.Rehearsed.
func (d Directory) Rehearsal() authority.Rehearsal { return d.Rehearse }

const (
	keyUnder   = "under"
	keyCreate  = "create"
	keyAccount = "account"
)

// rehearsal reads what stands under the key rehearsal: one of two ways, of
// which making is under (a DN) or create.
func (f fields) rehearsal(making string) (out authority.Rehearsal) {
	n := f.vals["rehearsal"]
	if n == nil {
		return out
	}
	r := f.l.mapping(n, f.at("rehearsal"), making, keyAccount)
	if n.Kind != yaml.MappingNode {
		return out
	}
	if making == keyUnder && r.has(keyUnder) {
		out.Under = r.dn(keyUnder, "the DN below which a bogus account is made")
	} else if r.has(making) {
		out.Create = r.boolean(making)
	}
	if r.has(keyAccount) {
		out.Account = r.required(keyAccount, "a bogus account that an administrator made")
		if out.Account != "" && !authority.IsBogus(out.Account) {
			r.problem(keyAccount, "must begin with %s, so that no mistyped name costs a real account its password: make a bogus account of such a name", authority.Bogus)
		}
	}
	switch {
	case out.Makes() && out.Account != "":
		r.problem(keyAccount, "contradicts %s: keep one of them", making)
	case !r.has(making) && !r.has(keyAccount):
		f.problem("rehearsal", "needs %s or %s", making, keyAccount)
	}
	return out
}

// vaultRehearsal reads vault.rehearsal.
func (l *loader) vaultRehearsal(f fields) (out VaultRehearsal) {
	n := f.vals["rehearsal"]
	if n == nil {
		return out
	}
	keys := []string{"path"}
	for _, k := range credential.Kinds() {
		if login := k.Traits().Login; login != nil {
			keys = append(keys, login.Method)
		}
	}
	r := l.mapping(n, f.at("rehearsal"), keys...)
	if out.Path = strings.Trim(r.str("path"), "/"); out.Path != "" && (!strings.Contains(out.Path, "/") || strings.ContainsAny(out.Path, "#*{")) {
		r.problem("path", "must be a folder in a KV v2 mount, mount/folder, without #field")
	}
	for _, method := range keys[1:] {
		at := r.str(method)
		if at == "" {
			continue
		}
		mount, name, ok := cutLast(strings.TrimPrefix(at, "auth/"))
		if !ok || !authority.IsBogus(name) {
			r.problem(method, "must be mount/name of a login that an administrator made for it, with a name that begins with %s", authority.Bogus)
			continue
		}
		if out.Logins == nil {
			out.Logins = map[string]string{}
		}
		out.Logins[method] = mount + "/" + name
	}
	return out
}

func cutLast(at string) (mount, name string, ok bool) {
	i := strings.LastIndex(at, "/")
	if i < 1 || i == len(at)-1 {
		return "", "", false
	}
	return at[:i], at[i+1:], true
}
