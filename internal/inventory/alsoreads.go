package inventory

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/plural"
	"rollcall/internal/vault"
	"rollcall/internal/vault/powers"
)

// What a stolen login to Vault may read is stolen, whether or not a source
// names it: a folder that several devices share, a v1 mount, what an engine
// draws for whoever asks. So the rules of its policies that read are held
// against what the roll has, and a person answers for the rest.

// alsoReads gathers by which rules logins of the roll read.
type alsoReads struct {
	rules map[string]*alsoRead // by path
	acls  map[string]*powers.ACL
}

type alsoRead struct {
	powers.Rule
	logins []string
	acls   []*powers.ACL // of those who have it, each once
}

// add takes the policies of a login in. Of what cannot be read somebody else
// says so (couldHaveMade).
func (a *alsoReads) add(texts []string, login string) {
	key := strings.Join(slices.Sorted(slices.Values(texts)), "\x00")
	acl, known := a.acls[key]
	if !known {
		acl, _ = powers.ParseACL(texts...)
		a.acls[key] = acl
	}
	rules, err := powers.Rules(texts...)
	if err != nil || acl == nil {
		return
	}
	for _, r := range rules {
		at := a.rules[r.Path]
		if at == nil {
			at = &alsoRead{Rule: r}
			a.rules[r.Path] = at
		}
		at.Reads, at.Draws = at.Reads || r.Reads, at.Draws || r.Draws
		if !slices.Contains(at.logins, login) {
			at.logins = append(at.logins, login)
		}
		if !slices.Contains(at.acls, acl) {
			at.acls = append(at.acls, acl)
		}
	}
}

func (a *alsoRead) mayRead(path string) bool {
	return slices.ContainsFunc(a.acls, func(acl *powers.ACL) bool { return acl.MayRead(path) })
}

// secretMount is a mount of Vault that is no auth mount.
type secretMount struct {
	name, kind string
	v2         bool // of KV
}

// noSecrets are types of mounts in which nothing of others lies that opens
// anything.
var noSecrets = []string{"", "system", "ns_system", "identity", "ns_identity", "cubbyhole", "ns_cubbyhole", "token", "ns_token"}

// draws are where engines give what opens something
// (https://developer.hashicorp.com/vault/api-docs/secret). Of another engine
// any path may.
var draws = map[string][]string{
	databaseEngine: {"creds/#", "static-creds/#"},
	"ldap":         {"creds/#", "static-cred/#", "library/#"},
	"openldap":     {"creds/#", "static-cred/#", "library/#"},
	"ad":           {"creds/#", "library/#"},
	"aws":          {"creds/#", "sts/#", "static-creds/#"},
	"azure":        {"creds/#", "static-creds/#"},
	"consul":       {"creds/#"}, "nomad": {"creds/#"}, "rabbitmq": {"creds/#"}, "kubernetes": {"creds/#"}, "mongodbatlas": {"creds/#"}, "terraform": {"creds/#"},
	"ssh":     {"creds/#", "sign/#", "issue/#"},
	"pki":     {"issue/#", "sign/#", "sign-verbatim/#", "issuer/+/issue/#", "issuer/+/sign/#"},
	"totp":    {"code/#", "keys/#"},
	"transit": {"export/#", "backup/#", "byok-export/#", "decrypt/#"},
}

