package credential

import (
	"errors"
	"strings"
)

// Path is one field of one KV v2 secret.
type Path struct {
	Mount string `json:"mount"` // without slashes at the ends: "kv"
	Path  string `json:"path"`  // below the mount, without "data/": "apps/esg-01/ldap"
	Field string `json:"field"` // key in the secret's data: "password"
}

// PathVersion is one version of a secret.
type PathVersion struct {
	Path
	Version int `json:"version"`
}

// String is the form used in campaign files and reports: mount/path#field.
func (p Path) String() string {
	return p.Mount + "/" + p.Path + "#" + strings.ReplaceAll(p.Field, fieldSeparator, ",")
}

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
	return Path{Mount: mount, Path: path, Field: field}, nil
}
