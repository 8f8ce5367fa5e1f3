package approlesecretid

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"

	"rollcall/internal/vault"
)

// withSecretID makes a role with one secret-id that has limits of its own.
func withSecretID(t *testing.T, role, id map[string]any) (credential.Credential, credential.Secret) {
	t.Helper()
	c, first := newRole(t, role)
	admin(t, "auth/approle/role/"+c.Name+"/secret-id/destroy", map[string]any{"secret_id": first.Reveal()})
	got := admin(t, "auth/approle/role/"+c.Name+"/secret-id", id)
	return c, credential.NewSecret(got.Data["secret_id"].(string))
}

func TestANewSecretIDHasTheLimitsOfTheOldOneAndNotMore(t *testing.T) {
	au := New(worker, "vault")
	anywhere := map[string]any{"secret_id_bound_cidrs": "127.0.0.0/8", "token_bound_cidrs": "127.0.0.0/8"}
	here := map[string]any{"cidr_list": []string{"127.0.0.1/32"}, "token_bound_cidrs": []string{"127.0.0.1/32"}}
	for name, row := range map[string]struct {
		role, id map[string]any
		unknown  bool // Vault's KV does not hold the old one
		more     []map[string]any
		logins   []string
		tokens   []string
		uses     int64
		ttl      int64
		metadata map[string]string
	}{
		"addresses": {role: anywhere, id: here, logins: []string{"127.0.0.1/32"}, tokens: []string{"127.0.0.1/32"}},
		"addresses of one that Vault does not hold": {role: anywhere, id: here, unknown: true, logins: []string{"127.0.0.1/32"}, tokens: []string{"127.0.0.1/32"}},
		"uses, lifetime and metadata":               {id: map[string]any{"num_uses": 50, "ttl": "30m", "metadata": `{"host":"esg-01","env":"prod"}`}, uses: 50, ttl: 1800, metadata: map[string]string{"host": "esg-01", "env": "prod"}},
		"nothing of its own":                        {},
		"the role's own limits":                     {role: map[string]any{"secret_id_num_uses": 7, "secret_id_ttl": "1h"}, uses: 7, ttl: 3600},
		"one use":                                   {id: map[string]any{"num_uses": 1}, uses: 1},
		"several, none known: as much as the most": {
			id: map[string]any{"num_uses": 5, "ttl": "30m", "metadata": `{"host":"a","env":"prod"}`}, unknown: true,
			more: []map[string]any{{"num_uses": 9, "ttl": "20m", "metadata": `{"host":"b","env":"prod"}`}},
			uses: 9, ttl: 1800, metadata: map[string]string{"env": "prod"},
		},
		"several, of which one is known: as that one": {
			id: map[string]any{"num_uses": 5}, more: []map[string]any{{}}, uses: 5,
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, old := withSecretID(t, row.role, row.id)
			for _, id := range row.more {
				admin(t, "auth/approle/role/"+c.Name+"/secret-id", id)
			}
			known := old
			if row.unknown {
				known = credential.Secret{}
			}
			a, next := set(t, au, c, known)
			got, err := au.Try(t.Context(), "vault", a, next)
			require.NoError(t, err)
			require.Equal(t, protocol.Accepted, got)
			_, _, err = au.Retire(t.Context(), a, next)
			require.NoError(t, err)

			seen := admin(t, "auth/approle/role/"+c.Name+"/secret-id/lookup", map[string]any{"secret_id": next.Reveal()}).Data
			require.Equal(t, row.logins, vault.TextsIn(seen["cidr_list"]))
			require.Equal(t, row.tokens, vault.TextsIn(seen["token_bound_cidrs"]))
			require.Equal(t, row.uses, vault.Integer(seen["secret_id_num_uses"]), "and proving it cost none")
			require.Equal(t, row.ttl, vault.Integer(seen["secret_id_ttl"]))
			metadata := seen["metadata"].(map[string]any)
			require.NotEmpty(t, metadata[tagKey])
			delete(metadata, tagKey)
			require.Len(t, metadata, len(row.metadata))
			for k, v := range row.metadata {
				require.Equal(t, v, metadata[k])
			}
			token := admin(t, "auth/token/lookup", map[string]any{"token": login(t, c, next)}).Data
			require.Len(t, vault.TextsIn(token["bound_cidrs"]), len(row.tokens))
		})
	}
}

