package credential

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A value may have several parts: a certificate with its key and its chain, a
// token with its accessor. They are one Secret, so that they are staged, set,
// activated and redacted as one. A live path of such a value names a field for
// each part, in the order in which the kind has them (Traits.Field,
// Traits.More).

// partsPrefix begins the text of a Secret with parts. No authority of a kind
// without parts would take it.
const partsPrefix = "rollcall-parts/1:"

// NewParts is a value of several parts.
func NewParts(parts ...Secret) Secret {
	texts := make([]string, 0, len(parts))
	for _, p := range parts {
		texts = append(texts, p.Reveal())
	}
	text, _ := json.Marshal(texts) // strings always marshal
	return NewSecret(partsPrefix + string(text))
}

// Parts are those of a value that has several, in order; false if it has not.
func (s Secret) Parts() ([]Secret, bool) {
	text, ok := strings.CutPrefix(s.Reveal(), partsPrefix)
	var texts []string
	if !ok || json.Unmarshal([]byte(text), &texts) != nil {
		return nil, false
	}
	out := make([]Secret, 0, len(texts))
	for _, t := range texts {
		out = append(out, NewSecret(t))
	}
	return out, true
}

// fieldSeparator stands between the fields of a path in Path.Field, which is
// text so that paths stay comparable. A comma is not it: fields may have one.
const fieldSeparator = "\x1f"

// Fields are the fields of the secret that hold the value, one for each part.
func (p Path) Fields() []string { return strings.Split(p.Field, fieldSeparator) }

// Fields are the usual fields of a value of the kind, as Path.Field has them.
func (t Traits) Fields() string {
	return strings.Join(append([]string{t.Field}, t.More...), fieldSeparator)
}

// FieldsOf reads the fields of a reference as Path.Field has them: for a kind
// whose values have several parts they stand behind one another, with commas.
func (t Traits) FieldsOf(field string) (string, error) {
	if len(t.More) == 0 {
		return field, nil
	}
	fields := strings.Split(field, ",")
	if len(fields) != 1+len(t.More) {
		return "", fmt.Errorf("%s has %d parts: name a field for each, in this order: #%s", t.Kind, 1+len(t.More), strings.Join(append([]string{t.Field}, t.More...), ","))
	}
	return strings.Join(fields, fieldSeparator), nil
}
