package powers

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRulesThatAreWorthMoreThanTheySay(t *testing.T) {
	own := []string{"auth/approle/role/esg-01"}
	for text, want := range map[string]What{
		// Another login, by its exact name, by a pattern, at a mount of several
		// segments, in any writing.
		`path "auth/approle/role/backup/secret-id" { capabilities = ["update"] }`:                 Logins,
		`path "auth/approle/role/backup/custom-secret-id" { capabilities = ["create"] }`:          Logins,
		`path "auth/approle/role/+/secret-id" { capabilities = ["update"] }`:                      Logins,
		`path "auth/approle/role/esg-*" { capabilities = ["update"] }`:                            Logins,
		`path "auth/people/users/+/password" { capabilities = ["create", "update"] }`:             Logins,
		`path "/auth/corp/people/users/admin/password" { capabilities = ["update"] }`:             Logins,
		`path "auth/people/users/{{identity.entity.name}}" { capabilities = ["patch"] }`:          Logins,
		`path "auth/k8s/role/deploy" { policy = "write" }`:                                        Logins,
		`path "auth/corp-ldap/config" { capabilities = ["update"] }`:                              Logins,
		`path "auth/github/map/teams/ops" { capabilities = ["update"] }`:                          Logins,
		`path "auth/cert/certs/web" { capabilities = ["create"] }`:                                Logins,
		`path "auth/+/+/+" { capabilities = ["update"] }`:                                         Tokens,
		`path "a*" { capabilities = ["sudo", "update"] }`:                                         Tokens,
		`{"path": {"auth/approle/role/backup/secret-id": {"capabilities": ["update"]}}}`:          Logins,
		`path "auth/approle/role/esg-01" { capabilities = ["update"] }`:                           Logins,
		`path "auth/approle/role/esg-01/*" { capabilities = ["update"] }`:                         Logins,
		`path "auth/approle/role/esg-01/policies" { capabilities = ["update"] }`:                  Logins,
		`path "auth/token/create/deploy" { capabilities = ["update"] }`:                           Tokens,
		`path "auth/token/create*" { capabilities = ["update"] }`:                                 Tokens,
		`path "auth/token/create" { capabilities = ["update", "sudo"] }`:                          Tokens,
		`path "auth/token/roles/deploy" { capabilities = ["create"] }`:                            Tokens,
		`path "sys/policies/acl/kvall" { capabilities = ["update"] }`:                             Policies,
		`path "sys/policy/kvall" { capabilities = ["update"] }`:                                   Policies,
		`path "identity/entity/id/6f7d" { capabilities = ["update"] }`:                            Identity,
		`path "identity/group" { capabilities = ["update"] }`:                                     Identity,
		`path "sys/auth/mine" { capabilities = ["create", "sudo"] }`:                              Methods,
		`path "sys/mounts/kv/tune" { capabilities = ["update"] }`:                                 Mounts,
		`path "sys/remount" { capabilities = ["update", "sudo"] }`:                                Mounts,
		`path "sys/audit/evil" { capabilities = ["create", "sudo"] }`:                             Audit,
		`path "sys/raw/*" { capabilities = ["read", "sudo"] }`:                                    Storage,
		`path "sys/storage/raft/snapshot" { capabilities = ["read"] }`:                            Storage,
		`path "sys/storage/raft/snapshot-force" { capabilities = ["update"] }`:                    Storage,
		`path "sys/plugins/catalog/auth/mine" { capabilities = ["update"] }`:                      System,
		`path "sys/sync/destinations/aws-sm/mine" { capabilities = ["create"] }`:                  Sync,
		`path "sys/sync/destinations/+/+/associations/set" { capabilities = ["update"] }`:         Sync,
		`path "sys/config/auditing/request-headers/x" { capabilities = ["update"] }`:              System,
		"path \"kv/*\" { capabilities = [\"read\"] }\npath \"sys/remount\" { policy = \"sudo\" }": Mounts,
	} {
		got, err := In(own, text)
		require.NoError(t, err, text)
		require.Len(t, got, 1, text)
		require.Equal(t, want, got[0].What, text)
	}
	for _, text := range []string{
		`path "kv/data/apps/*" { capabilities = ["create", "read", "update", "delete"] }`,
		`path "auth/token/create" { capabilities = ["update"] }`,
		`path "auth/token/lookup-self" { capabilities = ["read"] } path "auth/token/renew-self" { policy = "write" }`,
		`path "auth/approle/role/backup/secret-id" { capabilities = ["list"] }`,
		`path "auth/approle/role/backup/role-id" { capabilities = ["read"] }`,
		`path "auth/approle/role/backup/secret-id-accessor/lookup" { capabilities = ["update"] }`,
		`path "auth/approle/login" { capabilities = ["create", "update"] }`,
		`path "auth/approle/role/esg-01/secret-id" { capabilities = ["update"] }`, // its own
		`path "auth/approle/role/ESG-01/custom-secret-id" { capabilities = ["update"] }`,
		`path "auth/approle/role/{{identity.entity.aliases.auth_approle_1.name}}/secret-id" { capabilities = ["update"] }`,
		`path "sys/leases/renew" { capabilities = ["update"] } path "sys/wrapping/wrap" { capabilities = ["update"] }`,
		`path "sys/capabilities-self" { capabilities = ["update"] } path "sys/mounts" { capabilities = ["read", "update"] }`,
		`path "identity/oidc/provider/+/authorize" { capabilities = ["read", "update"] } path "identity/lookup/entity" { capabilities = ["update"] }`,
		`path "sys/raw/*" { capabilities = ["list"] }`,
		`path "*" { capabilities = ["read", "list"] }`,
	} {
		got, err := In(own, text)
		require.NoError(t, err, text)
		require.Empty(t, got, text)
	}
	got, err := In(nil, `path "sys/remount" { capabilities = ["update"] }`, `path "sys/remount" { capabilities = ["deny"] }`)
	require.NoError(t, err)
	require.Empty(t, got, "what one policy denies no other gives")
	_, err = In(nil, `path "x" {`)
	require.Error(t, err)
	require.True(t, Power{Path: "auth/approle/role/backup/secret-id"}.Exact())
	require.False(t, Power{Path: "auth/approle/role/+/secret-id"}.Exact())
}
