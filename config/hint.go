package config

import (
	"strings"

	"rollcall/internal/profile"
)

// fromEnvironment are keys people expect in the file and that Vault's own
// environment holds.
var fromEnvironment = map[string]string{
	"address":   "VAULT_ADDR",
	"addr":      "VAULT_ADDR",
	"namespace": "VAULT_NAMESPACE",
	"cacert":    "VAULT_CACERT",
}

// hint says which key was probably meant.
func hint(got string, keys []string) string {
	if env := fromEnvironment[got]; env != "" {
		return ": how to reach Vault comes from the environment (" + env + ")"
	}
	if s := nearest(got, keys); s != "" {
		return ": did you mean " + s + "?"
	}
	return "; known here: " + strings.Join(keys, ", ")
}

// nearest is the closest word with half of its letters in place and three
// slips at most, or "".
func nearest(got string, words []string) string {
	if len(got) > 40 {
		return ""
	}
	best, word := 1+min(3, max(1, len(got)/2)), ""
	for _, w := range words {
		if d := profile.Distance(strings.ToLower(got), w); d < best {
			best, word = d, w
		}
	}
	return word
}
