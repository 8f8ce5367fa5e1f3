package vault

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// userKeys are the names under which secrets and documents keep whose password it is.
var userKeys = []string{"user", "username", "userid", "uid", "login", "loginname", "account", "accountname", "samaccountname", "binddn", "binduser", "bindusername", "dn", "ldapuser", "serviceaccount", "principal"}

func isUserKey(name string) bool {
	return slices.Contains(userKeys, strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(name)))
}

const (
	usersMost     = 16
	userBytesMost = 512 // a DN
)

// Users are what the secret says of a user: in a field with such a name, in an address, a
// connection string or a document. Nobody vouches for it. It may be anything, a password that
// lies in the wrong field too: compare it, and do not print it.
func (l Live) Users() []string {
	var out []string
	usersIn(l.data, &out)
	slices.Sort(out)
	return slices.Compact(out)
}

func usersIn(data map[string]any, out *[]string) {
	add := func(user string) {
		if user = strings.TrimSpace(user); user != "" && len(user) <= userBytesMost && len(*out) < usersMost {
			*out = append(*out, user)
		}
	}
	for key, v := range data {
		switch v := v.(type) {
		case map[string]any:
			usersIn(v, out)
		case string:
			if isUserKey(key) {
				add(v)
			}
			text := strings.TrimSpace(v)
			var doc map[string]any
			switch {
			case strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &doc) == nil:
				usersIn(doc, out)
			case schemes.MatchString(text):
				if _, rest, _ := strings.Cut(text, "//"); strings.Contains(rest, "@") {
					user, _, _ := strings.Cut(rest[:strings.LastIndex(rest, "@")], ":")
					if plain, err := url.PathUnescape(user); err == nil {
						add(plain)
					}
				}
			default:
				found := pairs(text)
				for _, p := range found {
					if len(found) > 1 && isUserKey(p.key) {
						add(strings.Trim(p.value, `'"`))
					}
				}
			}
		}
	}
}
