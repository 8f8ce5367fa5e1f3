package directory

import (
	"fmt"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
)

func TestOfASecretOnlyHowItIsKeptLeavesThisPackage(t *testing.T) {
	c := &Client{driver: drivers[config.OpenLDAP]}
	for value, want := range map[string]Stored{
		"{SSHA}PLANTED": {Scheme: "SSHA"}, "{sasl}PLANTED": {Scheme: "SASL"}, "PLANTED": {}, "!PLANTED": {},
		"{CRYPT}$6$PLANTED": {Scheme: "CRYPT"}, "{CRYPT}!$6$PLANTED": {Scheme: "CRYPT", Void: true}, "{CRYPT}*": {Scheme: "CRYPT", Void: true},
		"{CRYPT}x": {Scheme: "CRYPT", Void: true}, "{CRYPT}": {Scheme: "CRYPT", Void: true}, "{SSHA}!PLANTED": {Scheme: "SSHA", Void: true},
		"!{SSHA}PLANTED": {Scheme: "SSHA", Void: true}, "{PBKDF2-SHA512}PLANTED": {Scheme: "PBKDF2-SHA512"}, "{not a scheme}PLANTED": {},
	} {
		e := ldap.NewEntry("uid=x", map[string][]string{"USERPASSWORD": {value}, "sambaNTPassword": {value}, "uid": {"x"}})
		got := c.entry(e, []string{"uid", "userPassword", "sambaNTPassword", "krbPrincipalKey"})
		require.Equal(t, map[string][]string{"uid": {"x"}}, got.Attrs)
		require.Equal(t, []Stored{want}, got.Stored["userPassword"], value)
		require.Len(t, got.Stored, 2)
		require.NotContains(t, fmt.Sprintf("%+v", got), "PLANTED")
	}
}
