package config

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"

	"rollcall/internal/credential"
)

// A campaign file is copied, mailed and committed, so it may point at secrets
// and never hold one. refuseSecrets finds values that look like one before
// anything else reads the file, and marks them so that no later message can
// repeat them.

var (
	holdsSecret = regexp.MustCompile(`(password|passwd|passphrase|secret|token|bindpw|rootpw|apikey|privatekey|accesskey|` +
		// As others say it.
		`passwort|kennwort|motdepasse|contrase[nñ]a|senha|wachtwoord|l[oö]senord|salasana|adgangskode|has[lł]o|heslo|jelsz[oó]|parol[ae]?|пароль|密码|密碼|パスワード|비밀번호)`)
	shortNames  = map[string]bool{"pass": true, "pw": true, "pwd": true, "pin": true, "mdp": true, "clave": true}
	inURL       = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://[^/\s]*@`)
	reference   = regexp.MustCompile(`^/?[A-Za-z0-9_.-]+/(?:[\pL\pN/ ._@+:,=~()&-]|%[0-9A-Fa-f]{2})+#[A-Za-z0-9_.-]+$`)
	punctuation = strings.NewReplacer("_", "", "-", "", ".", "", " ", "")
)

// SecretName reports whether a key or column names something secret: files of
// ours refuse a value under such a name.
func SecretName(key string) bool {
	k := punctuation.Replace(strings.ToLower(key))
	return shortNames[k] || holdsSecret.MatchString(k)
}

// ParseReference reads mount/path#field, of characters that people name paths
// by: a password that has a slash and a # in it commonly has others besides.
// One that has not is told from a path when Vault is asked for its mount
// (internal/inventory). It says nothing of what it read, which might be the
// secret itself.
func ParseReference(s string) (credential.Path, bool) {
	if !reference.MatchString(s) {
		return credential.Path{}, false
	}
	p, err := credential.ParsePath(s)
	return p, err == nil
}

func (l *loader) refuseSecrets(n *yaml.Node) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			k, v := n.Content[i], n.Content[i+1]
			if k.Kind == yaml.ScalarNode && SecretName(k.Value) {
				l.refuseUnder(shown(k.Value), v)
			}
			l.refuseSecrets(k)
			l.refuseSecrets(v)
		}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			l.refuseSecrets(c)
		}
	case yaml.ScalarNode:
		if !l.refused[n] && inURL.MatchString(n.Value) && !oneMachine(n.Value) {
			l.refused[n] = true
			l.problem(n.Line, "a URL with a login in it: this file may not hold secrets; remove everything before the @, name the login under bind, and change that password")
		}
	case yaml.AliasNode:
		l.refused[n] = true
		l.problem(n.Line, "YAML aliases are not supported; write the value out")
	}
}

// oneMachine reports whether a URL names one machine behind a name (ServerAt).
// What stands before the @ is a host with a dot in it, and what stands behind
// it an IP address: a login has a password or no dot more often than not, and
// one without a password gives nothing away.
func oneMachine(text string) bool {
	server, err := ServerURL(text)
	u, address := SplitServer(server)
	return err == nil && address != "" && strings.Contains(u, ".")
}

func (l *loader) refuseUnder(key string, v *yaml.Node) {
	switch v.Kind {
	case yaml.SequenceNode:
		for _, c := range v.Content {
			l.refuseUnder(key, c)
		}
	case yaml.ScalarNode:
		if _, ok := ParseReference(v.Value); ok {
			return
		}
		l.refused[v] = true
		l.problem(v.Line, "%s: a secret may not be written into this file; store it in Vault and write where it is, as mount/path#field. If the value was a real secret, treat it as disclosed and change it", key)
	}
}

// refusedSet holds the values of a file that looked like secrets.
type refusedSet map[*yaml.Node]bool
