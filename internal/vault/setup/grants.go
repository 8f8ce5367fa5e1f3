package setup

import (
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// grant is a path in a KV v2 mount. A folder covers what is below it too.
type grant struct {
	mount, path string
	folder      bool
}

// maxNamedPaths is how many single paths a policy names before it names their
// folders: Vault evaluates and stores a policy as a whole.
const maxNamedPaths = 500

// liveGrants are where the campaign reads and writes live secrets, and leaves
// temporary ones of people in a domain. The bind passwords of a pair and the
// workers' own secret-id are among them.
func liveGrants(c *config.Campaign, known []credential.Credential) []grant {
	var out []grant
	for _, s := range c.Sources {
		if s.Type == config.VaultKV {
			mount, path := cutAt(strings.Trim(s.Prefix, "/"), known)
			out = append(out, grant{mount, path, true})
		}
	}
	templates := []string{c.Vault.Adopt}
	for _, d := range c.Directories {
		if d.TakesPeople() {
			templates = append(templates, c.Vault.HandOver)
			break
		}
	}
	for _, t := range templates {
		if p, err := credential.ParsePath(t); err == nil {
			p.Mount, p.Path = cutAt(p.Mount+"/"+p.Path, known)
			fixed, _, varies := strings.Cut(p.Path, "{")
			if varies {
				fixed = fixed[:strings.LastIndex(fixed, "/")+1]
			}
			out = append(out, grant{p.Mount, strings.Trim(fixed, "/"), varies})
		}
	}
	if own := vault.OwnSecretID(c.Vault.Mount); c.Vault.RotateLogin {
		out = append(out, grant{own.Mount, own.Path, false})
	}
	for _, name := range c.Authorities() {
		if pair := c.Authority(name).Logins(); len(pair) == 2 {
			for _, login := range pair {
				mount, path := cutAt(login.Secret.Mount+"/"+login.Secret.Path, known)
				out = append(out, grant{mount, path, false})
			}
		}
	}
	var single []grant
	for _, k := range known {
		for _, p := range k.Paths {
			if p.Path == "" {
				continue // of WithMounts: a mount as a whole is nobody's
			}
			single = append(single, grant{p.Mount, p.Path, false})
		}
	}
	if len(single) > maxNamedPaths {
		for i, p := range single {
			if at := strings.LastIndex(p.path, "/"); at > 0 {
				single[i] = grant{p.mount, p.path[:at], true}
			}
		}
	}
	return append(out, single...)
}

// cutAt splits a path where its mount ends. A mount may have several segments:
// those of the credentials that were listed are known, for Vault was asked
// (vault.Client.Cut).
func cutAt(full string, known []credential.Credential) (mount, path string) {
	for _, c := range known {
		for _, p := range c.Paths {
			if full == p.Mount {
				return full, ""
			}
			if rest, ok := strings.CutPrefix(full, p.Mount+"/"); ok && len(p.Mount) > len(mount) {
				mount, path = p.Mount, rest
			}
		}
	}
	if mount == "" {
		mount, path, _ = strings.Cut(full, "/")
	}
	return mount, path
}

func under(p grant, part string, caps ...string) []rule {
	base := p.mount + "/" + part
	switch {
	case p.path == "":
		return []rule{{base + "/*", caps}}
	case p.folder:
		return []rule{{base + "/" + p.path, caps}, {base + "/" + p.path + "/*", caps}}
	}
	return []rule{{base + "/" + p.path, caps}}
}
