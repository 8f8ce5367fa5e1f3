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

// A directory keeps passwords as they are, and an account of the roll may read
// them.
func TestWhoReadsADirectoryThatKeepsPasswordsAsTheyAreHoldsItUp(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartSlapd(t.Context(), lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Accounts: lab.SeedAccounts("svc", 3), ShowsConfig: true, KeepsClear: true})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	d := slapdDirectory(s)
	client, err := directory.Open("corp", d, func(context.Context) (credential.Secret, error) { return credential.NewSecret(s.BinderPassword), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	list := func(accept ...config.Accept) (warned, accepted int, roll *credential.Roll) {
		c := campaign()
		c.Directories, c.Accept = map[string]config.Directory{"corp": d}, accept
		c.Sources = []config.Source{bySource("(|(uid=svc*)(cn=writer))")}
		roll, _, err := listIn(t.Context(), c, map[string]Directory{"corp": client}, emptyVault{}, "esg-01-1", time.Now())
		require.NoError(t, err)
		for _, w := range roll.Warnings {
			switch w.Code {
			case credential.FindingStoredAsSent:
				warned++
			case credential.FindingAccepted:
				accepted++
			}
		}
		return warned, accepted, roll
	}
	warned, _, roll := list()
	require.Zero(t, warned)
	require.False(t, byName(roll)[s.WriterDN].ReadsOthers, "hashes are of no use to it")

	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	m := ldap.NewModifyRequest(s.AccountDN("svc0001"), nil)
	m.Replace("userPassword", []string{"as it is"})
	require.NoError(t, admin.Modify(m))
	warned, _, roll = list()
	require.Equal(t, 1, warned)
	require.Positive(t, roll.Incomplete())
	got := byName(roll)
	require.True(t, got[s.WriterDN].ReadsOthers, "who may write it may read it")
	require.Contains(t, details(roll, got[s.WriterDN].ID, credential.FindingReadsOthers), "read the passwords of accounts of corp")
	require.False(t, got[s.AccountDN("svc0002")].ReadsOthers)
	require.Less(t, got[s.WriterDN].Wave, got[s.AccountDN("svc0002")].Wave)

	warned, accepted, roll := list(config.Accept{Directory: "corp", Finding: credential.FindingStoredAsSent, Reason: "the scheme was changed on Monday"})
	require.Equal(t, []int{0, 1}, []int{warned, accepted})
	require.False(t, byName(roll)[s.WriterDN].ReadsOthers)
}

// Who may act for others by what his entry says, or theirs, sets their
// passwords as them, or as an administrator among them. The policy does not
// show here, so what entries say counts.
func TestWhoMayActForOthersGoesFirstOnOpenLDAP(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartSlapd(t.Context(), lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Accounts: lab.SeedAccounts("svc", 4)})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	for dn, says := range map[string][2]string{
		s.AccountDN("svc0001"): {"authzTo", "dn.regex:^uid=[^,]*,ou=people,dc=example,dc=org$"},
		s.AccountDN("svc0003"): {"authzFrom", "dn.exact:" + s.AccountDN("svc0002")},
	} {
		m := ldap.NewModifyRequest(dn, nil)
		m.Add(says[0], []string{says[1]})
		require.NoError(t, admin.Modify(m))
	}
	first, rest := whoGoesFirst(t, slapdDirectory(s), s.BinderPassword, "(uid=svc*)")
	require.Len(t, first, 2)
	for _, uid := range []string{"svc0001", "svc0002"} {
		require.Contains(t, first, s.AccountDN(uid))
		require.Less(t, first[s.AccountDN(uid)], rest)
	}
}
