package ldapacl

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAuthzFromNamesWhomItSays(t *testing.T) {
	const dn = "uid=webmail,ou=people,dc=example,dc=org"
	for text, want := range map[string]bool{
		dn: true, "dn:" + dn: true, "{0}dn.exact:" + dn: true, "dn.children:ou=people,dc=example,dc=org": true,
		"dn.regex:^uid=[^,]*,ou=people,dc=example,dc=org$": true, "dn:*": true, "*": true, "u:webmail": true,
		"group/groupOfNames/member:cn=x,dc=example,dc=org": true, "ldap:///dc=example,dc=org??sub?(uid=x)": true,
		"dn.exact:uid=other,ou=people,dc=example,dc=org": false, "dn.onelevel:dc=example,dc=org": false,
	} {
		require.Equal(t, want, AuthzFrom(text)(dn), text)
	}
}
