package paste

import (
	"encoding/csv"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// word is what YAML reads as a text wherever it stands, if it is none of
// otherThan: it begins with a letter and has nothing that parts things.
var word = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_./=@+-]*$`)

// otherThan are words that YAML, in one version or another, reads as something
// else than a text (https://yaml.org/type/bool.html, /null.html).
var otherThan = []string{"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

// YAML is a value as YAML reads it back, alone or in braces: as it is where it
// is a plain word, else in double quotes.
func YAML(value string) string {
	if word.MatchString(value) && !slices.Contains(otherThan, strings.ToLower(value)) {
		return value
	}
	return QuotedYAML(value)
}

// QuotedYAML is YAML with quotes in any case. A terminal may break the line at
// a blank, which YAML then reads as a blank: so those that would be lost, at
// the ends and one after the other, are written as what they are.
func QuotedYAML(value string) string {
	var b strings.Builder
	b.WriteByte('"')
	blank := true
	for i, r := range value {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r == ' ' && (blank || i == len(value)-1):
			b.WriteString(`\x20`)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r == utf8.RuneError || !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
		blank = r == ' '
	}
	return b.String() + `"`
}

// Left stands in a row for what a person has to write.
const Left = "…"

// quotedKeys are those whose values are names from outside: always in quotes,
// which is how the docs show them.
var quotedKeys = []string{"account", "path", "server", "vault"}

// Row is an entry of a list of the campaign file, in one line: keys and their
// values by turns, and last of all the reason, which a person has to give.
func Row(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		key, value := pairs[i], pairs[i+1]
		switch {
		case value == Left || key == "only":
		case slices.Contains(quotedKeys, key):
			value = QuotedYAML(value)
		default:
			value = YAML(value)
		}
		b.WriteString(key + ": " + value + ", ")
	}
	return "{" + b.String() + "reason: " + Left + "}"
}

// Entry is Row with the section of the campaign file in which it belongs.
func Entry(section string, pairs ...string) string { return section + ": - " + Row(pairs...) }

// CSV is a line of a manifest in CSV.
func CSV(cells ...string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(cells) // a builder takes all
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}
