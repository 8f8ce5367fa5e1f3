package approlesecretid

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

func TestVaultIsAskedWhatALoginCouldReadAndNothingOfThatLasts(t *testing.T) {
	require.NoError(t, server.Client().Sys().PutPolicy("reads-esg", `path "kv/data/apps/esg-01/*" { capabilities = ["read"] }
path "kv/data/apps/esg-01/secret" { capabilities = ["deny"] }
path "kv/data/apps/written/*" { capabilities = ["create", "update"] }`))
	mount, err := server.Client().Logical().ReadWithContext(t.Context(), "sys/internal/ui/mounts/auth/approle")
	require.NoError(t, err)
	require.NoError(t, server.Client().Sys().PutPolicy("reads-by-host", `path "kv/data/apps/{{identity.entity.aliases.`+mount.Data["accessor"].(string)+`.metadata.host}}/*" { capabilities = ["read"] }`))
	au := New(worker, "vault")
	paths := []string{"kv/data/apps/esg-01/mta", "kv/data/apps/esg-01/secret", "kv/data/apps/esg-01/blank ", "kv/data/apps/written/x", "kv/data/apps/other/x"}
	want := []string{"kv/data/apps/esg-01/mta", "kv/data/apps/esg-01/blank "}
	for name, row := range map[string]struct {
		role, id map[string]any
		known    bool
		want     []string
	}{
		"its value is known":         {map[string]any{"token_policies": "reads-esg"}, nil, true, want},
		"its value is not known":     {map[string]any{"token_policies": "reads-esg"}, nil, false, want},
		"a limited number of uses":   {map[string]any{"token_policies": "reads-esg"}, map[string]any{"num_uses": 1}, true, want},
		"tokens that may do nothing": {map[string]any{"token_policies": "reads-esg", "token_no_default_policy": true, "token_num_uses": 1}, nil, true, want},
		"batch tokens":               {map[string]any{"token_policies": "reads-esg", "token_type": "batch"}, nil, true, want},
		"a policy that goes by metadata": {map[string]any{"token_policies": "reads-by-host"}, map[string]any{"metadata": `{"host":"esg-01"}`}, false,
			[]string{"kv/data/apps/esg-01/mta", "kv/data/apps/esg-01/secret", "kv/data/apps/esg-01/blank "}},
		"no rights": {nil, nil, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c, value := withSecretID(t, row.role, row.id)
			values := []credential.Secret{{}, credential.NewSecret("no such one")}
			if row.known {
				values = append(values, value)
			}
			before, mark := tokens(t), account(t, au, c).Changed
			got, err := au.Reads(t.Context(), c, values, paths)
			require.NoError(t, err)
			require.Equal(t, row.want, got)
			require.Equal(t, mark, account(t, au, c).Changed, "no secret-id is left behind")
			require.Eventually(t, func() bool { return tokens(t) == before }, 10*time.Second, 20*time.Millisecond)
			login(t, c, value)
		})
	}
	c, _ := newRole(t, map[string]any{"secret_id_bound_cidrs": "192.0.2.0/24"})
	_, err = au.Reads(t.Context(), c, nil, paths)
	require.Error(t, err, "who cannot be logged in cannot be asked")
	admin(t, "auth/approle/role/"+c.Name, map[string]any{"secret_id_bound_cidrs": []string{}})
	c.Subject = "approle/gone"
	got, err := au.Reads(t.Context(), c, nil, paths)
	require.NoError(t, err)
	require.Empty(t, got)
}
