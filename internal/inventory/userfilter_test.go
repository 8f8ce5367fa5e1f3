package inventory

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/minted"
)

func TestAUserFilterSaysByWhatPeopleLogIn(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		filter, upn string
		by          []typedBy
		known       bool
	}{
		{"", "", nil, true},
		{"({{.UserAttr}}={{.Username}})", "", []typedBy{{"uid", "", ""}}, true},
		{"({{ .UserAttr }}={{ .Username }})", "example.org", []typedBy{{"uid", "", "@example.org"}}, true},
		{"(|(uid={{.Username}})(mail={{.Username}}))", "", []typedBy{{"uid", "", ""}, {"mail", "", ""}}, true},
		{"(&(objectClass=user)(!(cn=x))(|(rfc822Mailbox={{.Username}}@example.org)(proxyAddresses=smtp:{{.Username}})))", "", []typedBy{{"mail", "", "@example.org"}, {"proxyaddresses", "smtp:", ""}}, true},
		{"(mail={{.Username}}*)", "", nil, false},
		{"(|(uid={{.Username}})(cn~={{.Username}}))", "", []typedBy{{"uid", "", ""}}, false},
		{"(|(uid={{.Username}})(cn:caseExactMatch:={{.Username}}))", "", []typedBy{{"uid", "", ""}}, false},
		{"(anr={{.Username}})", "", nil, false},
		{"(1.2.3={{.Username}})", "", nil, false},
		{"(!(uid={{.Username}}))", "", nil, false},
		{"(uid={{.Username | lower}})", "", nil, false},
		{"(objectClass=*)", "", nil, false},
		{"(uid={{.Username}}", "", nil, false},
	} {
		by, known := typedAt(row.filter, "uid", row.upn)
		require.Equal(t, row.known, known, row.filter)
		require.Equal(t, row.by, by, row.filter)
	}
	require.Equal(t, []string{"kim", "K"}, typedBy{"mail", "smtp:", "@example.org"}.names([]string{"SMTP:kim@Example.org", "kim@example.org", "smtp:@example.org", "smtp:K@example.org", "smtp:kim@other.org", ""}))
}

// People log in to Vault with their mail address, and the address has policies
// there. The account's password opens that, whatever its uid gets.
func TestWhoLogsInByAnotherNameThanUserattrIsALoginToVault(t *testing.T) {
	servers(t)
	root := realVault.RootToken().Reveal()
	ldapMount(t, "typed", map[string]any{"userfilter": "(|(uid={{.Username}})(mail={{.Username}}))"})
	require.NoError(t, realVault.Client().Sys().PutPolicy("typed-reads", `path "kv/data/typed/*" { capabilities = ["read"] }`))
	write(t, "auth/typed/users/alice@example.org", map[string]any{"policies": "typed-reads"})
	list := func() (map[string]credential.Credential, string) {
		c := campaign()
		c.Directories["corp"] = corp()
		c.Sources = []config.Source{manifestSource("account", "alice", "bob")}
		v := openVault(t, root)
		roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp()), Tokens: minted.New(v.API(), credential.VaultAuthority)}, v, "c", time.Now())
		require.NoError(t, err)
		return byName(roll), warned(roll)
	}
	at := func(c credential.Credential) (out []credential.VaultLogin) {
		for _, l := range c.Logins {
			if l.Mount == "typed" {
				out = append(out, l)
			}
		}
		return out
	}
	roll, said := list()
	alice, bob := roll[slapd.AccountDN("alice")], roll[slapd.AccountDN("bob")]
	require.NotContains(t, said, "auth/typed")
	require.True(t, alice.ReachesVault())
	require.Zero(t, alice.Wave)
	require.Len(t, at(alice), 2, "she is asked by each name that gets something")
	require.Equal(t, []string{"alice", "alice@example.org"}, at(alice)[0].Names)
	require.Equal(t, []string{"alice@example.org", "alice"}, at(alice)[1].Names)
	require.False(t, at(alice)[1].Plain)
	require.Len(t, at(bob), 1)
	require.True(t, at(bob)[0].Plain)
	require.Subset(t, at(bob)[0].Names, []string{"bob", "shared@example.org"}, "his tokens are found by what he typed")
	got, err := realVault.Client().Logical().Write("auth/typed/login/alice@example.org", map[string]any{"password": slapd.SeededPassword("alice")})
	require.NoError(t, err)
	require.Contains(t, got.Auth.Policies, "typed-reads")

	// A filter that does not tell is said, and each account counts.
	write(t, "auth/typed/config", map[string]any{"userfilter": "(|(uid={{.Username}})(cn~={{.Username}}))"})
	roll, said = list()
	require.Contains(t, said, "auth/typed: its userfilter ((|(uid={{.Username}})(cn~={{.Username}}))) does not tell by which names an account logs in there")
	require.True(t, roll[slapd.AccountDN("bob")].ReachesVault())
}