// What its metadata names in a policy must go on working for the consumer.
func TestAPolicyThatReadsTheSecretIDsMetadataWorksForTheNewOne(t *testing.T) {
	au := New(worker, "vault")
	mount, err := server.Client().Logical().ReadWithContext(t.Context(), "sys/internal/ui/mounts/auth/approle")
	require.NoError(t, err)
	policy := `path "cubbyhole/{{identity.entity.aliases.` + mount.Data["accessor"].(string) + `.metadata.host}}/*" { capabilities = ["deny"] }
path "auth/token/lookup-accessor/{{identity.entity.aliases.` + mount.Data["accessor"].(string) + `.metadata.host}}" { capabilities = ["update"] }`
	require.NoError(t, server.Client().Sys().PutPolicy("by-host", policy))
	c, old := withSecretID(t, map[string]any{"token_policies": "by-host"}, map[string]any{"metadata": `{"host":"esg-01"}`})
	a, next := set(t, au, c, old)
	_, _, err = au.Retire(t.Context(), a, next)
	require.NoError(t, err)
	caps := admin(t, "sys/capabilities", map[string]any{"token": login(t, c, next), "paths": []string{"auth/token/lookup-accessor/esg-01"}}).Data
	require.Equal(t, []any{"update"}, caps["auth/token/lookup-accessor/esg-01"])
}

// Nor does the look at one whose logins are counted take that from the tokens
// which the consumer has, although another secret-id of the role has another.
func TestALookAtACountedSecretIDLeavesThePoliciesOfLivingTokens(t *testing.T) {
	au := New(worker, "vault")
	mount, err := server.Client().Logical().ReadWithContext(t.Context(), "sys/internal/ui/mounts/auth/approle")
	require.NoError(t, err)
	require.NoError(t, server.Client().Sys().PutPolicy("by-host-counted", `path "auth/token/lookup-accessor/{{identity.entity.aliases.`+mount.Data["accessor"].(string)+`.metadata.host}}" { capabilities = ["update"] }`))
	c, old := withSecretID(t, map[string]any{"token_policies": "by-host-counted"}, map[string]any{"metadata": `{"host":"esg-02"}`, "num_uses": 9})
	admin(t, "auth/approle/role/"+c.Name+"/secret-id", map[string]any{"metadata": `{"host":"another"}`})
	token := login(t, c, old)
	got, err := au.Try(t.Context(), "vault", account(t, au, c), old)
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, got)
	caps := admin(t, "sys/capabilities", map[string]any{"token": token, "paths": []string{"auth/token/lookup-accessor/esg-02"}}).Data
	require.Equal(t, []any{"update"}, caps["auth/token/lookup-accessor/esg-02"])
}

func TestLimitsThatTheRoleNoLongerAllowsAreCutToItsOwnOrStopBeforeAnythingIsSet(t *testing.T) {
	au := New(worker, "vault")
	c, old := withSecretID(t, nil, map[string]any{"num_uses": 50, "ttl": "2h"})
	admin(t, "auth/approle/role/"+c.Name, map[string]any{"secret_id_num_uses": 3, "secret_id_ttl": "1h"})
	_, next := set(t, au, c, old)
	seen := admin(t, "auth/approle/role/"+c.Name+"/secret-id/lookup", map[string]any{"secret_id": next.Reveal()}).Data
	require.Equal(t, json.Number("3"), seen["secret_id_num_uses"])
	require.Equal(t, json.Number("3600"), seen["secret_id_ttl"])

	c, old = withSecretID(t, nil, map[string]any{"token_bound_cidrs": []string{"127.0.0.0/8"}})
	admin(t, "auth/approle/role/"+c.Name, map[string]any{"token_bound_cidrs": "127.0.0.1/32"})
	var stop *protocol.Stop
	require.ErrorAs(t, au.Set(t.Context(), account(t, au, c), credential.NewSecret("next"), old), &stop)
	require.Equal(t, protocol.ReasonPolicy, stop.Reason)
	id, err := au.find(t.Context(), role{mount: "approle", name: c.Name}, credential.NewSecret("next"))
	require.NoError(t, err)
	require.Nil(t, id)
}

// A stale consumer locks the role for the new secret-id too: the count is the
// role's.
func TestARoleThatAStaleConsumerLockedIsSaidToBeSo(t *testing.T) {
	au := New(worker, "vault")
	c, old := newRole(t, nil)
	a, next := set(t, au, c, old)
	_, _, err := au.Retire(t.Context(), a, next)
	require.NoError(t, err)
	for range 5 {
		_, err := tryLogin(t, c, old)
		require.Error(t, err)
	}
	got, err := au.Try(t.Context(), "vault", a, next)
	require.NoError(t, err)
	require.Equal(t, protocol.RoleLocked, got)
	stop := protocol.StopFor(got, "vault")
	require.Equal(t, protocol.ReasonRoleLocked, stop.Reason)
	require.Contains(t, stop.Detail, "sys/locked-users")
	require.Equal(t, protocol.RoleLocked, account(t, au, c).State)

	mount, err := server.Client().Logical().ReadWithContext(t.Context(), "sys/internal/ui/mounts/auth/approle")
	require.NoError(t, err)
	id, err := au.roleID(t.Context(), role{mount: "approle", name: c.Name})
	require.NoError(t, err)
	admin(t, "sys/locked-users/"+mount.Data["accessor"].(string)+"/unlock/"+id, nil)
	got, err = au.Try(t.Context(), "vault", a, next)
	require.NoError(t, err)
	require.Equal(t, protocol.Accepted, got, "the remedy that the reason names")
}
