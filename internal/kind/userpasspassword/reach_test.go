package userpasspassword

import (
	"strconv"
	"strings"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
)

func TestVaultIsAskedWhatALoginCouldReadAndNothingOfThatLasts(t *testing.T) {
	require.NoError(t, server.Client().Sys().PutPolicy("reads-esg", `path "kv/data/apps/esg-01/*" { capabilities = ["read"] }
path "kv/data/apps/esg-01/secret" { capabilities = ["deny"] }`))
	au := authority()
	paths := []string{"kv/data/apps/esg-01/mta", "kv/data/apps/esg-01/secret", "kv/data/apps/other/x"}
	for name, row := range map[string]struct {
		settings map[string]any
		want     []string
	}{
		"a policy":                   {map[string]any{"token_policies": "reads-esg"}, paths[:1]},
		"tokens that may do nothing": {map[string]any{"token_policies": "reads-esg", "token_no_default_policy": true, "token_num_uses": 1}, paths[:1]},
		"batch tokens":               {map[string]any{"token_policies": "reads-esg", "token_type": "batch"}, paths[:1]},
		"no rights":                  {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, value := newUser(t, row.settings)
			before := tokens(t)
			got, err := au.Reads(t.Context(), c, []credential.Secret{credential.NewSecret("stale"), value, {}}, paths)
			require.NoError(t, err)
			require.Equal(t, row.want, got)
			leavesNone(t, before)
		})
	}
	c, value := newUser(t, map[string]any{"token_policies": "reads-esg"})
	for _, values := range [][]credential.Secret{nil, {credential.NewSecret("stale")}} {
		_, err := au.Reads(t.Context(), c, values, paths)
		require.Error(t, err, "who cannot be logged in cannot be asked")
	}
	lock(t, c)
	_, err := au.Reads(t.Context(), c, []credential.Secret{value}, paths)
	require.Error(t, err)
	c.Subject = "userpass/gone"
	got, err := au.Reads(t.Context(), c, nil, paths)
	require.NoError(t, err)
	require.Empty(t, got)
}

// Each batch asks again.
func TestAskingAgainAndAgainLocksNobodyOut(t *testing.T) {
	t.Parallel()
	au := authority()
	c, value := newUser(t, nil)
	var stale []credential.Secret
	for range 10 {
		stale = append(stale, credential.NewSecret("stale-"+strconv.Itoa(len(stale))))
		_, err := au.Reads(t.Context(), c, stale, []string{"kv/data/x"})
		require.Error(t, err)
	}
	like := c
	like.Problem = credential.SameName
	_, err := au.Reads(t.Context(), like, stale, []string{"kv/data/x"})
	require.Error(t, err, "what was not offered may be its password")
	login(t, c.Name, value)
	a, _ := set(t, au, c, value)
	require.Equal(t, "accepted", string(account(t, au, c).State), a)
}

// What is asked is whether the secret of the account of that name opens it.
func TestAUserThatHasAnAccountsNameIsAskedWithTheAccountsSecret(t *testing.T) {
	t.Parallel()
	require.NoError(t, server.Client().Sys().PutPolicy("reads-device", `path "kv/data/device/*" { capabilities = ["read"] }`))
	c, value := newUser(t, map[string]any{"token_policies": "reads-device"})
	c.Problem, c.Paths = credential.SameName, []credential.Path{{Mount: "kv", Path: "ldap/lookup", Field: "password"}}
	paths := []string{"kv/data/device/mta", "kv/data/ldap/lookup", "kv/data/elsewhere"}
	au := authority()
	got, err := au.Reads(t.Context(), c, []credential.Secret{credential.NewSecret(value.Reveal() + "\n")}, paths)
	require.NoError(t, err)
	require.Equal(t, paths[:2], got, "what it reads, and where the answer would change with what is written")
	got, err = au.Reads(t.Context(), c, []credential.Secret{credential.NewSecret("the account's own")}, paths)
	require.ErrorIs(t, err, kind.ErrNoneLogsIn, "the stolen secret opens nothing here, if that is it")
	require.Empty(t, got)
	_, err = au.Reads(t.Context(), c, nil, paths)
	require.Error(t, err, "nothing is known that could be offered")
	require.NotErrorIs(t, err, kind.ErrNoneLogsIn)
}

// Vault revokes no token when a user is deleted.
func TestWhatADeletedUserMintedIsRevokedBeforeAnythingIsWritten(t *testing.T) {
	t.Parallel()
	require.NoError(t, server.Client().Sys().PutPolicy("reads-deleted", `path "kv/data/apps/deleted/*" { capabilities = ["read"] }
path "auth/token/create" { capabilities = ["update"] }
path "auth/token/revoke-orphan" { capabilities = ["update", "sudo"] }`))
	au, paths := authority(), []string{"kv/data/apps/deleted/x"}
	c, value := newUser(t, map[string]any{"token_policies": "reads-deleted"})
	other, its := newUser(t, map[string]any{"token_policies": "reads-deleted"})
	neighbour := login(t, other.Name, its)
	shouted := login(t, strings.ToUpper(c.Name), value)
	parent := login(t, c.Name, value)
	made, err := parent.Auth().Token().Create(&vaultapi.TokenCreateRequest{})
	require.NoError(t, err)
	cut := server.Client()
	cut.SetToken(made.Auth.ClientToken)
	grown, err := cut.Auth().Token().Create(&vaultapi.TokenCreateRequest{})
	require.NoError(t, err)
	_, err = parent.Logical().WriteWithContext(t.Context(), "auth/token/revoke-orphan", map[string]any{"token": made.Auth.ClientToken})
	require.NoError(t, err)
	cut.SetToken(grown.Auth.ClientToken)

	_, err = server.Client().Logical().DeleteWithContext(t.Context(), "auth/userpass/users/"+c.Name)
	require.NoError(t, err)
	for _, stolen := range []*vaultapi.Client{shouted, parent, cut} {
		require.True(t, alive(t, stolen), "Vault lets it")
	}
	like := c
	like.Problem = credential.SameName
	_, err = au.Reads(t.Context(), like, []credential.Secret{value}, paths)
	require.ErrorIs(t, err, kind.ErrNoneLogsIn)
	require.True(t, alive(t, shouted), "nothing is done to one that is on the roll for its name alone")
	got, err := au.Reads(t.Context(), c, []credential.Secret{value}, paths)
	require.NoError(t, err)
	require.Empty(t, got)
	for _, stolen := range []*vaultapi.Client{shouted, parent, cut} {
		require.False(t, alive(t, stolen))
	}
	require.True(t, alive(t, neighbour))
}
