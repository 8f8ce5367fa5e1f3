package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCommandsAboutWhatVaultKeepsRunNothingThatItsNameSays(t *testing.T) {
	require.Equal(t, "vault write -f ldap/rotate-role/one", staticRole("static-role").rotate("ldap", "one"))
	require.Equal(t, "vault write -f 'ldap/rotate-role/$(id)'", staticRole("static-role").rotate("ldap", "$(id)"))
	require.Contains(t, checkOutSets.rotate("ldap", "a;b"), "(vault write -f 'ldap/library/a;b/check-out', then check-in)")
	require.Contains(t, vaultUse{at: "auth/ldap/config"}.told(), ": vault write auth/ldap/config bindpass=… (")
	require.Contains(t, vaultUse{at: "db/config/x|y", write: "password=…"}.told(), ": vault write 'db/config/x|y' password=… (")
}
