package inventory

import (
	"context"
	"slices"
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

func TestAccountsOf389DirectoryServerAreFoundByAllTheirNamesAndFromEverySource(t *testing.T) {
	servers(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	accounts := lab.SeedAccounts("svc", 6)
	accounts[2].Attrs = map[string][]string{"mail": {"gateway@example.org"}}
	accounts[4].Attrs = map[string][]string{"description": {"lookup account of esg-01"}}
	s, err := lab.StartDS389(ctx, lab.DS389Options{Dir: t.TempDir(), CA: ca, Accounts: accounts})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	d := config.Directory{
		Driver: config.DS389, Servers: []string{s.LDAPS()}, Base: s.BaseDN(), CA: s.CA,
		Bind: config.Bind{DN: s.BinderDN}, Connections: 8, Timeout: patience,
	}
	client, err := directory.Open("ds", d, func(context.Context) (credential.Secret, error) { return credential.NewSecret(s.BinderPassword), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	ids := map[string]string{}
	require.NoError(t, client.Search(ctx, s.LDAPS(), s.PeopleDN(), "(uid=*)", nil, func(e directory.Entry) error {
		ids[e.DN] = e.ID
		return nil
	}))
	admin, err := s.AdminConn(ctx)
	require.NoError(t, err)
	defer admin.Close()
	const unseen = "uid=unseen,ou=sealed,dc=example,dc=org"
	for _, dn := range []string{s.AccountDN("certificate"), unseen} {
		addLDIF(t, admin, "dn: "+dn+"\nobjectClass: inetOrgPerson\ncn: x\nsn: x\ndescription: esg-01")
	}
	for _, m := range []struct{ attr, value string }{{"nsslapd-pluginEnabled", "on"}, {"aci", `(targetattr="*")(version 3.0; acl "seen"; allow (read, search) userdn="ldap:///` + s.BinderDN + `";)`}} {
		mod := ldap.NewModifyRequest("cn=PAM Pass Through Auth,cn=plugins,cn=config", nil)
		mod.Replace(m.attr, []string{m.value})
		require.NoError(t, admin.Modify(mod)) // it takes effect at the next start
	}
	addLDIF(t, admin, "dn: ou=zone,"+s.PeopleDN()+"\nobjectClass: organizationalUnit\ndescription: esg-01")
	require.NoError(t, realVault.SeedKV(ctx, map[string]map[string]any{"apps/ds389/ldap": {"password": "x"}}))
	require.NoError(t, realVault.SeedMetadata(ctx, map[string]map[string]any{"apps/ds389/ldap": {"account": "svc0004", "directory": "ds"}}))

	c := campaign()
	c.Directories = map[string]config.Directory{"ds": d}
	c.Sources = []config.Source{
		manifestSource("directory,account,path",
			"ds,SVC0001,kv/a#password",
			`ds,"UID=svc0001 , ou=People,dc=example,dc=org",kv/a2#password`,
			"ds,"+strings.ToUpper(ids[s.AccountDN("svc0002")])+",",
			"ds,gateway@example.org,",
			"ds,nobody,kv/nobody#password",
			"ds,00000000-11111111-22222222-33333333,kv/gone#password",
			`ds,"`+s.BinderDN+`",`,
		),
		{Name: "vault", Type: config.VaultKV, Prefix: "kv/apps/ds389"},
		{Name: "filter", Type: config.FromLDAP, Directory: "ds", Filter: "(description=*esg-01*)"},
	}
	roll, _, err := listIn(t.Context(), c, map[string]Directory{"ds": client}, openVault(t, realVault.RootToken().Reveal()), "esg-01-1", time.Now())
	require.NoError(t, err)
	got := byName(roll)
	for _, uid := range []string{"svc0001", "svc0002", "svc0003", "svc0004", "svc0005"} {
		dn := s.AccountDN(uid)
		require.Contains(t, got, dn)
		require.Equal(t, credential.LDAPPassword, got[dn].Kind)
		require.Equal(t, ids[dn], got[dn].Subject)
		require.Equal(t, "ds/"+ids[dn], got[dn].ID)
		require.Empty(t, got[dn].Problem)
	}
	require.Len(t, got[s.AccountDN("svc0001")].Paths, 2, "one account by two names")
	require.Equal(t, "kv/apps/ds389/ldap#password", got[s.AccountDN("svc0004")].Paths[0].String())
	require.Equal(t, "kv/rollcall/ds/svc0005#password", got[s.AccountDN("svc0005")].Paths[0].String())
	require.Equal(t, credential.NoAccount, got["nobody"].Problem)
	require.Equal(t, credential.NoAccount, got["00000000-11111111-22222222-33333333"].Problem)
	require.Equal(t, credential.OwnIdentity, got[s.BinderDN].Problem)
	require.True(t, slices.ContainsFunc(roll.Warnings, func(w Warning) bool {
		return w.Code == credential.FindingCheckedElsewhere && strings.Contains(w.Detail, "PAM Pass Through Auth is on")
	}), roll.Warnings)
	require.Equal(t, credential.NoPassword, got[s.AccountDN("certificate")].Problem)
	require.Equal(t, credential.NotAnAccount, got["ou=zone,"+s.PeopleDN()].Problem)
	require.Empty(t, got[unseen].Problem, "where userPassword may not be searched nothing is guessed")
	require.Len(t, roll.Credentials, 5+3+3)
}
