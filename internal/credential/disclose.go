package credential

import "regexp"

// What people write (reasons, notes, answers) goes into the ledger, which is
// for outsiders. Whether a word is a secret nobody can tell from the word; of
// these forms anybody can.
var disclosing = []struct {
	what string
	form *regexp.Regexp
}{
	{"an address with a login in it", regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*://[^/\s]*@`)},
	// developer.hashicorp.com/vault/docs/concepts/tokens: hvs., hvb. and hvr.
	{"a token of Vault", regexp.MustCompile(`\bhv[sbr]\.[A-Za-z0-9_-]{20,}`)},
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY`)},
}

// Discloses says what in a text gives a secret away by its form alone; empty if
// nothing does. It does not repeat it.
func Discloses(text string) string {
	for _, d := range disclosing {
		if d.form.MatchString(text) {
			return d.what
		}
	}
	return ""
}
