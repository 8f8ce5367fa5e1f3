package inventory

import (
	"slices"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/minted"
)

// Whoever logs in by a login that a person accepted by its place, as the
// warning offers, does so all the time: tokens of it live at each listing, and
// are made during each campaign.
func TestTheTokensOfALoginThatIsAcceptedAreAcceptedWithIt(t *testing.T) {
	servers(t)
	api := realVault.Client()
	require.NoError(t, api.Sys().PutPolicy("ap-reads", `path "kv/data/ap/*" { capabilities = ["read"] }
path "auth/token/create" { capabilities = ["update"] }`))
	client := func(role string) *vaultapi.Client {
		at := "auth/approle/role/" + role
		write(t, at, map[string]any{"token_policies": "ap-reads", "token_ttl": "10m"})
		t.Cleanup(func() { _, _ = api.Logical().Delete(at) })
		id, err := api.Logical().Read(at + "/role-id")
		require.NoError(t, err)
		sid := write(t, at+"/secret-id", nil)
		c, err := vaultapi.NewClient(api.CloneConfig())
		require.NoError(t, err)
		in, err := c.Logical().Write("auth/approle/login", map[string]any{"role_id": id.Data["role_id"], "secret_id": sid["secret_id"]})
		require.NoError(t, err)
		t.Cleanup(func() { _ = api.Auth().Token().RevokeAccessor(in.Auth.Accessor) })
		c.SetToken(in.Auth.ClientToken)
		return c
	}
	child := func(of *vaultapi.Client, about map[string]string) string {
		got, err := of.Auth().Token().Create(&vaultapi.TokenCreateRequest{Metadata: about})
		require.NoError(t, err)
		return got.Auth.Accessor
	}
	reports := client("esg-07-reports")
	child(reports, nil)
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"ap/a": {"password": "x"}}))
	c := campaign()
	c.Vault = config.Vault{Mount: "rollcall", Transit: "rollcall-transit", Adopt: "kv/rollcall/{directory}/{account}#password"}
	c.Device = "esg-07"
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource("account,path", "esg0201,kv/ap/a#password")}
	c.Accept = []config.Accept{{Vault: "auth/approle/role/esg-07-reports", On: time.Now(), Reason: "the monitoring of it"}, {Vault: "auth/token/policy/root", On: time.Now(), Reason: "the tests own this Vault"}}
	v := openVault(t, realVault.RootToken().Reveal())
	tokens := minted.New(v.API(), "vault")
	list := func() (*credential.Roll, map[credential.FindingCode]string) {
		roll, _, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp()), Tokens: tokens}, v, "c", time.Now())
		require.NoError(t, err)
		told := map[credential.FindingCode]string{}
		for _, w := range roll.Warnings {
			if strings.Contains(w.Detail, "ap-") || strings.Contains(w.Detail, "esg-07-reports") {
				told[w.Code] += w.Detail + "\n"
			}
		}
		return roll, told
	}
	roll, told := list()
	require.Empty(t, told[credential.FindingReader])
	require.Contains(t, told[credential.FindingAccepted], "2 tokens of Vault that logins by auth/approle/role/esg-07-reports made")
	require.Empty(t, roll.Credentials[0].ReadBy)

	// Made since the listing: that login's, one of it that names the device by
	// itself, and another login's.
	child(reports, nil)
	named := child(reports, map[string]string{"device": "esg-07"})
	about, err := client("ap-other").Auth().Token().LookupSelf()
	require.NoError(t, err)
	other := about.Data["accessor"].(string)
	found, _, err := TokensSince(t.Context(), c, v, tokens, roll, roll.NewestToken)
	require.NoError(t, err)
	since := map[string]bool{}
	for _, f := range found {
		since[f.Accessor] = f.Device
	}
	require.Equal(t, map[string]bool{named: true, other: false}, since)
	_, told = list()
	require.Contains(t, told[credential.FindingReader], named)
	require.Contains(t, told[credential.FindingReader], other)
}

// An administrator, who is not the device, made its token with his own login:
// that he is accepted says nothing of that.
func TestATokenThatAnAcceptedLoginMadeForAnotherIsTold(t *testing.T) {
	servers(t)
	api := realVault.Client()
	require.NoError(t, api.Sys().PutPolicy("am-reads", `path "kv/data/am/*" { capabilities = ["read"] }`))
	require.NoError(t, api.Sys().PutPolicy("am-makes", `path "auth/token/create" { capabilities = ["update"] }`))
	write(t, "sys/auth/am-users", map[string]any{"type": "userpass"})
	t.Cleanup(func() { _ = api.Sys().DisableAuth("am-users") })
	write(t, "auth/am-users/users/alice", map[string]any{"password": "hers", "token_policies": "am-reads,am-makes"})
	c, err := vaultapi.NewClient(api.CloneConfig())
	require.NoError(t, err)
	in, err := c.Logical().Write("auth/am-users/login/alice", map[string]any{"password": "hers"})
	require.NoError(t, err)
	c.SetToken(in.Auth.ClientToken)
	made := func(policies ...string) string {
		got, err := c.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: policies})
		require.NoError(t, err)
		return got.Auth.Accessor
	}
	same, fewer := made(), made("am-reads")
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"am/a": {"password": "x"}}))
	for name, row := range map[string]struct {
		exposure []config.Interval
		told     []string
	}{
		"after the time of exposure": {[]config.Interval{{From: time.Now().Add(-2 * time.Hour), To: time.Now().Add(-time.Hour)}}, []string{fewer}},
		"in it":                      {[]config.Interval{{From: time.Now().Add(-time.Hour)}}, []string{fewer, same}},
	} {
		t.Run(name, func(t *testing.T) {
			conf := campaign()
			conf.Vault = config.Vault{Mount: "rollcall", Transit: "rollcall-transit", Adopt: "kv/rollcall/{directory}/{account}#password"}
			conf.Device, conf.Exposure = "esg-07", row.exposure
			conf.Directories["corp"] = corp()
			conf.Sources = []config.Source{manifestSource("account,path", "esg0201,kv/am/a#password")}
			conf.Accept = []config.Accept{{Vault: "auth/am-users/users/alice", On: time.Now(), Reason: "Alice works with Vault"}}
			v := openVault(t, realVault.RootToken().Reveal())
			roll, _, err := List(t.Context(), conf, Authorities{Directories: openDirectory(t, corp()), Tokens: minted.New(v.API(), "vault")}, v, "c", time.Now())
			require.NoError(t, err)
			var told string
			for _, w := range roll.Warnings {
				if w.Code == credential.FindingReader {
					told += w.Detail + "\n"
				}
			}
			for _, accessor := range []string{same, fewer, in.Auth.Accessor} {
				require.Equal(t, slices.Contains(row.told, accessor), strings.Contains(told, accessor), "%s in %s", accessor, told)
			}
		})
	}
}
