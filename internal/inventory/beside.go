package inventory

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/paste"
	"rollcall/internal/vault"
)

// beside gathers what else lies in the secrets that the roll names:
// custom_metadata names one account and field, and teams keep several
// credentials of a device in one secret.
type beside struct {
	taken map[secretPath][]string // fields that the roll has, or that are left out by name
	there map[secretPath]lying
}

// lying are the fields of a secret, without their values.
type lying struct {
	keys    []string
	secrets []string // that look like credentials
	more    []string // that hold another one besides the one that is taken out of them
}

func (l *lister) newBeside(roll *credential.Roll) *beside {
	b := &beside{map[secretPath][]string{}, map[secretPath]lying{}}
	for _, c := range roll.Credentials {
		for _, p := range c.Paths {
			b.taken[secretPathOf(p)] = append(b.taken[secretPathOf(p)], p.Field)
		}
		if c.Task != nil && c.Task.At != nil {
			b.taken[secretPathOf(*c.Task.At)] = append(b.taken[secretPathOf(*c.Task.At)], c.Task.At.Field)
		}
	}
	for p := range l.held.of {
		if h, _ := l.held.get(p); b.taken[secretPathOf(p)] != nil {
			b.see(p, h)
		}
	}
	for place := range b.taken {
		for _, e := range l.c.Exclude {
			if field, ok := strings.CutPrefix(e.Path, place.String()+"#"); ok {
				b.taken[place] = append(b.taken[place], field)
			}
		}
	}
	return b
}

func (b *beside) see(p credential.Path, h held) {
	at := secretPathOf(p)
	was := b.there[at]
	if was.keys, was.secrets = h.keys, h.secrets; h.besides && slices.Contains(b.taken[at], p.Field) && !slices.Contains(was.more, p.Field) {
		was.more = append(was.more, p.Field)
	}
	b.taken[at] = append(b.taken[at], h.also...) // copies, of which the look says so
	b.there[at] = was
}

// tell warns of what looks like credentials and is on no credential, and says
// of secrets without an owner what they hold.
func (b *beside) tell(l *lister, roll *credential.Roll) {
	var places []secretPath
	for at := range b.there {
		places = append(places, at)
	}
	slices.SortFunc(places, func(a, b secretPath) int {
		return cmp.Or(strings.Compare(a.mount, b.mount), strings.Compare(a.path, b.path))
	})
	ownerless := map[secretPath]bool{} // open, with all that is there
	for _, c := range roll.Credentials {
		for _, p := range c.Paths {
			if c.Problem == credential.NoField {
				ownerless[secretPathOf(p)] = true
			}
			if c.Problem == credential.NoOwner {
				ownerless[secretPathOf(p)] = true
				has := "the secret has " + quoted(b.there[secretPathOf(p)].keys)
				if h, _ := l.held.get(p); h.problem == credential.DeletedVersion {
					has = "the secret's current version is deleted, which stops nobody who has read it before: `vault kv undelete` brings it back, if somebody has to see what it was"
				}
				roll.Findings[c.ID] = append(roll.Findings[c.ID], credential.Finding{Code: credential.FindingNoAccount, Detail: has})
			}
		}
	}
	for _, at := range places {
		if !ownerless[at] {
			b.warn(l, at)
		}
	}
	b.excludes(l)
}

// excludes warns of those that name a field that a secret of the roll has not
// got: its field by the right name is on the roll.
func (b *beside) excludes(l *lister) {
	for _, e := range l.c.Exclude {
		p, err := credential.ParsePath(e.Path)
		if err != nil {
			continue
		}
		is, known := b.there[secretPathOf(p)]
		if known && len(is.keys) > 0 && p.Field != "" && !slices.Contains(is.keys, p.Field) {
			like := ""
			for _, key := range is.keys {
				if likeName(p.Field, key) {
					like = secretPathOf(p).String() + "#" + key
				}
			}
			w := takesNothing(fmt.Sprintf("exclude path %s takes nothing off the roll: the secret has %s", p, quoted(is.keys)), like)
			l.warn(w.Code, "%s", w.Detail)
		}
	}
}

// warn says what of a secret nobody rotates, and nobody has answered for.
func (b *beside) warn(l *lister, at secretPath) {
	place := at.String()
	var open []string
	for _, f := range append(without(b.there[at].secrets, b.taken[at]), b.there[at].more...) {
		if reason, ok := l.acceptedPlace(place + "#" + f); ok {
			l.warn(credential.FindingAccepted, "%s#%s in Vault: that it is not rotated is accepted by the campaign file: %s", place, f, reason)
		} else if !slices.Contains(open, f) {
			open = append(open, f)
		}
	}
	if len(open) == 0 {
		return
	}
	slices.Sort(open)
	part := slices.DeleteFunc(slices.Clone(open), func(f string) bool { return !slices.Contains(b.there[at].more, f) })
	inOne := ""
	if len(part) > 0 {
		inOne = " (of " + shownNames(part) + " one password is rotated, and more is in there)"
	}
	l.warn(credential.FindingOtherSecrets, "%s holds more that looks like a credential, by its name or its form, than the roll has of it: %s%s. The device had that too. List each in a manifest: account and path, or what only a person can change (kind, name, owner, due, path). What is none, or need not change, is answered for once: %s%s",
		place, shownNames(open), inOne, answersFor(place, open, part), l.outdated(place+"#"+open[0]))
}

func shownNames(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = shownName(n)
	}
	return strings.Join(out, ", ")
}

