package inventory

import (
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/setup"
)

// Vault keeps the password of its own bind where nobody sees it: a new one
// there ends every login.
func TestAnAccountThatVaultItselfBindsWithIsOpenUntilAPersonAcceptsIt(t *testing.T) {
	servers(t)
	ldapMount(t, "binds", map[string]any{"binddn": " UID=alice, ou=People,dc=example,dc=org", "bindpass": "x", "token_policies": "default"})
	ldapMount(t, "elsewhere", map[string]any{"url": "ldaps://192.0.2.1", "userdn": "dc=other,dc=org", "binddn": slapd.AccountDN("carol"), "bindpass": "x"})
	write(t, "sys/mounts/binds-too", map[string]any{"type": "ldap"})
	t.Cleanup(func() { require.NoError(t, realVault.Client().Sys().Unmount("binds-too")) })
	write(t, "binds-too/config", map[string]any{"binddn": slapd.AccountDN("bob"), "bindpass": "x", "url": slapd.LDAPS(), "certificate": slapd.CA})

	list := func(token string, accept ...config.Accept) (map[string]credential.Credential, *credential.Roll) {
		c := campaign()
		c.Directories["corp"] = corp()
		c.Accept = accept
		c.Sources = []config.Source{manifestSource("account", "alice", "bob", "carol")}
		roll, _, err := listIn(t.Context(), c, openDirectory(t, corp()), openVault(t, token), "c", time.Now())
		require.NoError(t, err)
		out := map[string]credential.Credential{}
		for _, l := range roll.Credentials {
			out[l.Name] = l
		}
		return out, roll
	}
	root := realVault.RootToken().Reveal()
	got, roll := list(root)
	alice, bob, carol := got[slapd.AccountDN("alice")], got[slapd.AccountDN("bob")], got[slapd.AccountDN("carol")]
	require.Equal(t, credential.VaultsBind, alice.Problem)
	require.Equal(t, credential.VaultsBind, bob.Problem)
	require.Empty(t, carol.Problem, "that mount asks another directory")
	require.Contains(t, details(roll, alice.ID, credential.FindingVaultsBind), "vault write auth/binds/config bindpass=")
	require.Contains(t, details(roll, bob.ID, credential.FindingVaultsBind), "vault write binds-too/config bindpass=")

	got, roll = list(root, config.Accept{Account: "alice", Problem: credential.VaultsBind, Reason: "written by hand at once"})
	alice = got[slapd.AccountDN("alice")]
	require.Empty(t, alice.Problem)
	require.Equal(t, []credential.Problem{credential.VaultsBind}, alice.Accepted)
	require.Contains(t, details(roll, alice.ID, credential.FindingVaultsBind), "vault write auth/binds/config bindpass=", "it stays to be done")
	require.Equal(t, credential.VaultsBind, got[slapd.AccountDN("bob")].Problem)

	// The product's own policies show the binds of auth mounts.
	spec := campaign()
	spec.Vault = config.Vault{Mount: "rollcall", Adopt: "kv/rollcall/{directory}/{account}#password"}
	spec.Directories["corp"] = corp()
	for _, p := range setup.Policies(spec, nil) {
		if p.Name == vault.LedgerPolicy {
			continue
		}
		require.NoError(t, realVault.Client().Sys().PutPolicy("sees-binds", p.HCL))
		token, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"sees-binds"}})
		require.NoError(t, err)
		got, _ = list(token.Auth.ClientToken)
		require.Equal(t, credential.VaultsBind, got[slapd.AccountDN("alice")].Problem, p.Name)
	}
}

func TestADomainKnowsTheAccountThatVaultBindsWithByEveryNameThatBinds(t *testing.T) {
	in := map[string][]string{"ad": nil}
	account := Account{Name: "CN=svc vault,OU=svc,DC=example,DC=org", facts: &facts{domains: true, login: []string{"svc-vault"}, principal: "vault@example.org"}}
	for _, dn := range []string{"cn=svc vault,ou=svc,dc=example,dc=org", `EXAMPLE\svc-vault`, "SVC-VAULT@example.org", "Vault@example.org"} {
		require.True(t, vaultUse{names: []string{dn}, in: in}.is("ad", account), dn)
	}
	for _, dn := range []string{"cn=svc,ou=svc,dc=example,dc=org", `EXAMPLE\svc-vault2`, "svc@example.org"} {
		require.False(t, vaultUse{names: []string{dn}, in: in}.is("ad", account), dn)
	}
	require.False(t, vaultUse{names: []string{account.Name}, in: in}.is("corp", account))
	account.facts.domains = false
	require.False(t, vaultUse{names: []string{"svc-vault"}, in: in}.is("ad", account), "elsewhere only a DN binds")
}
