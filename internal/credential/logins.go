package credential

import (
	"slices"
	"strings"
)

// ReachesVault reports whether it is a way into Vault: with it, a thief reads
// what its policies let him.
func (c Credential) ReachesVault() bool {
	if (c.Kind.OpensVault() || c.Kind.OnlyEnds()) && c.Subject != "" {
		return true
	}
	for _, l := range c.Logins {
		if !l.Plain {
			return true
		}
	}
	return false
}

// VaultLogins are the logins to Vault that it is, or that its password opens,
// as mount/name in lower case.
func (c Credential) VaultLogins() (out []string) {
	if c.Kind.OpensVault() {
		out = append(out, strings.ToLower(c.Subject), strings.ToLower(c.Name))
	}
	for _, l := range c.Logins {
		for _, name := range l.Names {
			out = append(out, strings.ToLower(l.Mount+"/"+name))
		}
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(s string) bool { return s == "" })
}

// LoginPlaces are where Vault has the logins that it is, or that its password
// opens, as ReadBy names them, in lower case: a role or user, or the names of
// an account at auth mounts that ask a directory.
func (c Credential) LoginPlaces() (out []string) {
	if i, login := strings.LastIndex(c.Subject, "/"), c.Kind.Traits().Login; i > 0 && login != nil {
		out = append(out, strings.ToLower(login.Path(c.Subject[:i], c.Subject[i+1:])))
	}
	for _, l := range c.Logins {
		for _, name := range l.Names {
			out = append(out, strings.ToLower("auth/"+l.Mount+"/users/"+name))
		}
	}
	return out
}
