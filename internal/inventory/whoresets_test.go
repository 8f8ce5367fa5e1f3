package inventory

import (
	"context"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/lab"
)

// whoGoesFirst lists all accounts of a directory and gives those that may reset
// others and their place, with that of the rest.
func whoGoesFirst(t *testing.T, d config.Directory, password, filter string) (first map[string]int, rest int) {
	t.Helper()
	client, err := directory.Open("corp", d, func(context.Context) (credential.Secret, error) { return credential.NewSecret(password), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	c := campaign()
	c.Directories = map[string]config.Directory{"corp": d}
	c.Sources = []config.Source{bySource(filter)}
	roll, _, err := listIn(t.Context(), c, map[string]Directory{"corp": client}, emptyVault{}, "esg-01-1", time.Now())
	require.NoError(t, err)
	first = map[string]int{}
	for _, cred := range roll.Credentials {
		if details(roll, cred.ID, credential.FindingResetsOthers) != "" {
			first[cred.Name] = cred.Wave
		} else if cred.Problem == "" {
			rest = cred.Wave
		}
	}
	return first, rest
}

// Who may reset others by olcAccess goes before them, where bind.dn may see the
// rules: by name, and by a group.
func TestWhoMayResetOthersGoesFirstOnOpenLDAP(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	for shows, want := range map[bool]int{true: 1, false: 0} {
		s, err := lab.StartSlapd(t.Context(), lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Accounts: lab.SeedAccounts("svc", 3), ShowsConfig: shows})
		require.NoError(t, err)
		t.Cleanup(func() { _ = s.Stop(context.Background()) })
		first, rest := whoGoesFirst(t, slapdDirectory(s), s.BinderPassword, "(|(uid=svc*)(cn=writer))")
		require.Len(t, first, want)
		if shows {
			require.Contains(t, first, s.WriterDN)
			require.Less(t, first[s.WriterDN], rest)
		}
	}
}

// By an aci on the branch above, by name and by a group, on 389 Directory
// Server.
func TestWhoMayResetOthersGoesFirstOn389DirectoryServer(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartDS389(t.Context(), lab.DS389Options{Dir: t.TempDir(), CA: ca, Accounts: lab.SeedAccounts("svc", 4)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	d := config.Directory{
		Driver: config.DS389, Servers: []string{s.LDAPS()}, Base: s.BaseDN(), CA: s.CA,
		Bind: config.Bind{DN: s.BinderDN}, Connections: 8, Timeout: patience,
	}
	addLDIF(t, admin, "dn: cn=helpdesk,"+s.BaseDN()+"\nobjectClass: groupOfNames\ncn: helpdesk\nmember: "+s.AccountDN("svc0002"))
	rule := func(name, text string) string { return `(version 3.0; acl "` + name + `"; ` + text + `;)` }
	add := func(dn string, acis ...string) {
		m := ldap.NewModifyRequest(dn, nil)
		m.Add("aci", acis)
		require.NoError(t, admin.Modify(m))
		require.NoError(t, s.AwaitIdle(t.Context()))
	}
	add(s.PeopleDN(), `(targetattr="userPassword")`+rule("one", `allow (write) userdn="ldap:///`+s.AccountDN("svc0001")+`"`),
		`(targetattr="userPassword")`+rule("desk", `allow (write) groupdn="ldap:///cn=helpdesk,`+s.BaseDN()+`"`))
	first, _ := whoGoesFirst(t, d, s.BinderPassword, "(uid=svc*)")
	require.Empty(t, first, "the rules are not shown")
	add(s.BaseDN(), `(targetattr="aci || member")`+rule("shown", `allow (read, search, compare) userdn="ldap:///`+s.BinderDN+`"`))
	first, rest := whoGoesFirst(t, d, s.BinderPassword, "(uid=svc*)")
	require.Len(t, first, 2)
	for _, uid := range []string{"svc0001", "svc0002"} {
		require.Contains(t, first, s.AccountDN(uid))
		require.Less(t, first[s.AccountDN(uid)], rest)
	}
}
