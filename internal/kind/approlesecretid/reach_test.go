package approlesecretid

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
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

func TestWhatOutlastsALoginIsKnownBeforeAnythingIsSet(t *testing.T) {
	for name, about := range map[string]string{"forced-batch": "batch", "default-batch": "default-batch"} {
		admin(t, "sys/auth/"+name, map[string]any{"type": "approle", "config": map[string]any{"token_type": about}})
	}
	au := New(worker, "vault")
	for name, row := range map[string]struct {
		mount string
		role  map[string]any
		want  kind.Outlasts
	}{
		"service tokens":              {"approle", nil, kind.Outlasts{}},
		"batch tokens":                {"approle", map[string]any{"token_type": "batch"}, kind.Outlasts{Tokens: true}},
		"no secret-id":                {"approle", map[string]any{"bind_secret_id": false, "token_bound_cidrs": "127.0.0.0/8"}, kind.Outlasts{Login: true}},
		"a mount that gives no other": {"forced-batch", map[string]any{"token_type": "service"}, kind.Outlasts{Tokens: true}},
		"a mount whose default it is": {"default-batch", nil, kind.Outlasts{Tokens: true}},
		"a role that wants service":   {"default-batch", map[string]any{"token_type": "service"}, kind.Outlasts{}},
	} {
		t.Run(name, func(t *testing.T) {
			role := strings.ReplaceAll(name, " ", "-")
			admin(t, "auth/"+row.mount+"/role/"+role, row.role)
			from := au
			if row.mount != "approle" {
				from = New(server.Client(), "vault")
			}
			got, err := from.Outlasts(t.Context(), credential.Credential{Subject: row.mount + "/" + role})
			require.NoError(t, err)
			require.Equal(t, row.want, got)
			id, err := server.Client().Logical().Read("auth/" + row.mount + "/role/" + role + "/role-id")
			require.NoError(t, err)
			in := map[string]any{"role_id": id.Data["role_id"]}
			if !row.want.Login {
				in["secret_id"] = admin(t, "auth/"+row.mount+"/role/"+role+"/secret-id", nil).Data["secret_id"]
			}
			require.Equal(t, row.want.Tokens, admin(t, "auth/"+row.mount+"/login", in).Auth.Accessor == "", "Vault gives what was said")
		})
	}
	got, err := au.Outlasts(t.Context(), credential.Credential{Subject: "approle/gone"})
	require.NoError(t, err)
	require.Zero(t, got)
}
