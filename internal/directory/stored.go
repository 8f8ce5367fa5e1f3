package directory

import (
	"regexp"
	"strings"
)

// Stored is how an entry keeps one secret, without the secret: entries that leave
// this package never hold one, nor a hash of one.
type Stored struct {
	// Scheme is what stands in braces before the value, in capitals (RFC 2307, 5.3); empty
	// without one.
	Scheme string
	// Void: no password matches the value, and whoever wrote it meant that.
	Void bool
}

// secretAttributes hold secrets or what stands for them: of these a search says
// how many there are and how they are kept, and no more.
var secretAttributes = map[string]bool{
	"userpassword": true, "unicodepwd": true, "authpassword": true, "clearpassword": true,
	"sambantpassword": true, "sambalmpassword": true, "ipanthash": true, "krbprincipalkey": true,
	"radiuspassword": true, "astaccountsecret": true, "astaccountrealmedpassword": true,
}

func isSecret(attr string) bool { return secretAttributes[strings.ToLower(attr)] }

var scheme = regexp.MustCompile(`^([!*]*)\{([A-Za-z0-9._-]+)\}`)

// storedAs reads how a value is kept.
func storedAs(value string) Stored {
	m := scheme.FindStringSubmatch(value)
	if m == nil {
		return Stored{}
	}
	s := Stored{Scheme: strings.ToUpper(m[2])}
	rest := value[len(m[0]):]
	// "!" or "*" is how passwd -l, LDAP Account Manager and smbldap-tools lock, before
	// the scheme or behind it; crypt(3) gives neither, and "x" alone is no hash.
	s.Void = m[1] != "" || rest == "" || rest == "x" || rest[0] == '!' || rest[0] == '*'
	return s
}

func storedValues(values []string) []Stored {
	out := make([]Stored, 0, len(values))
	for _, v := range values {
		out = append(out, storedAs(v))
	}
	return out
}
