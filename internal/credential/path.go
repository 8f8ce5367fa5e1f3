package credential

import (
	"errors"
	"regexp"
	"strings"
)

// Path is one field of one KV v2 secret.
type Path struct {
	Mount string `json:"mount"` // without slashes at the ends: "kv"
	Path  string `json:"path"`  // below the mount, without "data/": "apps/esg-01/ldap"
	Field string `json:"field"` // key in the secret's data: "password"; empty where none is known
}

// PathVersion is one version of a secret.
type PathVersion struct {
	Path
	Version int `json:"version"`
}

// A name may have what divides a reference: a "#" in it is written as %23, and
// a comma in a field as %2C. A "%" before one of those numbers, or its own, is
// written as %25; any other stands as it is, for names may have that too.
var (
	dividers = regexp.MustCompile(`#|,|%(?:23|25|2C)`)
	escaped  = regexp.MustCompile(`%(?:23|2C|25(?:23|25|2C))`)
)

func escape(name string, comma bool) string {
	return dividers.ReplaceAllStringFunc(name, func(found string) string {
		switch {
		case found == "#":
			return "%23"
		case found == "," && comma:
			return "%2C"
		case found == ",":
			return found
		}
		return "%25" + found[1:]
	})
}

func unescape(text string) string {
	return escaped.ReplaceAllStringFunc(text, func(found string) string {
		switch found {
		case "%23":
			return "#"
		case "%2C":
			return ","
		}
		return "%" + found[3:]
	})
}

// String is the form used in campaign files and reports: mount/path#field.
// Several fields stand behind one another, with commas. A secret of which no
// field is known is mount/path.
func (p Path) String() string {
	if p.Field == "" {
		return p.Secret()
	}
	fields := p.Fields()
	for i, f := range fields {
		fields[i] = escape(f, true)
	}
	return p.Secret() + "#" + strings.Join(fields, ",")
}

// Secret is the form of the secret as a whole: mount/path.
func (p Path) Secret() string { return escape(p.Mount, false) + "/" + escape(p.Path, false) }

// ParsePath reads the form that String writes. The mount is the first
// segment. The error names what is missing and not the text, which may be a
// secret in the wrong place; the caller adds the file and line.
func ParsePath(s string) (Path, error) {
	place, field, ok := strings.Cut(s, "#")
	if !ok || field == "" {
		return Path{}, errors.New("it has no #field: write mount/path#field")
	}
	mount, path, ok := strings.Cut(strings.Trim(place, "/"), "/")
	if !ok || mount == "" || path == "" {
		return Path{}, errors.New("it has no path below a mount: write mount/path#field")
	}
	fields := strings.Split(field, ",")
	for i, f := range fields {
		fields[i] = unescape(f)
	}
	return Path{Mount: unescape(mount), Path: unescape(path), Field: strings.Join(fields, fieldSeparator)}, nil
}
