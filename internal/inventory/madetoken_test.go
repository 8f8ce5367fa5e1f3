package inventory

import (
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// A token of the roll is revoked. What whoever stole it made with it lives on.
func TestWhatATokenOfTheRollMayHaveMadeIsTold(t *testing.T) {
	servers(t)
	api := realVault.Client()
	require.NoError(t, api.Sys().PutPolicy("mt-makes", `path "auth/approle/role/mt-backup/secret-id" { capabilities = ["update"] }`))
	write(t, "auth/approle/role/mt-backup", map[string]any{"token_policies": "default"})
	t.Cleanup(func() { _, _ = api.Logical().Delete("auth/approle/role/mt-backup") })
	got, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"mt-makes"}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = api.Auth().Token().RevokeAccessor(got.Auth.Accessor) })
	c := campaign()
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{{Name: "token", Type: config.VaultTokens, Accessors: []string{got.Auth.Accessor}}}
	roll, _, err := listIn(t.Context(), c, openDirectory(t, corp()), openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	require.Len(t, roll.Credentials, 1)
	told := ""
	for _, w := range roll.Warnings {
		if w.Code == credential.FindingMade {
			told += w.Detail
		}
	}
	require.Contains(t, told, "auth/approle/role/mt-backup: by the policies of token/"+got.Auth.Accessor)
}
