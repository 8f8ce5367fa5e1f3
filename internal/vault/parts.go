package vault

import (
	"fmt"
	"strings"

	"rollcall/internal/credential"
	"rollcall/internal/plural"
)

// A value of several parts has a field for each (credential.NewParts). They are
// read and written together, as they stand: what has parts is a certificate or
// the like, and nothing that somebody wraps in a document.

// ofParts is l with the value that several fields hold. A secret that has none
// of them has no field; one that lacks some has a value with those empty, which
// is another one than any that was made.
func (l Live) ofParts(fields []string) Live {
	var parts []credential.Secret
	some := false
	for _, f := range fields {
		v, has := l.data[f]
		text, isText := v.(string)
		if has && !isText {
			l.Problem = credential.UnusableValue
			return l
		}
		some = some || text != ""
		parts = append(parts, credential.NewSecret(text))
	}
	if !some {
		l.Problem = credential.NoField
		return l
	}
	l.Value, l.Found = credential.NewParts(parts...), true
	return l
}

// partsOf gives the part for each field of a path; nil where it has one field.
func partsOf(field string, value credential.Secret) (map[string]credential.Secret, error) {
	fields := (credential.Path{Field: field}).Fields()
	parts, several := value.Parts()
	switch {
	case len(fields) == 1 && !several:
		return nil, nil
	case len(fields) != len(parts):
		return nil, fmt.Errorf("fields %s: the new value has %s; nothing was written", strings.Join(fields, ", "), plural.Count(max(1, len(parts)), "part", "parts"))
	}
	out := map[string]credential.Secret{}
	for i, f := range fields {
		if _, twice := out[f]; twice {
			return nil, fmt.Errorf("fields %s: one is named twice; nothing was written", strings.Join(fields, ", "))
		}
		out[f] = parts[i]
	}
	return out, nil
}

// withParts is data with each part in its field.
func withParts(data map[string]any, parts map[string]credential.Secret) map[string]any {
	for f, p := range parts {
		data[f] = p.Reveal()
	}
	return data
}
