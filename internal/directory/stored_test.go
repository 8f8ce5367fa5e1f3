package directory

import (
	"fmt"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
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

// Of each attribute that keeps the password once more (Samba, Heimdal, IPA,
// FreeRADIUS, Asterisk, Courier, H.350) it is known that it is there, and what
// it holds does not leave.
func TestEachSecondCopyIsNamedAndItsValueDoesNotLeave(t *testing.T) {
	c := &Client{driver: drivers[config.OpenLDAP]}
	for _, a := range copyAttributes {
		e := c.entry(ldap.NewEntry("uid=x", map[string][]string{a: {"PLANTED"}}), KeptAttributes)
		require.NotContains(t, fmt.Sprintf("%+v", e), "PLANTED", a)
		require.Equal(t, []string{a}, Copies(e))
		require.Contains(t, Hindrances(e), credential.SecondCopy)
	}
	require.Contains(t, copyAttributes, "krb5Key")
	require.True(t, storedAs("{K5KEY}").Elsewhere(), "smbk5pwd asks the Kerberos key")
}
