package door

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/encoding/charmap"

	"rollcall/internal/credential"
)

// Shown is one way to show a login and a value to a door.
type Shown struct {
	Login string
	Value credential.Secret
}

// Forms are the ways in which a login and a value are shown at a door of s,
// each of which it may take apart, the usual one first. HTTP basic and forms
// say in bytes what a person types, and beyond ASCII a server may read UTF-8 or
// what was usual before (RFC 7617, 2): that it refuses the one says nothing of
// the other.
func (s Settings) Forms(login string, value credential.Secret) []Shown {
	usual := Shown{login, value}
	if !s.bytewise() || isASCII(login) && isASCII(value.Reveal()) {
		return []Shown{usual}
	}
	old, ok := before(login, value)
	if !ok {
		return []Shown{usual}
	}
	return []Shown{usual, old}
}

// Unsaid reports whether a refusal at a door of s says nothing of a value,
// because servers write it in other ways than are asked: neither in ASCII nor
// in what Western Europe used before UTF-8.
func (s Settings) Unsaid(login string, value credential.Secret) bool {
	if !s.bytewise() || isASCII(login) && isASCII(value.Reveal()) || strings.ToValidUTF8(login+value.Reveal(), "") != login+value.Reveal() {
		return false
	}
	_, ok := before(login, value)
	return !ok
}

// bytewise: the type shows text as bytes, and says nowhere which characters
// they are.
func (s Settings) bytewise() bool {
	return slices.Contains(webKinds, s.Type) && (s.Auth == "" || s.Auth == ByForm)
}

// webKinds are the types that speak HTTP to show a name and a password.
var webKinds = []string{"https", "http", "https-proxy", "http-proxy"}

// before is a login and a value as Windows-1252 has them, which has the
// characters of Latin-1 at the same places.
func before(login string, value credential.Secret) (Shown, bool) {
	l, err := charmap.Windows1252.NewEncoder().String(login)
	if err != nil {
		return Shown{}, false
	}
	v, err := charmap.Windows1252.NewEncoder().String(value.Reveal())
	return Shown{l, credential.NewSecret(v)}, err == nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > unicode.MaxASCII })
}

// Spelling is another way to write the name of a directory's account.
type Spelling struct {
	Login string
	// Sure: it is nobody else's in the account's directory. With another realm
	// than is known to be its own, or without one, it may be another account's
	// name at the door.
	Sure bool
	// Typed: as people type names. Each old value is offered once by it, where
	// it was not taken before: most have no entry there.
	Typed bool
}

