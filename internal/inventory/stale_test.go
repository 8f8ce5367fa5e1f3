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
)

// A worker of a cluster runs for weeks and remembers tokens. What a token gets
// by its entity and that one's groups Vault works out at each request.
func TestAListingSeesWhatAnEntityGivesByNow(t *testing.T) {
	servers(t)
	api := realVault.Client()
	require.NoError(t, api.Sys().PutPolicy("st-reads", `path "kv/data/st/*" { capabilities = ["read"] }`))
	write(t, "sys/auth/st-users", map[string]any{"type": "userpass"})
	t.Cleanup(func() { _ = api.Sys().DisableAuth("st-users") })
	write(t, "auth/st-users/users/esg-07", map[string]any{"password": "x", "token_ttl": "24h"})
	user, err := vaultapi.NewClient(api.CloneConfig())
	require.NoError(t, err)
	in, err := user.Logical().Write("auth/st-users/login/esg-07", map[string]any{"password": "x"})
	require.NoError(t, err)
	require.NoError(t, realVault.SeedKV(t.Context(), map[string]map[string]any{"st/a": {"password": "x"}}))
	c := campaign()
	c.Vault = config.Vault{Mount: "rollcall", Transit: "rollcall-transit", Adopt: "kv/rollcall/{directory}/{account}#password"}
	c.Device = "esg-07"
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource("account,path", "esg0201,kv/st/a#password")}
	v := openVault(t, realVault.RootToken().Reveal())
	worker := minted.New(v.API(), "vault")
	at := Authorities{Directories: openDirectory(t, corp()), Tokens: worker}
	list := func() (told, waits bool) {
		roll, _, err := List(t.Context(), c, at, v, "c", time.Now())
		require.NoError(t, err)
		for _, w := range roll.Warnings {
			told = told || w.Code == credential.FindingReader && strings.Contains(w.Detail, in.Auth.Accessor)
		}
		for _, x := range roll.Credentials {
			waits = waits || len(x.ReadBy) > 0
		}
		return told, waits
	}
	told, _ := list()
	require.False(t, told, "it reads nothing yet")

	group := write(t, "identity/group", map[string]any{"name": "st-group", "policies": "st-reads", "member_entity_ids": in.Auth.EntityID})
	t.Cleanup(func() { _, _ = api.Logical().Delete("identity/group/id/" + group["id"].(string)) })
	user.SetToken(in.Auth.ClientToken)
	got, err := user.Logical().Read("kv/data/st/a")
	require.NoError(t, err)
	require.NotNil(t, got, "by now it reads")
	told, waits := list()
	require.True(t, told)
	require.True(t, waits)
}
