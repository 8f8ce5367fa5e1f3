package setup

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/vault/vaulttest"
)

// Roles of auth mounts of other types are read by their own mounts alone: a
// pattern for all would show the worker every AppRole that there is, and those
// that a thief names in metadata too.
func TestRolesOfOtherAuthMountsAreGrantedByMount(t *testing.T) {
	c := vaulttest.NewCampaign()
	policies := Policies(c, nil, "auth/corp/k8s/config", "auth/corp/k8s/role/")
	for _, i := range []int{0, 2} { // worker, operator
		require.Contains(t, policies[i].HCL, `path "auth/corp/k8s/role"`)
		require.Contains(t, policies[i].HCL, `path "auth/corp/k8s/role/*"`)
		require.NotContains(t, policies[i].HCL, "auth/+/role")
	}
	require.NotContains(t, policies[1].HCL, "k8s")
	require.Contains(t, policies[0].HCL, "auth/token/accessors")
	require.NotContains(t, policies[2].HCL, "auth/token/accessors")
}
