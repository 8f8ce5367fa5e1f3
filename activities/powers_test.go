package activities

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
)

// What a login of the roll that stays open may make or change counts as what it
// reads: another role's secret-id, a user of another mount, a token of a role,
// a mount, an audit device, by its exact name or by a pattern.
func TestALoginThatMayBeAnotherOneCountsAsOneThatReadsAll(t *testing.T) {
	w := newReachable(t, map[string]any{"token_policies": "default"})
	w.write("auth/approle/role/esg-01-b", map[string]any{"token_policies": "power", "bind_secret_id": false, "token_bound_cidrs": "127.0.0.0/8"})
	w.accounts.Logins = w.index.Logins[1:]
	power := func(rule string) { require.NoError(t, w.client.Sys().PutPolicy("power", rule)) }
	all := []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonWithinReach}
	none := []protocol.Reason{protocol.ReasonUnreachable, protocol.ReasonUnreachable}
	w.write("auth/approle/role/backup", map[string]any{"token_policies": "reads-esg-01"})
	for rule, why := range map[string]string{
		`path "auth/approle/role/backup/secret-id" { capabilities = ["update"] }`:                         "or be another login",
		`path "auth/people/users/+/password" { capabilities = ["update"] }`:                               "or be another login",
		`path "auth/token/create/deploy" { capabilities = ["update"] }`:                                   "with other policies than its own",
		`path "sys/remount" { capabilities = ["update", "sudo"] }`:                                        "move mounts",
		`path "sys/audit/*" { capabilities = ["create", "update", "sudo"] }`:                              "audit devices",
		`path "sys/mounts/*" { capabilities = ["create", "update", "sudo"] }`:                             "move mounts",
		`path "sys/storage/raft/snapshot" { capabilities = ["read"] }`:                                    "storage",
		`path "sys/plugins/catalog/auth/mine" { capabilities = ["update", "sudo"] }`:                      "below sys/",
		`path "sys/policies/acl/another" { capabilities = ["update"] }`:                                   "write a policy",
		`path "auth/approle/role/esg-01-*" { capabilities = ["create", "update"] }`:                       "or be another login",
		`{"path": {"auth/approle/role/backup/custom-secret-id": {"capabilities": ["create", "update"]}}}`: "or be another login",
	} {
		power(rule)
		require.Equal(t, all, w.reasons(), rule)
		stop := w.prepared(0)[0]
		require.Equal(t, protocol.ReasonWithinReach, stop.Reason, rule)
		require.Contains(t, stop.Detail, why, rule)
		require.NotContains(t, stop.Detail, "backup")
	}
	for _, rule := range []string{
		`path "auth/token/create" { capabilities = ["update"] }`,
		`path "auth/approle/role/esg-01-b/secret-id" { capabilities = ["update"] }`, // its own
		`path "auth/approle/role/backup/role-id" { capabilities = ["read"] }`,
	} {
		power(rule)
		require.Equal(t, none, w.reasons(), rule)
	}
	// One of the roll is retired too, and waits for whoever may make it.
	power(`path "auth/approle/role/esg-01-a/secret-id" { capabilities = ["update"] }`)
	w.accounts.Logins = w.index.Logins
	require.Nil(t, w.prepared(1)[0], "its own reason comes when it is set")
	require.Contains(t, w.prepared(0)[0].Detail, "may make this one anew")
}
