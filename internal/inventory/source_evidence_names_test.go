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
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/taken"
	"rollcall/internal/lab"
)

// Logs of a domain have DOMAIN\name, principals, computers, and accounts that
// were deleted since.
func TestNamesThatALogOfADomainHasMeanWhomTheDomainMeans(t *testing.T) {
	servers(t)
	s := startDomain(t, lab.SeedAccounts("svc", 3))
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	computer := ldap.NewAddRequest("CN=ESG-01,"+s.ServicesDN(), nil)
	computer.Attribute("objectClass", []string{"computer"})
	computer.Attribute("sAMAccountName", []string{"ESG-01$"})
	computer.Attribute("userAccountControl", []string{"4096"})
	require.NoError(t, admin.Add(computer))
	require.NoError(t, admin.Del(ldap.NewDelRequest(s.AccountDN("svc0003"), nil)))

	d := config.Directory{
		Driver: config.ActiveDirectory, Servers: []string{s.LDAPS()}, Base: s.BaseDN(), CA: s.CA,
		Bind: config.Bind{DN: s.BinderDN}, Connections: 8, Timeout: patience,
	}
	client, err := directory.Open("ad", d, func(context.Context) (credential.Secret, error) { return credential.NewSecret(s.BinderPassword), nil })
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	c := campaign()
	c.Directories = map[string]config.Directory{"ad": d}
	c.Sources = []config.Source{{Name: "logs", Type: config.FromEvidence, File: "e.json", Seen: []taken.Account{
		fromDevice(event.Login, "ad", `EXAMPLE\svc0001`),
		fromDevice(event.Login, "ad", "SVC0001@ad.example.org"),
		fromDevice(event.Login, "ad", "svc0002"),
		fromDevice(event.Login, "ad", "svc0003"),
		fromDevice(event.Login, "ad", `OTHER\svc0002`),
		fromDevice(event.Login, "ad", "ESG-01$"),
		fromDevice(event.DN, "ad", s.BinderDN),
	}}}
	roll, _, err := listIn(t.Context(), c, map[string]Directory{"ad": client}, openVault(t, realVault.RootToken().Reveal()), "esg-01-1", time.Now())
	require.NoError(t, err)
	got := byName(roll)
	for name, want := range map[string]credential.Problem{
		s.AccountDN("svc0001"): credential.OnlyInLogs, s.AccountDN("svc0002"): credential.OnlyInLogs, "svc0003": credential.NoAccount,
		`OTHER\svc0002`: credential.NoAccount, "CN=ESG-01," + s.ServicesDN(): credential.ComputerAccount, s.BinderDN: credential.OwnIdentity,
	} {
		require.Equal(t, want, got[name].Problem, name)
	}
	require.Len(t, roll.Credentials, 6, "one account by two names is one")
	says := details(roll, got[s.AccountDN("svc0001")].ID, credential.FindingOnlyInLogs)
	require.Contains(t, says, "(with kind user-password, if it is a person's)")
	require.Contains(t, details(roll, got[`OTHER\svc0002`].ID, credential.FindingNoAccount), "it names the domain OTHER, and ad is the domain EXAMPLE")
}

// A login at an auth mount of type ldap is the account behind it.
func TestALoginToVaultByADirectorysPasswordIsThatAccount(t *testing.T) {
	corp := map[string][]string{"corp": nil}
	l := &lister{c: campaign(), mounts: []*authMount{{name: "ldap", servers: corp}, {name: "ldap/two", servers: map[string][]string{"corp": nil, "plant": nil}}}}
	s := config.Source{Name: "logs", Type: config.FromEvidence, Seen: []taken.Account{fromDevice(event.VaultLogin, "vault", "ldap/svc-scan")}}
	require.NoError(t, l.fromLogs(t.Context(), s))
	require.Len(t, l.candidates, 1)
	require.Equal(t, "corp", l.candidates[0].Authority)
	require.Equal(t, "svc-scan", l.candidates[0].Account)
	require.Equal(t, credential.LDAPPassword, l.candidates[0].Kind)
	require.Contains(t, l.candidates[0].Reason.Detail, "; it logged in to Vault at auth/ldap")

	several := Candidate{Authority: credential.VaultAuthority, Account: "ldap/two/svc-scan"}
	l.behindMount(&several)
	require.Equal(t, credential.VaultAuthority, several.Authority, "of which of two directories it is nobody says")
}
