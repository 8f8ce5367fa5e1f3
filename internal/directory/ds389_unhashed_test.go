package directory

import (
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// Beside its hash a 389 Directory Server may keep each new password as it was
// sent, where an appliance that synchronises reads it.
func TestADirectoryThatLogsNewPasswordsAsTheyWereSentIsTold(t *testing.T) {
	t.Parallel()
	s := startDS389(t, lab.DS389Options{Accounts: lab.SeedAccounts("svc", 1)})
	c := open(t, configOf389(s), s.BinderPassword)
	told := func() (string, Check) {
		t.Helper()
		seen, err := c.LookAt(t.Context(), nil)
		require.NoError(t, err)
		text := ""
		for _, h := range seen.Hidden {
			if h.Code == credential.FindingStoredAsSent {
				require.Equal(t, s.LDAPS(), h.Server)
				text += h.Detail
			}
		}
		return text, byWhat(c.Check(t.Context()))[noteUnhashed]
	}
	text, row := told()
	require.Empty(t, text, "it keeps no retro changelog, so far as it shows")
	require.True(t, row.NotChecked, "%+v", row)
	require.Contains(t, row.Detail, unhashedSwitch)

	put389(t, s, "cn=config", unhashedSwitch, "on")
	put389(t, s, "cn=Retro Changelog Plugin,cn=plugins,cn=config", "nsslapd-pluginEnabled", "on")
	require.NoError(t, s.Restart(t.Context()))
	require.Eventually(t, func() bool {
		seen, err := c.LookAt(t.Context(), nil)
		return err == nil && len(seen.Hidden) > 0
	}, 5*time.Minute, 100*time.Millisecond)
	text, row = told()
	require.Contains(t, text, "whether new passwords stand there as they are does not show")
	require.True(t, row.NotChecked)

	aci := unhashedACI(s.BinderDN)
	grant389(t, s, "cn=config", aci[strings.Index(aci, "("):])
	require.Eventually(t, func() bool { // the server takes a rule in by and by
		text, row = told()
		return strings.Contains(text, "in its retro changelog (cn=changelog)")
	}, 5*time.Minute, 100*time.Millisecond)
	require.False(t, row.OK)
	require.True(t, credential.FindingStoredAsSent.Incomplete())
	// It is so.
	require.NoError(t, c.ResetPassword(t.Context(), s.AccountDN("svc0001"), credential.NewSecret("a-new-value-of-some-length-1"), credential.Secret{}))
	as389(t, s, func(l *ldap.Conn) error {
		got, err := l.Search(ldap.NewSearchRequest("cn=changelog", ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, "(changes=*)", []string{"changes"}, nil))
		require.NoError(t, err)
		changes := ""
		for _, e := range got.Entries {
			changes += e.GetAttributeValue("changes")
		}
		require.Contains(t, changes, "a-new-value-of-some-length-1")
		return nil
	})

	put389(t, s, "cn=config", unhashedSwitch, "nolog")
	text, row = told()
	require.Empty(t, text)
	require.True(t, row.OK && !row.NotChecked, "%+v", row)
}
