package door

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// What a login at a door cannot carry is said, and nothing more: a value that
// it can carry must be asked about.
func TestWhatALoginAtADoorCannotCarryIsKnownBeforeItIsAsked(t *testing.T) {
	const plain, line, zero, beyond, blank, latin, foul = "Xy-_.1!:{}", "a\nb", "a\x00b", "\xff", "two words", "pässwörd", "\xc3\x28"
	long := strings.Repeat("x", 129)
	all := map[string]string{"plain": plain, "line": line, "zero": zero, "255": beyond, "blank": blank, "beyond ascii": latin, "no utf-8": foul, "long": long}
	for _, row := range []struct {
		types []string
		auth  Auth
		not   []string
	}{
		{[]string{"imap", "imaps", "submission", "smtps"}, "", []string{"zero"}},
		{[]string{"pop3", "pop3s"}, "", []string{"line", "zero"}},
		{[]string{"ftp", "ftps"}, "", []string{"line", "zero", "255"}},
		{[]string{"http", "https"}, "", []string{"line", "zero"}},
		{[]string{"http", "https"}, ByForm, nil},
		{[]string{"http", "https"}, ByBearer, []string{"line", "zero", "255", "blank", "beyond ascii", "no utf-8"}},
		{[]string{"http", "https"}, ByHeader, []string{"line", "zero", "255", "blank", "beyond ascii", "no utf-8"}},
		{[]string{"vault"}, "", []string{"255", "no utf-8"}},
		{[]string{"vault"}, ByAppRole, []string{"255", "no utf-8"}},
		{[]string{"vault"}, ByToken, []string{"line", "zero", "255", "blank", "beyond ascii", "no utf-8"}},
		{[]string{"postgres", "mysql"}, "", []string{"zero"}},
		{[]string{"radius"}, "", []string{"zero", "long"}},
		{[]string{"radius"}, BySecret, nil},
		{[]string{"smb"}, "", []string{"zero", "255", "no utf-8"}},
		{[]string{"ldap", "ldaps", "snmp", "snmpv2c"}, "", nil},
		{[]string{"ssh"}, "", nil},
		{[]string{"ssh"}, ByKey, nil},
	} {
		for _, name := range row.types {
			s := Settings{Type: name, Auth: row.auth}
			for what, text := range all {
				why := s.CannotCarry(credential.NewSecret(text))
				cannot := false
				for _, n := range row.not {
					cannot = cannot || n == what
				}
				require.Equal(t, cannot, why != "", "%s %s: %s: %s", name, row.auth, what, why)
				require.NotContains(t, why, text)
			}
			require.NotEmpty(t, s.CannotCarry(credential.Secret{}))
		}
	}
	require.Empty(t, Settings{Type: "radius"}.CannotCarry(credential.NewSecret(long[:128])))
}
