package logs

import (
	"context"
	"crypto/tls"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/lab"
)

func TestWhatSambaWritesOfAccountsThatAreMadeAndKeysIsReadLineForLine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartSamba(ctx, lab.SambaOptions{Dir: t.TempDir(), CA: ca, Audit: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	conn, err := s.DialFrom("127.0.0.6", "ldaps")
	require.NoError(t, err)
	c := ldap.NewConn(tls.Client(conn, trusts(ca)), true)
	c.Start()
	defer c.Close()
	require.NoError(t, c.Bind(s.AdminDN, s.AdminPassword))
	made, renamed := "CN=made,CN=Users,"+s.BaseDN(), "CN=renamed,CN=Users,"+s.BaseDN()
	add := ldap.NewAddRequest(made, nil)
	add.Attribute("objectClass", []string{"user"})
	add.Attribute("sAMAccountName", []string{"made"})
	add.Attribute("unicodePwd", []string{inQuotes("Made-pass-12345")})
	add.Attribute("userAccountControl", []string{"512"})
	require.NoError(t, c.Add(add))
	modify := func(how func(m *ldap.ModifyRequest)) {
		m := ldap.NewModifyRequest(made, nil)
		how(m)
		require.NoError(t, c.Modify(m))
	}
	modify(func(m *ldap.ModifyRequest) { m.Add("userCertificate", []string{"0\x82\x01\x02"}) })
	modify(func(m *ldap.ModifyRequest) {
		m.Replace("altSecurityIdentities", []string{"X509:<SKI>0123"})
		m.Replace("description", []string{"x"})
	})
	modify(func(m *ldap.ModifyRequest) { m.Replace("userAccountControl", []string{"514"}) })
	modify(func(m *ldap.ModifyRequest) { m.Replace("userAccountControl", []string{"512"}) })
	modify(func(m *ldap.ModifyRequest) { m.Delete("userCertificate", []string{"0\x82\x01\x02"}) })
	require.NoError(t, c.ModifyDN(ldap.NewModifyDNRequest(made, "CN=renamed", true, "")))
	require.NoError(t, c.Del(ldap.NewDelRequest(renamed, nil)))
	require.Error(t, c.Del(ldap.NewDelRequest(renamed, nil)), "it is gone")
	log, err := os.ReadFile(s.LogFile())
	require.NoError(t, err)
	events, _, unreadable := readText(t, "samba", string(log))
	require.Empty(t, unreadable)
	by := `example\administrator`
	lower := strings.ToLower
	require.Equal(t, []done{
		{by, "127.0.0.6", event.Made, lower(made), ""},
		{by, "127.0.0.6", event.Reset, lower(made), ""},
		{by, "127.0.0.6", event.NewKey, lower(made), ""},
		{by, "127.0.0.6", event.NewKey, lower(made), ""},
		{by, "127.0.0.6", event.Disabled, lower(made), ""},
		{by, "127.0.0.6", event.Enabled, lower(made), ""},
		{by, "127.0.0.6", event.Removed, lower(renamed), ""},
		{by, "127.0.0.6", event.Removed, lower(renamed), ""},
	}, donesOf(events, "127.0.0.6"))
	require.NotContains(t, strings.ToLower(string(log)), `"operation": "rename"`, "Samba 4.17 writes nothing of a name that is changed")
	// The controller does things of its own meanwhile.
	ours := slices.DeleteFunc(events, func(e event.Event) bool { return e.Address.String() != "127.0.0.6" })
	last := ours[len(ours)-1]
	require.Equal(t, event.Failed, last.Outcome)
	require.Equal(t, "No such object", last.Code)
}
