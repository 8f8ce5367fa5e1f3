package inventory

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/lab"
)

// A directory logs each new password as it is sent, and an account of the roll
// may read that log: what is set there waits for it.
func TestWhoReadsALogWithNewPasswordsHoldsItsDirectoryUp(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartDS389(t.Context(), lab.DS389Options{Dir: t.TempDir(), CA: ca, Accounts: lab.SeedAccounts("svc", 3)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	change := func(dn string, with func(*ldap.ModifyRequest)) {
		admin, err := s.AdminConn(t.Context())
		require.NoError(t, err)
		defer admin.Close()
		m := ldap.NewModifyRequest(dn, nil)
		with(m)
		require.NoError(t, admin.Modify(m))
	}
	change("cn=config", func(m *ldap.ModifyRequest) { m.Replace("nsslapd-unhashed-pw-switch", []string{"on"}) })
	change("cn=Retro Changelog Plugin,cn=plugins,cn=config", func(m *ldap.ModifyRequest) { m.Replace("nsslapd-pluginEnabled", []string{"on"}) })
	require.NoError(t, s.Restart(t.Context()))
	d := config.Directory{Driver: config.DS389, Servers: []string{s.LDAPS()}, Base: s.BaseDN(), CA: s.CA, Bind: config.Bind{DN: s.BinderDN}, Connections: 8, Timeout: patience}
	client, err := directory.Open("corp", d, func(context.Context) (credential.Secret, error) { return credential.NewSecret(s.BinderPassword), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	list := func(accept ...config.Accept) (*credential.Roll, map[string]credential.Credential) {
		c := campaign()
		c.Directories, c.Accept = map[string]config.Directory{"corp": d}, accept
		c.Sources = []config.Source{bySource("(uid=svc*)")}
		roll, _, err := listIn(t.Context(), c, map[string]Directory{"corp": client}, emptyVault{}, "esg-01-1", time.Now())
		require.NoError(t, err)
		return roll, byName(roll)
	}
	roll, _ := list()
	require.Eventually(t, func() bool { // the log is there a while after the start
		roll, _ = list()
		return strings.Contains(warned(roll), "who may read cn=changelog (its aci) is not shown to bind.dn")
	}, 5*time.Minute, 100*time.Millisecond)

	reader := s.AccountDN("svc0002")
	change("cn=changelog", func(m *ldap.ModifyRequest) {
		m.Add("aci", []string{`(targetattr="aci || objectClass")(version 3.0; acl "shown"; allow (read, search) userdn="ldap:///` + s.BinderDN + `";)`,
			`(targetattr="*")(version 3.0; acl "it synchronises"; allow (read, search) userdn="ldap:///` + reader + `";)`})
	})
	require.Eventually(t, func() bool { // the server takes a rule in by and by
		var got map[string]credential.Credential
		roll, got = list()
		return got[reader].ReadsOthers && !got[s.AccountDN("svc0003")].ReadsOthers
	}, 5*time.Minute, 100*time.Millisecond)
	got := byName(roll)
	require.Contains(t, details(roll, got[reader].ID, credential.FindingReadsOthers), "read the changes of corp as it logs them (cn=changelog)")
	require.Less(t, got[reader].Wave, got[s.AccountDN("svc0003")].Wave)
	_, got = list(config.Accept{Directory: "corp", Finding: credential.FindingStoredAsSent, Reason: "nobody but it reads that"})
	require.False(t, got[reader].ReadsOthers)
}