// answersFor says how a person answers for fields: exclude takes the whole of
// one, by a name that a path can have.
func answersFor(place string, open, part []string) string {
	var out []string
	has := map[string]bool{}
	for _, f := range open {
		if shownName(f) != f {
			continue
		}
		key, form := "exclude", []string{"path", place + "#" + f}
		if _, ok := config.ParseReference(place + "#" + f); !ok || slices.Contains(part, f) {
			key, form = "accept", []string{"vault", place + "#" + f, "on", "TIME"}
		}
		if !has[key] {
			has[key], out = true, append(out, paste.Entry(key, form...))
		}
	}
	if len(out) == 0 {
		return "by its path, or with names that are no secrets"
	}
	return strings.Join(out, "; ")
}

// secretWords are parts of a field's name, besides those of config.SecretName,
// that mark what opens something; weakWords mark it too, and as often how
// something is opened.
var (
	secretWords = slices.Concat(weakWords, strings.Fields(
		`pass pw pwd pin psk creds credential credentials dsn passcode otp totp jwt bearer keytab pkcs12 p12 pfx
		netrc htpasswd pgpass kubeconfig dockerconfigjson preshared community rocommunity rwcommunity`))
	weakWords = []string{"key", "auth", "hash", "cookie"}
)

// notSecret are names that hold such a part and no secret: who, where, how.
var notSecret = []string{"user", "username", "login", "name", "dn", "id", "host", "url", "policy", "type", "method", "mode", "path", "file", "public", "pub", "expires", "created", "rotated", "mechanism"}

// aboutSecrets end names of what is set about a secret.
var aboutSecrets = strings.Fields("length ttl expiry expiration age count max min size interval timeout enabled required algorithm alg format encoding version date updated changed rotation issuer audience endpoint uri attribute attr column scope scopes period lifetime days")

// without are those of fields that nothing has taken.
func without(fields, taken []string) []string {
	return slices.DeleteFunc(slices.Clone(fields), func(f string) bool { return slices.Contains(taken, f) })
}

// secretsIn are the fields of a candidate's secret that look like credentials;
// by their names alone, where nothing else is known of them.
func secretsIn(read *holdings, c Candidate) []string {
	if h, ok := read.get(*c.Path); ok {
		return h.secrets
	}
	return slices.DeleteFunc(slices.Clone(c.Fields), func(f string) bool { return f == vault.OwnerField || !looksSecret(f, "?") })
}

// looksSecret reports whether what is called by a name looks like a credential
// because of that, by its value too where the name may be of how something is
// opened.
func looksSecret(name, value string) bool {
	words := wordsOf(name)
	last := ""
	if len(words) > 0 {
		last = words[len(words)-1]
	}
	has := func(list []string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(list, w) })
	}
	switch {
	case strings.EqualFold(name, "secret_id"):
	case strings.Contains(strings.Join(words, " "), "community") && (last == "name" || last == "string"):
	case slices.Contains(notSecret, last), slices.Contains(aboutSecrets, last):
		return false // password_policy, token_url
	}
	if config.SecretName(name) || slices.ContainsFunc(words, func(w string) bool {
		return !slices.Contains(weakWords, w) && (slices.Contains(secretWords, w) || glued(w))
	}) {
		return !slices.Contains([]string{"true", "false", "yes", "no", "on", "off", "none", "null"}, strings.ToLower(value))
	}
	return has(weakWords) && !slices.Contains(howOpened, strings.ToLower(value)) && !placeLike.MatchString(value)
}

// howOpened are values of such names that say how; placeLike is where.
var (
	howOpened = strings.Fields(`true false yes no on off none null login plain cram-md5 digest-md5 scram-sha-1 scram-sha-256 ntlm gssapi simple
		external anonymous basic starttls tls ssl md5 sha sha1 sha256 sha512 bcrypt argon2 rsa ed25519 required optional always never auto default
		enabled disabled ldap ldaps saslauthd dovecot oidc saml kerberos`)
	placeLike = regexp.MustCompile(`^(?:~|\.{1,2})?(?:/[\w. -]+)+$|://`)
)

// gluedMarks are ends of a word that mark a secret whatever is before them, as
// in ldappw, smtppwd, wifipsk. Other words end in a commonMark by themselves
// (compass), so that something known has to be before it, as in smtppass.
var (
	gluedMarks  = []string{"pw", "pwd", "psk", "creds", "dsn"}
	commonMarks = []string{"pass", "key", "pin"}
)

// glued reports whether a word has such an end.
func glued(word string) bool {
	return slices.ContainsFunc(gluedMarks, func(mark string) bool { return len(word) > len(mark)+1 && strings.HasSuffix(word, mark) }) ||
		slices.ContainsFunc(commonMarks, func(mark string) bool {
			before, has := strings.CutSuffix(word, mark)
			return has && slices.Contains(restWords, before)
		})
}

// wordsOf are the parts of a name, in lower case: smtp_password, smtpPassword,
// SMTP-Password.
func wordsOf(name string) []string {
	var b strings.Builder
	lower := false
	for _, r := range name {
		upper := r >= 'A' && r <= 'Z'
		if upper && lower {
			b.WriteByte(' ')
		}
		lower = r >= 'a' && r <= 'z' || r >= '0' && r <= '9'
		b.WriteRune(r)
	}
	return strings.FieldsFunc(strings.ToLower(b.String()), func(r rune) bool { return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9') })
}
