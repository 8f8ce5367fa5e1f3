package approlesecretid

import (
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// child gives a client with a token that the one of c makes.
func child(t *testing.T, c *vaultapi.Client) *vaultapi.Client {
	t.Helper()
	got, err := c.Auth().Token().CreateWithContext(t.Context(), &vaultapi.TokenCreateRequest{})
	require.NoError(t, err)
	return as(got.Auth.ClientToken)
}

func as(token string) *vaultapi.Client {
	c := server.Client()
	c.SetToken(token)
	return c
}

// cutOff gives a token that the login made by way of another one, which it then
// ended without its children (auth/token/revoke-orphan).
func cutOff(t *testing.T, c *vaultapi.Client) string {
	t.Helper()
	between := child(t, c)
	left := child(t, between)
	_, err := c.Logical().WriteWithContext(t.Context(), "auth/token/revoke-orphan", map[string]any{"token": between.Token()})
	require.NoError(t, err)
	return left.Token()
}

func cutsOff(t *testing.T) map[string]any {
	t.Helper()
	require.NoError(t, server.Client().Sys().PutPolicy("cuts-off", `path "auth/token/create" { capabilities = ["update"] }
path "auth/token/revoke-orphan" { capabilities = ["update", "sudo"] }`))
	return map[string]any{"token_policies": "cuts-off"}
}

// What a thief cut off from the token that made it lives without a parent, and
// keeps the entity.
func TestTokensThatAThiefCutOffDieWithTheOldSecretID(t *testing.T) {
	settings := cutsOff(t)
	for name, parentEnds := range map[string]bool{"its login's token lives": false, "its login's token has ended": true} {
		t.Run(name, func(t *testing.T) {
			au := New(worker, "vault")
			c, old := newRole(t, settings)
			other, its := newRole(t, settings)
			neighbour := cutOff(t, as(login(t, other, its)))
			thief := as(login(t, c, old))
			left := cutOff(t, thief)
			if parentEnds {
				require.NoError(t, thief.Auth().Token().RevokeSelf(""))
			}
			a, next := set(t, au, c, old)
			consumer := as(login(t, c, next))
			kept := child(t, consumer)
			require.True(t, alive(t, left), "Vault lets it")
			_, findings, err := au.Retire(t.Context(), a, next)
			require.NoError(t, err)
			require.False(t, alive(t, left))
			require.Len(t, findings, 1)
			require.Equal(t, credential.FindingTokensRevoked, findings[0].Code)
			for _, good := range []string{neighbour, consumer.Token(), kept.Token()} {
				require.True(t, alive(t, good))
			}
			_, findings, err = au.Retire(t.Context(), a, next)
			require.NoError(t, err)
			require.Empty(t, findings)
		})
	}
}

// An entity may have other logins, which may have made such tokens as well.
func TestTokensOfAnEntityThatOthersHaveTooAreSaidAndLeftAlone(t *testing.T) {
	au := New(worker, "vault")
	c, old := newRole(t, cutsOff(t))
	thief := as(login(t, c, old))
	left := cutOff(t, thief)
	about, err := thief.Auth().Token().LookupSelf()
	require.NoError(t, err)
	require.NoError(t, server.Client().Sys().EnableAuthWithOptions("people-"+c.Name, &vaultapi.EnableAuthOptions{Type: "userpass"}))
	mounts, err := server.Client().Sys().ListAuth()
	require.NoError(t, err)
	admin(t, "identity/entity-alias", map[string]any{"name": "somebody", "canonical_id": about.Data["entity_id"], "mount_accessor": mounts["people-"+c.Name+"/"].Accessor})

	a, next := set(t, au, c, old)
	_, findings, err := au.Retire(t.Context(), a, next)
	require.NoError(t, err)
	require.True(t, alive(t, left), "it may be somebody else's")
	require.False(t, alive(t, thief.Token()))
	require.Len(t, findings, 2)
	require.Equal(t, credential.FindingOrphanTokens, findings[0].Code)
	require.True(t, findings[0].Code.LivesOn(), "the login is not closed before a person accepts it")
	require.NotContains(t, findings[0].Detail, c.Name)
	require.NoError(t, server.Client().Auth().Token().RevokeTree(left))
}