// secretMounts are those in which something lies that others keep. Without a
// right to sys/mounts Vault shows a login the mounts alone in which it may do
// something itself: shown are then the names of those, else nil.
func (l *lister) secretMounts(ctx context.Context) (out []secretMount, shown []string, err error) {
	got, err := l.readVault(ctx, "sys/mounts")
	some := err == nil && got == nil
	if some {
		if got, err = l.readVault(ctx, "sys/internal/ui/mounts"); got != nil {
			got, _ = got["secret"].(map[string]any)
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if some { // and those that every Vault has
		shown = []string{"sys", "auth", "identity", "cubbyhole", l.c.Vault.Mount, l.c.Vault.Transit}
	}
	for name, about := range got {
		is, _ := about.(map[string]any)
		m := secretMount{name: strings.Trim(name, "/")}
		if some {
			shown = append(shown, m.name)
		}
		m.kind, _ = is["type"].(string)
		options, _ := is["options"].(map[string]any)
		m.v2 = options["version"] == "2"
		if slices.Contains(noSecrets, m.kind) || m.name == l.c.Vault.Mount || m.name == l.c.Vault.Transit {
			continue // who reads what Rollcall keeps is asked by itself
		}
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b secretMount) int { return strings.Compare(a.name, b.name) })
	return out, shown, nil
}

// notIn reports whether a rule is about no mount of those that are shown: it is
// known from the policy all the same, so what it reads is told by its own text.
func (r *alsoRead) notIn(shown []string) bool {
	return !slices.ContainsFunc(shown, func(name string) bool { return r.Path == name || r.About(name+"/#") })
}

// tellAlsoRead warns of each rule by which a login of the roll reads what the
// roll has not.
func (l *lister) tellAlsoRead(ctx context.Context, a alsoReads, roll *credential.Roll) error {
	if len(a.rules) == 0 {
		return nil
	}
	mounts, shown, err := l.secretMounts(ctx)
	if err != nil {
		return err
	}
	known := l.knownSecrets(roll)
	var rules []*alsoRead
	for _, r := range a.rules {
		rules = append(rules, r)
	}
	slices.SortFunc(rules, func(a, b *alsoRead) int { return cmp.Compare(a.Path, b.Path) })
	for _, r := range rules {
		var what []string
		for _, m := range mounts {
			text, err := l.alsoIn(ctx, m, r, known)
			if err != nil {
				return err
			}
			if text != "" {
				what = append(what, text)
			}
		}
		if len(what) == 0 && shown != nil && (r.Reads || r.Draws) && r.notIn(shown) {
			what = append(what, "a mount that this login is not shown (run `rollcall init` again, which gives it the right to read sys/mounts)")
		}
		if len(what) == 0 {
			continue
		}
		place := asWritten(r.Path, mounts)
		if reason, ok := l.acceptedPlace(place, r.Path); ok {
			l.warn(credential.FindingAccepted, "%s in Vault: that logins of the roll read there, which no source lists, is accepted by the campaign file: %s", place, reason)
			continue
		}
		l.warn(credential.FindingAlsoReadable, "%s: by the policies of %s whoever stole that login reads %s, and no source lists it: what lies there, and what was drawn there, is stolen as well. List it (a source of type vault-kv, or a manifest), or take the right away and change it by hand; once somebody has looked: %s%s",
			place, some(r.logins), some(what), paste.Entry("accept", "vault", place, "on", "TIME"), l.outdated(place, r.Path))
	}
	return nil
}

// asWritten is a rule as people write a path, without the data/ of the API.
func asWritten(rule string, mounts []secretMount) string {
	for _, m := range mounts {
		if rest, ok := strings.CutPrefix(rule, m.name+"/data/"); ok && m.v2 {
			return m.name + "/" + rest
		}
	}
	return rule
}

// knownSecrets are the secrets that the campaign knows of, and the folders that
// it lists.
type knownSecrets struct {
	paths   map[string]bool
	folders []string
}

func (l *lister) knownSecrets(roll *credential.Roll) knownSecrets {
	k := knownSecrets{paths: map[string]bool{}}
	for _, s := range l.c.Sources {
		if s.Type == config.VaultKV {
			k.folders = append(k.folders, strings.Trim(s.Prefix, "/"))
		}
	}
	for _, c := range l.candidates {
		if c.Path != nil {
			k.paths[c.Path.Mount+"/"+c.Path.Path] = true
		}
	}
	for _, c := range roll.Credentials {
		for _, p := range c.Places() {
			k.paths[p.Mount+"/"+p.Path] = true
		}
	}
	for _, e := range l.c.Exclude {
		at, _, _ := strings.Cut(e.Path, "#")
		if p, err := credential.ParsePath(at + "#field"); err == nil {
			k.paths[p.Mount+"/"+p.Path] = true
		}
	}
	for _, a := range l.c.Accept {
		_, ok := l.acceptedPlace(a.Vault)
		k.paths[a.Vault] = ok
	}
	return k
}

func (k knownSecrets) has(path string) bool {
	return k.paths[path] || slices.ContainsFunc(k.folders, func(f string) bool { return path == f || strings.HasPrefix(path, f+"/") })
}

// alsoIn says what of a mount a rule reads that the campaign does not know of;
// empty: nothing, as far as is shown.
func (l *lister) alsoIn(ctx context.Context, m secretMount, r *alsoRead, known knownSecrets) (string, error) {
	if m.kind != "kv" && m.kind != "generic" {
		at, special := draws[m.kind]
		if !special {
			at = []string{"#"}
		}
		if slices.ContainsFunc(at, func(below string) bool { return r.About(m.name + "/" + below) }) {
			return fmt.Sprintf("what the engine %s/ (%s) gives", m.name, m.kind), nil
		}
		return "", nil
	}
	data, list := m.name+"/", m.name
	if m.v2 {
		data, list = m.name+"/data/", m.name+"/metadata"
	}
	if !r.Reads || !r.About(data+"#") {
		return "", nil
	}
	begin, whole := r.Literal()
	rest := ""
	if len(begin) > len(data) {
		rest = begin[len(data):]
	}
	if whole {
		if known.has(m.name + "/" + rest) {
			return "", nil
		}
		return m.name + "/" + rest, nil
	}
	folder := rest[:strings.LastIndex(rest, "/")+1]
	if folder != "" && known.has(m.name+"/"+strings.TrimSuffix(folder, "/")) {
		return "", nil // all of it is listed by a source
	}
	names, shown, more, err := l.walk(ctx, list, folder)
	if err != nil {
		return "", err
	}
	var found []string
	for _, name := range names {
		if at := m.name + "/" + name; r.mayRead(data+name) && !known.has(at) {
			found = append(found, at)
		}
	}
	switch {
	case !shown:
		return fmt.Sprintf("%s/%s, where this login may not list what lies there", m.name, orAll(rest)), nil
	case len(found) == 0 && !more:
		return "", nil
	case more:
		return fmt.Sprintf("at least %s of %s/ (%s)", plural.Count(len(found), "secret", "secrets"), m.name, some(found)), nil
	}
	return fmt.Sprintf("%s of %s/ (%s)", plural.Count(len(found), "secret", "secrets"), m.name, some(found)), nil
}

func orAll(rest string) string { return rest + "…" }

// walked bounds the folders that are listed for one rule.
const walked = 200

// walk lists the secrets in a folder of a KV mount and the folders below it.
// shown is false where our login may not list one of them; more says that there
// are further ones.
func (l *lister) walk(ctx context.Context, at, folder string) (names []string, shown, more bool, err error) {
	shown = true
	left := []string{folder}
	for n := 0; len(left) > 0; n++ {
		if n == walked {
			return names, shown, true, nil
		}
		in := left[0]
		left = left[1:]
		got, known, err := l.listVault(ctx, strings.TrimSuffix(at+"/"+in, "/"))
		switch {
		case vault.Answered(err, http.StatusNotFound, http.StatusMethodNotAllowed):
			continue
		case err != nil:
			return nil, false, false, err
		case !known:
			return nil, false, false, nil
		}
		for _, name := range got {
			if strings.HasSuffix(name, "/") {
				left = append(left, in+name)
			} else {
				names = append(names, in+name)
			}
		}
	}
	return names, shown, more, nil
}
