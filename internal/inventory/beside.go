package inventory

import (
	"cmp"
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// beside gathers what else lies in the secrets that the roll names:
// custom_metadata names one account and field, and teams keep several
// credentials of a device in one secret.
type beside struct {
	taken map[secretPath][]string // fields that the roll has, or that are left out by name
	there map[secretPath][]string // fields that are there
}

func (l *lister) newBeside(roll *credential.Roll) *beside {
	b := &beside{map[secretPath][]string{}, map[secretPath][]string{}}
	for _, c := range roll.Credentials {
		for _, p := range c.Paths {
			b.taken[secretPathOf(p)] = append(b.taken[secretPathOf(p)], p.Field)
		}
	}
	for p, h := range l.held {
		if b.taken[secretPathOf(p)] != nil {
			b.see(p, h.keys)
		}
	}
	for place := range b.taken {
		for _, e := range l.c.Exclude {
			if field, ok := strings.CutPrefix(e.Path, place.mount+"/"+place.path+"#"); ok {
				b.taken[place] = append(b.taken[place], field)
			}
		}
	}
	return b
}

func (b *beside) see(p credential.Path, fields []string) { b.there[secretPathOf(p)] = fields }

// tell warns of fields that look like credentials and are on no credential, and
// says of secrets without an owner what they hold.
func (b *beside) tell(l *lister, roll *credential.Roll) {
	var places []secretPath
	for at := range b.there {
		places = append(places, at)
	}
	slices.SortFunc(places, func(a, b secretPath) int {
		return cmp.Or(strings.Compare(a.mount, b.mount), strings.Compare(a.path, b.path))
	})
	ownerless := map[secretPath]bool{}
	for _, c := range roll.Credentials {
		for _, p := range c.Paths {
			if c.Problem == credential.NoOwner {
				ownerless[secretPathOf(p)] = true
				has := "the secret has " + quoted(b.there[secretPathOf(p)])
				if l.held[p].problem == credential.DeletedVersion {
					has = "the secret's current version is deleted, which stops nobody who has read it before: `vault kv undelete` brings it back, if somebody has to see what it was"
				}
				roll.Findings[c.ID] = append(roll.Findings[c.ID], credential.Finding{Code: credential.FindingNoAccount, Detail: has})
			}
		}
	}
	for _, at := range places {
		if other := otherSecrets(b.there[at], b.taken[at]); len(other) > 0 && !ownerless[at] {
			l.warn(credential.FindingOtherSecrets, "%s/%s holds more that looks like a credential, by its name, than the roll has of it: %s. custom_metadata names one account and field: list the others in a manifest (account,path), or exclude them by path",
				at.mount, at.path, strings.Join(other, ", "))
		}
	}
}

// secretWords are parts of a field's name, besides those of config.SecretName,
// that mark what opens something.
var secretWords = []string{"pass", "pw", "pwd", "pin", "psk", "key", "creds", "credential", "credentials", "auth", "dsn", "hash"}

// notSecret are names that hold such a part and no secret: who, where, how.
var notSecret = []string{"user", "username", "login", "name", "dn", "id", "host", "url", "policy", "type", "method", "mode", "path", "file", "public", "pub", "expires", "created", "rotated", "mechanism"}

// otherSecrets are fields of a secret that look like credentials of their own,
// by their names. taken are those that the roll has.
func otherSecrets(fields, taken []string) []string {
	var out []string
	for _, f := range fields {
		if !slices.Contains(taken, f) && f != vault.OwnerField && looksSecret(f) {
			out = append(out, f)
		}
	}
	slices.Sort(out)
	return out
}

func looksSecret(field string) bool {
	words := wordsOf(field)
	last := ""
	if len(words) > 0 {
		last = words[len(words)-1]
	}
	if slices.Contains(notSecret, last) && !strings.EqualFold(field, "secret_id") {
		return false // password_policy, token_url
	}
	return config.SecretName(field) || slices.ContainsFunc(words, func(w string) bool { return slices.Contains(secretWords, w) || glued(w) })
}

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
