package setup

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

// Vault answers a question about a path with a blank at an end as if it were
// another one. That keeps no campaign from its start, and nothing is set that
// could not be written.
func TestAPathWithABlankAtItsEndIsAskedAboutByAWriteThatCannotSucceed(t *testing.T) {
	s, c := newStoreOf(t)
	admin := server.Client().Logical()
	odd := credential.Path{Mount: "kv", Path: "blank/svc ", Field: "password"}
	_, err := admin.WriteWithContext(t.Context(), "kv/data/blank/svc ", map[string]any{"data": map[string]any{"password": "hunter2"}})
	require.NoError(t, err)
	require.True(t, vault.Oddly([]credential.Path{odd}))
	known := []credential.Credential{{Paths: []credential.Path{odd, {Mount: "kv", Path: "blank/svc", Field: "password"}}}}
	for _, p := range Policies(c, known) {
		require.NoError(t, server.Client().Sys().PutPolicyWithContext(t.Context(), p.Name+"-blank", p.HCL))
	}
	may := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy+"-blank"))
	require.NoError(t, RequireRights(t.Context(), may, vault.WorkerPolicy, c, known))
	for _, version := range []int{0, 1} {
		require.NoError(t, may.MayWrite(t.Context(), []credential.Path{odd}, []int{version}))
	}
	require.NoError(t, RequireRights(t.Context(), s, vault.WorkerPolicy, c, known), "with the root token as well")

	mayNot := open(t, c, server.Address(), vaulttest.TokenWith(t, "default"))
	err = mayNot.MayWrite(t.Context(), []credential.Path{odd}, []int{1})
	require.True(t, vault.IsKind(err, vault.PermissionDenied), "%v", err)

	live, err := s.ReadLive(t.Context(), odd, 0)
	require.NoError(t, err)
	require.Equal(t, 1, live.Version, "nothing was written")
	require.Equal(t, "hunter2", live.Value.Reveal())
}
