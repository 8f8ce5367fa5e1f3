package setup

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

// An administrator may do everything: of a role that says nothing.
func TestWhatARolesPolicyWouldAllowIsAskedWithATokenOfIt(t *testing.T) {
	worker, root, c := restricted(t, vault.WorkerPolicy)
	ctx := t.Context()
	for _, as := range Roles() {
		_, out := rolesOf(ctx, root, c, nil, as)
		require.Len(t, out, 1)
		require.True(t, out[0].OK && !out[0].NotChecked, "%v", out[0])
		require.Contains(t, out[0].Detail, policyOf[as]+" allows all that its role needs")
		require.Contains(t, out[0].Detail, "asked with a token of it")
	}

	// What another role's policy allows, this one's login cannot find out.
	_, out := rolesOf(ctx, worker, c, nil, "ledger")
	require.Len(t, out, 1)
	require.True(t, out[0].NotChecked, "%v", out[0])
	require.Contains(t, out[0].Detail, "may not make a token of that policy")
	_, out = rolesOf(ctx, worker, c, nil, "worker")
	require.True(t, out[0].OK && !out[0].NotChecked, "%v", out[0])
	require.Contains(t, out[0].Detail, "this login has it")

	// A login of one role is held to that one, and the other is not called
	// wrong.
	policies, out := rolesOf(ctx, worker, c, nil, "")
	require.Equal(t, []string{vault.WorkerPolicy}, policies)
	require.Len(t, out, 2)
	require.True(t, out[0].OK && !out[0].NotChecked)
	require.True(t, out[1].NotChecked)
	require.Contains(t, out[1].Detail, "rollcall doctor --as ledger")
	operator := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.OperatorPolicy))
	_, out = rolesOf(ctx, operator, c, nil, "")
	for _, o := range out {
		require.True(t, o.OK, "%v", o)
	}

	// The policy is not what the file needs: one line, and the administrator
	// does not hide it.
	text, err := server.Client().Sys().GetPolicyWithContext(ctx, vault.WorkerPolicy)
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Client().Sys().PutPolicy(vault.WorkerPolicy, text) })
	var less []string
	for line := range strings.SplitSeq(text, "\n") {
		if !strings.Contains(line, `"kv/`) {
			less = append(less, line)
		}
	}
	require.NoError(t, server.Client().Sys().PutPolicyWithContext(ctx, vault.WorkerPolicy, strings.Join(less, "\n")))
	_, out = rolesOf(ctx, root, c, nil, "")
	for _, o := range out {
		require.True(t, o.OK, "%v", o)
	}
	_, out = rolesOf(ctx, root, c, nil, "worker")
	require.Len(t, out, 1)
	require.False(t, out[0].OK)
	require.Contains(t, out[0].Detail, "is missing on kv/")
	require.Contains(t, out[0].Detail, "more")
	require.Contains(t, out[0].Do, "rollcall init")
	left, err := server.Client().Logical().ListWithContext(ctx, "auth/token/accessors")
	require.NoError(t, err)
	for _, a := range left.Data["keys"].([]any) {
		got, err := server.Client().Auth().Token().LookupAccessorWithContext(ctx, a.(string))
		if err == nil {
			require.NotEqual(t, "token-rollcall-doctor", got.Data["display_name"], "it lives for the question")
		}
	}
}
