package directory

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
)

// Where new passwords stand in a log of changes as they were sent, who may read
// that log may read each of them, whatever the rules of the directory's own
// tree say.
func TestWhoMayReadALogWithNewPasswordsIsFoundByTheRulesOfTheLog(t *testing.T) {
	t.Parallel()
	accounts := lab.SeedAccounts("svc", 3)
	s := startDS389(t, lab.DS389Options{Accounts: accounts})
	c := open(t, configOf389(s), s.BinderPassword)
	var ids []string
	for n := range 3 {
		e, _, err := c.one(t.Context(), s.LDAPS(), "", s.AccountDN(accounts[n].UID), ldap.ScopeBaseObject, "(objectClass=*)", []string{"nsUniqueId"})
		require.NoError(t, err)
		ids = append(ids, e.ID)
	}
	readers := func() ([]string, error) {
		var got Resets
		err := c.AddLogReaders(t.Context(), ids, &got)
		slices.Sort(got.Readers)
		return got.Readers, err
	}
	got, err := readers()
	require.NoError(t, err)
	require.Empty(t, got, "it keeps no such log")

	put389(t, s, "cn=config", unhashedSwitch, "on")
	put389(t, s, "cn=Retro Changelog Plugin,cn=plugins,cn=config", "nsslapd-pluginEnabled", "on")
	require.NoError(t, s.Restart(t.Context()))
	require.Eventually(t, func() bool {
		_, err = readers()
		return err != nil && strings.Contains(err.Error(), "who may read cn=changelog (its aci) is not shown to bind.dn")
	}, 5*time.Minute, 100*time.Millisecond)

	grant389(t, s, "cn=changelog", fmt.Sprintf(`(targetattr="aci || objectClass")(version 3.0; acl "rules are shown"; allow (read, search) userdn="ldap:///%s";)`, s.BinderDN))
	grant389(t, s, "cn=changelog", fmt.Sprintf(`(targetattr="*")(version 3.0; acl "an appliance synchronises"; allow (read, search) userdn="ldap:///%s";)`, s.AccountDN("svc0002")))
	require.Eventually(t, func() bool { // the server takes a rule in by and by
		got, err = readers()
		return err == nil && slices.Contains(got, ids[1])
	}, 5*time.Minute, 100*time.Millisecond, "%v", err)
	// It is so, of each of them.
	const value = "a-new-value-of-some-length-1"
	require.NoError(t, c.ResetPassword(t.Context(), s.AccountDN("svc0001"), credential.NewSecret(value), credential.Secret{}))
	for n, id := range ids {
		conn, err := ldap.DialURL(s.LDAP())
		require.NoError(t, err)
		defer conn.Close()
		password := accounts[n].Password
		if n == 0 {
			password = value
		}
		require.NoError(t, conn.Bind(s.AccountDN(accounts[n].UID), password))
		changes := ""
		if res, err := conn.Search(ldap.NewSearchRequest("cn=changelog", ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, "(changes=*)", []string{"changes"}, nil)); err == nil {
			for _, e := range res.Entries {
				changes += e.GetAttributeValue("changes")
			}
		}
		require.Equal(t, strings.Contains(changes, value), slices.Contains(got, id), accounts[n].UID)
	}
	as := map[string][]string{ids[1]: {byLog}}
	still, err := c.StillRead(t.Context(), as, ids)
	require.NoError(t, err)
	require.True(t, still[ids[1]])

	put389(t, s, "cn=config", unhashedSwitch, "nolog")
	grant389(t, s, "cn=config", unhashedACI(s.BinderDN)[strings.Index(unhashedACI(s.BinderDN), "("):])
	require.Eventually(t, func() bool {
		got, err = readers()
		return err == nil && len(got) == 0
	}, 5*time.Minute, 100*time.Millisecond, "%v", err)
	still, err = c.StillRead(t.Context(), as, ids)
	require.NoError(t, err)
	require.False(t, still[ids[1]], "and what waited for it goes on")
}
