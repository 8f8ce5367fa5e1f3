package inventory

import (
	"slices"
	"strings"

	"rollcall/config"
	"rollcall/internal/credential"
)

// Teams call a field or a secret after its account in any number of ways:
// PASSWORD_BOB, bobPassword, bob_ldap_bind_pw, bob/ldap. All of them have the
// account's name in them as a run of whole words, and nothing else that could
// be somebody's.

// restWords are what such a name may have besides: what it is, what it is for,
// which of several.
var restWords = slices.Concat(secretWords, notSecret, strings.Fields(
	`password passwd passphrase secret token value bind bindpw credentials
	ldap ldaps ad smtp imap pop pop3 mail sftp ftp ssh smb db sql database postgres mysql http https web api vault radius snmp
	app svc service srv account acct login system
	old new current next previous prev last prod test dev stage staging primary secondary main default backup env config
	my the of for in to`))

// mostWords of a name that are looked at: more is a sentence.
const mostWords = 12

// spelledSo are drafts with an account, by authority and a name's words without
// anything between.
type spelledSo map[reference][]*draft

func (m *merger) spelled() spelledSo {
	out := spelledSo{}
	for _, l := range m.drafts {
		if l.Subject == "" {
			continue
		}
		out.add(l.Authority, rdnValue(l.Name), l)
		for _, name := range l.called()[1:] {
			out.add(l.Authority, name, l)
		}
	}
	return out
}

// add notes what a draft's account is called by one of its names.
func (s spelledSo) add(authority, name string, l *draft) {
	if i := strings.LastIndexByte(name, '\\'); i >= 0 { // DOMAIN\account
		name = name[i+1:]
	}
	local, _, _ := strings.Cut(name, "@")
	key := strings.Join(wordsOf(local), "")
	if ref := (reference{authority, key}); len(key) >= 3 && !slices.Contains(s[ref], l) {
		s[ref] = append(s[ref], l)
	}
}

// in are the drafts of an authority whose name a text has as a run of words,
// besides words that any name may have. The longest run counts: svc_bob is not
// bob's where there is a svc-bob. A name that is itself such a word counts only
// where the text has nothing else.
func (s spelledSo) in(authority, text string) []*draft {
	words := wordsOf(text)
	for n := min(len(words), mostWords); n > 0 && len(words) <= mostWords; n-- {
		var out []*draft
		for i := range len(words) - n + 1 {
			rest := slices.Concat(words[:i], words[i+n:])
			if slices.ContainsFunc(rest, tells) || len(rest) > 0 && !slices.ContainsFunc(words[i:i+n], tells) {
				continue
			}
			out = append(out, s[reference{authority, strings.Join(words[i:i+n], "")}]...)
		}
		if len(out) > 0 {
			return out
		}
	}
	return s.gluedIn(authority, words)
}

// gluedWords stand right before or behind a name in one word: bobpw,
// svcscanpassword, LDAPPWBOB. marks are those of them that say that it is a
// secret's: one has to be there, or any word may have a name in it.
var (
	gluedWords = append(slices.Clone(marks), strings.Fields("ldap ldaps ad smtp imap pop sftp ftp ssh smb db sql vault bind login user svc app old new prod test")...)
	marks      = append(slices.Clone(gluedMarks), strings.Fields("password passwd passphrase pass pin key secret token cred credential kennwort passwort mdp")...)
)

// gluedIn are the drafts whose name a single word has with nothing but such
// words around it; the longest name counts.
func (s spelledSo) gluedIn(authority string, words []string) (out []*draft) {
	i := slices.IndexFunc(words, tells)
	if i < 0 || slices.ContainsFunc(words[i+1:], tells) || len(words[i]) > mostGlued {
		return nil // none, or several: no name with words around it
	}
	word, longest := words[i], 0
	marked := slices.ContainsFunc(slices.Concat(words[:i], words[i+1:]), func(w string) bool { return slices.Contains(marks, w) })
	for from, before := range gluedEnds(word, false) {
		for to, behind := range gluedEnds(word, true) {
			if to-from < max(longest, 3) || from == 0 && to == len(word) || !before && !behind && !marked {
				continue
			}
			if found := s[reference{authority, word[from:to]}]; len(found) > 0 {
				if to-from > longest {
					out = nil
				}
				longest, out = to-from, append(out, found...)
			}
		}
	}
	return out
}

// mostGlued bounds the word that is taken apart.
const mostGlued = 64

// gluedEnds are the places in a word up to which such words and digits reach
// from its beginning, or from which they reach to its end, and whether a mark
// is among them.
func gluedEnds(word string, fromEnd bool) map[int]bool {
	at := 0
	if fromEnd {
		at = len(word)
	}
	out := map[int]bool{at: false}
	for todo := []int{at}; len(todo) > 0; todo = todo[1:] {
		here := todo[0]
		step := func(to int, mark bool) {
			was, known := out[to]
			if !known || !was && (out[here] || mark) {
				out[to], todo = out[here] || mark, append(todo, to)
			}
		}
		for _, w := range gluedWords {
			switch {
			case fromEnd && strings.HasSuffix(word[:here], w):
				step(here-len(w), slices.Contains(marks, w))
			case !fromEnd && strings.HasPrefix(word[here:], w):
				step(here+len(w), slices.Contains(marks, w))
			}
		}
		if fromEnd && here > 0 && word[here-1] >= '0' && word[here-1] <= '9' {
			step(here-1, false)
		}
		if !fromEnd && here < len(word) && word[here] >= '0' && word[here] <= '9' {
			step(here+1, false)
		}
	}
	return out
}

// tells: a word may be somebody's name, or part of one.
func tells(word string) bool {
	return strings.Trim(word, "0123456789") != "" && !slices.Contains(restWords, word)
}

// segmentsOf are the folders and the last part of a path; of a source with a
// prefix, below that: what is above it is the same for all that it lists.
func segmentsOf(c *config.Campaign, of Candidate) []string {
	path := of.Path.Mount + "/" + of.Path.Path
	for _, s := range c.Sources {
		if prefix := strings.Trim(s.Prefix, "/") + "/"; s.Name == of.Reason.Source && s.Prefix != "" && strings.HasPrefix(path, prefix) {
			return strings.Split(path[len(prefix):], "/")
		}
	}
	return strings.Split(of.Path.Path, "/")
}

// meansByWords keeps a path with each account that one of these names spells.
func (m *merger) meansByWords(c Candidate, known calledSo, names []string, at maybePath) {
	for _, authority := range m.mayNameAt(c) {
		for _, name := range names {
			for _, l := range known.spelled().in(authority, name) {
				l.maybe = append(l.maybe, at)
			}
		}
	}
}

// mayNameAt are the authorities whose account a candidate may name. One that is
// assumed is not named.
func (m *merger) mayNameAt(c Candidate) []string {
	return slices.DeleteFunc(append(m.c.Authorities(), credential.VaultAuthority), func(authority string) bool {
		return c.Authority != "" && !c.Assumed && authority != c.Authority && authority != credential.VaultAuthority
	})
}
