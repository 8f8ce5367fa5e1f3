package inventory

import (
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/minted"
	"rollcall/internal/vault/ownmount"
)

// What fits a description is revoked: the machine that replaced the device gets
// its token in the same way, and is cut off by whoever runs the file again.
func TestATokenThatWasMadeSinceTheDeviceHadOneIsAskedAboutAndNotRevokedByItsDescription(t *testing.T) {
	servers(t)
	api := realVault.Client()
	write(t, "sys/policies/acl/newer-child", map[string]any{"policy": `path "auth/token/create" { capabilities = ["update"] }`})
	write(t, "auth/approle/role/newer-esg", map[string]any{"token_policies": "newer-child"})
	t.Cleanup(func() { _, _ = api.Logical().Delete("auth/approle/role/newer-esg") })
	roleID, err := api.Logical().Read("auth/approle/role/newer-esg/role-id")
	require.NoError(t, err)
	secretID, err := api.Logical().Write("auth/approle/role/newer-esg/secret-id", nil)
	require.NoError(t, err)
	login, err := api.Logical().Write("auth/approle/login", map[string]any{"role_id": roleID.Data["role_id"], "secret_id": secretID.Data["secret_id"]})
	require.NoError(t, err)
	create := func(by string) string {
		as, err := api.Clone()
		require.NoError(t, err)
		as.SetToken(by)
		got, err := as.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"newer-child"}, Metadata: map[string]string{"device": "esg-newer"}, TTL: "10m"})
		require.NoError(t, err)
		t.Cleanup(func() { _ = api.Auth().Token().RevokeAccessor(got.Auth.Accessor) })
		return got.Auth.Accessor
	}
	began := time.Now()
	plain, stolen := create(realVault.RootToken().Reveal()), create(login.Auth.ClientToken)

	c := campaign()
	c.Vault.Mount, c.Device, c.Directories = "rollcall", "esg-newer", map[string]config.Directory{}
	source := config.Source{Name: "alike", Type: config.VaultTokens, Metadata: map[string]string{"device": "esg-newer"}}
	c.Sources = []config.Source{source, {Name: "role", Type: config.VaultAppRole, Mount: "approle", Role: "newer-*"}}
	contained := &credential.Containment{How: credential.Off}
	v := openVault(t, realVault.RootToken().Reveal())
	store := remembering{Store: v}
	list := func() (on map[string]bool, roll *credential.Roll) {
		t.Helper()
		roll, _, err := List(t.Context(), c, Authorities{Tokens: minted.New(v.API(), credential.VaultAuthority), Directories: map[string]Directory{}, Contained: func() *credential.Containment { return contained }}, store, "c", time.Now())
		require.NoError(t, err)
		on = map[string]bool{}
		for _, x := range roll.Credentials {
			require.Empty(t, x.Problem, x.Name)
			on[strings.TrimPrefix(x.Subject, minted.TokenPrefix)] = true
		}
		return on, roll
	}
	asked := func(roll *credential.Roll) string {
		for _, w := range roll.Warnings {
			if w.Code == credential.FindingNewerToken {
				require.True(t, w.Code.Incomplete())
				return w.Detail
			}
		}
		return ""
	}
	both := func(why string) {
		t.Helper()
		on, roll := list()
		require.True(t, on[plain] && on[stolen], why)
		require.Empty(t, asked(roll))
	}
	both("nobody says since when the device is contained")
	c.Containment = &config.Containment{How: credential.Off, At: time.Now().Add(time.Minute)}
	both("it was made before that")
	c.Containment.At = began.Add(-time.Hour)
	contained.Answers = []string{"192.0.2.1:22 answers"}
	both("the device is on the network")

	contained.Answers = nil
	on, roll := list()
	require.False(t, on[plain])
	require.True(t, on[stolen], "whoever stole the login may have made it")
	require.Contains(t, asked(roll), plain)
	require.NotContains(t, asked(roll), stolen)
	require.Contains(t, asked(roll), "the device is off the network since")
	c.Accept = []config.Accept{{Vault: "auth/token/accessor/" + plain, Reason: "the new gateway's"}}
	on, roll = list()
	require.False(t, on[plain])
	require.Empty(t, asked(roll))
	c.Accept = nil
	c.Sources = append(c.Sources, config.Source{Name: "named", Type: config.VaultTokens, Accessors: []string{plain}})
	both("a person named it")
	c.Sources = c.Sources[:2]

	// An earlier campaign ended what there was of that source, under this name
	// or by these words.
	c.Containment = nil
	ended := credential.Credential{ID: "vault/token/gone", Kind: credential.VaultToken, Authority: credential.VaultAuthority, Subject: "token/gone", Name: "token/gone",
		Reasons: []credential.Reason{{Source: "tokens", Type: config.VaultTokens, Detail: "has the metadata device=esg-newer; accessor gone, display name …"}}}
	store.last = &ownmount.LastRoll{Campaign: "c0", Credentials: []credential.Credential{ended}, Dead: map[string]bool{ended.ID: true}, DeadAt: map[string]time.Time{ended.ID: began.Add(-time.Hour)}}
	on, roll = list()
	require.False(t, on[plain])
	require.Contains(t, asked(roll), "an earlier campaign of the device ended the tokens of that source")
	require.Len(t, roll.TokensEnded, 1)
	store.last = &ownmount.LastRoll{Campaign: "c1", Ended: roll.TokensEnded, Dead: map[string]bool{}}
	on, _ = list()
	require.False(t, on[plain], "campaigns hand it on")
	c.Exposure = []config.Interval{{From: began.Add(-time.Minute)}}
	both("the device fell into foreign hands once more")
	c.Exposure = nil
	store.last.Ended[0].At = time.Now().Add(time.Minute)
	both("it is older than that")
	store.last.Ended[0] = credential.TokensEnded{Source: "another", What: "a policy matches x", At: began.Add(-time.Hour)}
	both("it was another source")
}