// Spellings are other ways to write the name of a directory's account at a door
// that may keep each of them apart, while the directory takes all for one
// account: in small letters and in capitals, as people type names, and with the
// realm or without it.
// name is the account's DN, whose domain components are a guess at the realm;
// own are other logins that its directory says it has. There are more than
// anybody can ask (sVc-x); none at doors that keep logins otherwise, or not at
// all.
func (s Settings) Spellings(login, name string, own []string) (out []Spelling) {
	if s.Auth.Nameless() || !s.spells() || strings.ContainsAny(login, `=\`) {
		return nil
	}
	all := []Spelling{{Login: strings.ToLower(login), Sure: true}, {Login: strings.ToUpper(login), Sure: true}}
	for _, as := range own {
		all = append(all, Spelling{Login: as, Sure: true})
	}
	short, realm, has := strings.Cut(login, "@")
	switch here := s.Realm; {
	case has && (here == "" || strings.EqualFold(realm, here)):
		all = append(all, Spelling{Login: short, Sure: here != ""})
	case has:
		// Without its realm it is a name of the door's own one.
	case here != "":
		all = append(all, Spelling{Login: login + "@" + here, Sure: true})
	case realmOf(name) != "":
		all = append(all, Spelling{Login: login + "@" + realmOf(name)})
	}
	for _, as := range typed(login) {
		all = append(all, Spelling{Login: as, Sure: true, Typed: true})
	}
	for _, as := range all {
		if as.Login != login && !slices.ContainsFunc(out, func(have Spelling) bool { return have.Login == as.Login }) {
			out = append(out, as)
		}
	}
	return out
}

// typed are a login name as people type it: its first letter a capital, and the
// first one of each word, the rest small.
func typed(login string) []string {
	local, realm, has := strings.Cut(strings.ToLower(login), "@")
	if has {
		realm = "@" + realm
	}
	first, words := []rune(local), []rune(local)
	for i := range words {
		if i == 0 || !unicode.IsLetter(words[i-1]) && !unicode.IsDigit(words[i-1]) {
			words[i] = unicode.ToUpper(words[i])
		}
	}
	if len(first) > 0 {
		first[0] = unicode.ToUpper(first[0])
	}
	return []string{string(first) + realm, string(words) + realm}
}

// OwnSpellings are those of an account's addresses (mail, userPrincipalName)
// that are its login name with a realm.
func (s Settings) OwnSpellings(login string, addresses []string) (out []string) {
	if s.Auth.Nameless() || !s.spells() {
		return nil
	}
	short, _, _ := strings.Cut(login, "@")
	for _, a := range addresses {
		local, _, has := strings.Cut(a, "@")
		if has && strings.EqualFold(local, short) && a != login && !slices.Contains(out, a) {
			out = append(out, a)
		}
	}
	return out
}

// SpellingDoubt is what refusals of a directory's account rest on at a door
// that may keep each spelling of a login name apart, for people; empty where
// that is not so.
func (s Settings) SpellingDoubt() string {
	if s.Auth.Nameless() || !s.spells() {
		return ""
	}
	realm := "with the realm of its DN or without one, which may be another account's name (then it is asked with the new value alone, twice in a campaign at most; say under realm: which one a login without a realm has there)"
	if s.Realm != "" {
		realm = "with the realm " + s.Realm + " or without it"
	}
	return "it may keep old logins by each spelling of a name, where a directory takes all for one: it is asked by the name as it is listed, in small letters, in capitals, as people type it (Svc-x, Svc-X), with the realm that its mail or userPrincipalName says, and " + realm + "; by another one (sVc-x) it may go on taking the old value until its time is over"
}

// UnaskedSpellings begins what OtherSpellings says.
const UnaskedSpellings = "dead there is said of the spellings of a login name that are asked"

// OtherSpellings says what such a door may do by a spelling that is not asked,
// until when, and what ends it, for people; empty where it does not, as where
// nothing is dead before all that it may keep is over (Settles), for as long as
// the file says.
func (s Settings) OtherSpellings() string {
	settles := s.Settles()
	if s.SpellingDoubt() == "" || settles > 0 && s.Cache > 0 {
		return ""
	}
	if settles > 0 {
		return fmt.Sprintf("%s, and of all others once %s are over, for which it may keep a login as it is shipped: where it is set to another time (credentialsttl of Squid), it may go on taking the stolen value, so say cache: of it; where it is one process, processes: 1", UnaskedSpellings, settles)
	}
	said := UnaskedSpellings + "; by another one (sVc-x) by which somebody logged in before, it may go on taking the stolen value"
	if keeps := s.Keeping(); keeps > 0 {
		said += fmt.Sprintf(" for up to %s after the new one was set", keeps)
	} else {
		said += ", for nobody knows how long (say cache: of it)"
	}
	lead := "; what ends it for all of them, if that is "
	for _, k := range s.Keepers() {
		if k.Spells {
			said += lead + k.What + ": " + k.Ends
			lead = "; or "
		}
	}
	return said
}

// spells reports whether a door may keep each spelling of a name apart: its
// software does, or one that is common behind doors of its type.
func (s Settings) spells() bool {
	// What stands behind a door (Beneath) says nothing of what keeps logins at
	// it.
	if k, known := Keeper(s.Software); known && (k.Spells || k.Name == KeepsNone || slices.Contains(k.Types, s.Type)) {
		return k.Spells
	}
	return slices.ContainsFunc(Keepers, func(k Keeps) bool { return k.Spells && slices.Contains(k.Types, s.Type) })
}

// realmOf is the DNS name in a DN's domain components (RFC 2247), in small
// letters.
func realmOf(dn string) string {
	var parts []string
	for rdn := range strings.SplitSeq(strings.ToLower(dn), ",") {
		if dc, is := strings.CutPrefix(strings.TrimSpace(rdn), "dc="); is {
			parts = append(parts, dc)
		}
	}
	return strings.Join(parts, ".")
}
