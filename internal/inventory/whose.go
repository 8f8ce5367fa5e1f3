package inventory

import (
	"slices"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
)

// Accounts that were made in a batch have one first password, until somebody
// changes it. So a good login with what a path holds does not show whose the
// path is, where the secret there says that it is another account's.

// saysWhose is what a secret says of whose it is. Nobody vouches for it.
type saysWhose struct {
	account, directory, field string // of custom_metadata
	says                      []said
}

// said is a name in a field of a secret, to be compared and not to be printed.
// asked: an authority may be asked who that is.
type said struct {
	vault.Said
	asked bool
}

func whoseOf(live vault.Live) saysWhose {
	w := saysWhose{account: live.Custom(metaAccount), directory: live.Custom(metaDirectory), field: live.Custom(metaField)}
	if live.Tells(w.account, true, looksSecret) && !vault.NameShaped(w.account) {
		w.account = "" // it lies in the wrong place
	}
	for _, s := range live.Says() {
		w.says = append(w.says, said{s, live.MayBeAsked(s.Name)})
	}
	return w
}

// metadataFor reports whether a secret's custom_metadata is about a field of
// it: it has room for one account, with the field that it names, or the usual
// one of such credentials.
func (h held) metadataFor(field, usual string) bool {
	switch {
	case h.whose.account == "":
		return false
	case h.whose.field != "":
		return h.whose.field == field
	}
	return field == usual || !slices.Contains(h.keys, usual)
}

// saysOf is what the secret says of the user of one field: what stands within
// it, or in a field that goes with it, as smtp_user does with smtp_password;
// else in one that goes with no other secret there.
func (h held) saysOf(field string) (near []said) {
	var loose []said
	for _, s := range h.whose.says {
		switch {
		case s.Field == field:
			near = append(near, s)
		case slices.Contains(h.secrets, s.Field): // of that secret
		case goesWith(s.Field) == goesWith(field):
			near = append(near, s)
		case !slices.ContainsFunc(h.secrets, func(other string) bool { return other != field && goesWith(other) == goesWith(s.Field) }):
			loose = append(loose, s)
		}
	}
	if len(near) > 0 {
		return near
	}
	return loose
}

// goesWith is what a field's name says besides what kind of field it is.
func goesWith(field string) string {
	var out []string
	for _, word := range wordsOf(field) {
		for _, end := range fieldEnds {
			if before, has := strings.CutSuffix(word, end); has && before != "" {
				word = before
				break
			}
		}
		if !slices.Contains(fieldWords, word) {
			out = append(out, word)
		}
	}
	return strings.Join(out, " ")
}

// fieldWords say what a field is, fieldEnds in one word with what it is for.
var (
	fieldEnds  = strings.Fields("username loginname login user account binddn uid dn name password passwd passphrase pass pwd pw secret")
	fieldWords = append(slices.Clone(fieldEnds), strings.Fields("id userid principal service bind bindpw value key url uri dsn cred creds credential credentials")...)
)

// calls are what a path calls the account of the secret there, if it does: its
// last part, and the field. Words that any such name may have tell nothing.
func calls(p credential.Path) (out []string) {
	for _, part := range []string{lastSegment(p.Path), p.Field} {
		if !slices.ContainsFunc(wordsOf(part), func(w string) bool { return !slices.Contains(restWords, w) }) {
			continue
		}
		for _, name := range calledAfter(part) {
			if !slices.Contains(out, name) {
				out = append(out, name)
			}
		}
	}
	return out
}
