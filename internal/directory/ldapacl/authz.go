package ldapacl

import "strings"

// AuthzFrom reads one value of authzFrom (OpenLDAP Admin Guide 15.3.2): whom it
// names. A form that is not known names everybody, for an account that goes
// first without need costs nothing.
func AuthzFrom(text string) func(dn string) bool {
	text = ordered.ReplaceAllString(strings.TrimSpace(text), "")
	kind, value, has := strings.Cut(text, ":")
	kind, style, _ := strings.Cut(strings.ToLower(kind), ".")
	if !has || kind != "dn" || value == "*" {
		if !strings.Contains(text, ":") && strings.Contains(text, "=") {
			style, value = "exact", text // a plain DN
		} else {
			return func(string) bool { return true }
		}
	}
	if style == "" {
		style = "exact"
	}
	matches, _ := dnStyle(style, value)
	return matches
}
