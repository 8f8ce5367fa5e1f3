package inventory

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

// Two devices that log in with one role have a secret-id each: the rotation of
// the one's ends the other's.
func TestAnAppRoleOfSeveralConsumersIsOpenUntilAPersonAcceptsIt(t *testing.T) {
	servers(t)
	make2 := func(role string, settings, first, second map[string]any) {
		write(t, "auth/approle/role/"+role, settings)
		write(t, "auth/approle/role/"+role+"/secret-id", first)
		write(t, "auth/approle/role/"+role+"/secret-id", second)
	}
	own := map[string]any{"metadata": `{"device":"esg-01","rollcall":"mark"}`}
	make2("shared-by-metadata", map[string]any{}, own, map[string]any{"metadata": `{"device":"esg-02"}`})
	make2("shared-by-none", map[string]any{}, own, nil)
	make2("shared-by-address", map[string]any{}, map[string]any{"cidr_list": []string{"192.0.2.1/32"}}, map[string]any{"cidr_list": []string{"192.0.2.2/32"}})
	make2("shared-by-tokens", map[string]any{}, nil, map[string]any{"token_bound_cidrs": []string{"192.0.2.2/32"}})
	make2("alike", map[string]any{}, own, map[string]any{"metadata": `{"device":"esg-01"}`, "num_uses": 7, "ttl": "1h"})
	make2("plain", map[string]any{}, nil, nil)
	write(t, "auth/approle/role/asks-for-none", map[string]any{"bind_secret_id": false, "token_bound_cidrs": []string{"127.0.0.0/8"}})

	c := campaign()
	c.Directories = nil
	c.Sources = []config.Source{manifestSource("kind,account", "approle-secret-id,approle/shared-by-metadata", "approle-secret-id,approle/shared-by-none", "approle-secret-id,approle/shared-by-address",
		"approle-secret-id,approle/shared-by-tokens", "approle-secret-id,approle/alike", "approle-secret-id,approle/asks-for-none", "approle-secret-id,approle/plain")}
	list := func(v Vault) (map[string]credential.Credential, *credential.Roll) {
		roll, _, err := listIn(t.Context(), c, nil, v, "c", time.Now())
		require.NoError(t, err)
		return byName(roll), roll
	}
	store := openVault(t, realVault.RootToken().Reveal())
	got, roll := list(store)
	for role, why := range map[string]string{"metadata": `metadata "device"`, "none": `metadata "device"`, "address": "cidr_list", "tokens": "token_bound_cidrs"} {
		id := "vault/approle/shared-by-" + role
		require.Equal(t, credential.SharedRole, got["approle/shared-by-"+role].Problem, role)
		text := details(roll, id, credential.FindingSharedRole)
		require.Contains(t, text, "its 2 secret-ids differ in "+why+", so not all are the device's")
		require.Contains(t, text, "whoever logs in with one of the other 1 is cut off")
		require.Contains(t, text, `accept: - {account: "approle/shared-by-`+role+`", problem: shared-role`)
	}
	require.Empty(t, got["approle/alike"].Problem, "uses and lifetimes say nothing of whose it is, nor does Rollcall's mark")
	require.Equal(t, credential.SharedRole, got["approle/plain"].Problem)
	require.Contains(t, details(roll, "vault/approle/plain", credential.FindingSharedRole), "its 2 secret-ids look alike, and 2 of them were made when the device was in nobody else's hands")
	require.Contains(t, details(roll, "vault/approle/alike", credential.FindingExtraSecretIDs), "it has 2 secret-ids")
	require.Empty(t, got["approle/asks-for-none"].Problem)
	none := details(roll, "vault/approle/asks-for-none", credential.FindingLimits)
	require.Contains(t, none, "stays open (needs-no-secret)")
	require.NotContains(t, none, "(rights)")

	c.Accept = []config.Accept{{Account: "approle/shared-by-none", Problem: credential.SharedRole, Reason: "the twin gets the new one"}}
	got, roll = list(store)
	require.Empty(t, got["approle/shared-by-none"].Problem)
	require.Contains(t, details(roll, "vault/approle/shared-by-none", credential.FindingSharedRole), "is cut off", "it stays to be done")
	require.Equal(t, credential.SharedRole, got["approle/shared-by-metadata"].Problem)

	// What was made while the device was in foreign hands is likelier a
	// thief's: it goes, and that there are two is said before.
	was := c.Exposure
	c.Exposure = []config.Interval{{From: time.Now().Add(-time.Hour)}}
	got, roll = list(store)
	require.Empty(t, got["approle/plain"].Problem)
	require.Contains(t, details(roll, "vault/approle/plain", credential.FindingExtraSecretIDs), "if one is another consumer's, give that one a role of its own first")
	require.Equal(t, credential.SharedRole, got["approle/shared-by-metadata"].Problem)
	c.Exposure = was

	// One that Rollcall itself has made, in a campaign that was ended, is no
	// other consumer's.
	got, _ = list(withLeftover{store, "vault/approle/shared-by-metadata"})
	require.Empty(t, got["approle/shared-by-metadata"].Problem)
	require.Equal(t, credential.SharedRole, got["approle/shared-by-address"].Problem)
}

type withLeftover struct {
	*ownmount.Store
	id string
}

func (v withLeftover) Leftovers(context.Context, string, string, ...string) ([]ownmount.Leftover, error) {
	return []ownmount.Leftover{{ID: v.id, Campaign: "ended", Device: "esg-01"}}, nil
}
