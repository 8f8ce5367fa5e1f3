package approlesecretid

import (
	"strings"
	"testing"

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
	want := []string{"kv/data/apps/esg-01/mta", "kv/data/apps/esg-01/blank ", "kv/data/apps/written/x"}
	for name, row := range map[string]struct {
		role, id map[string]any
		known    bool
		want     []string
	}{
		"its value is known":           {map[string]any{"token_policies": "reads-esg"}, nil, true, want},
		"its value is not known":       {map[string]any{"token_policies": "reads-esg"}, nil, false, want},
		"a limited number of uses":     {map[string]any{"token_policies": "reads-esg"}, map[string]any{"num_uses": 1}, true, want},
		"secret-ids that live shortly": {map[string]any{"token_policies": "reads-esg", "secret_id_ttl": "30s"}, nil, false, want},
		"tokens that may do nothing":   {map[string]any{"token_policies": "reads-esg", "token_no_default_policy": true, "token_num_uses": 1}, nil, true, want},
		"batch tokens":                 {map[string]any{"token_policies": "reads-esg", "token_type": "batch"}, nil, true, want},
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
			leavesNone(t, before)
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

// Who may write a secret can make a new value away with, and who may change
// what he gets gets all.
func TestWhatALoginMayWriteCountsAsWhatItReads(t *testing.T) {
	au := New(worker, "vault")
	const place, other = "kv/data/apps/esg-01/mta", "kv/data/apps/other/x"
	for name, row := range map[string]struct {
		policy string // %s: the role's name, which its policy has too
		reads  []string
		by     string
	}{
		"writes it":                {`path "kv/data/apps/esg-01/*" { capabilities = ["create"] }`, []string{place}, ""},
		"patches it":               {`path "kv/data/apps/esg-01/*" { capabilities = ["patch"] }`, []string{place}, ""},
		"deletes it":               {`path "kv/data/apps/esg-01/*" { capabilities = ["delete"] }`, []string{place}, ""},
		"its settings":             {`path "kv/metadata/apps/esg-01/*" { capabilities = ["update"] }`, []string{place}, ""},
		"all of it":                {`path "kv/metadata/apps/esg-01/*" { capabilities = ["delete"] }`, []string{place}, ""},
		"its versions":             {`path "kv/destroy/apps/esg-01/*" { capabilities = ["update"] }`, []string{place}, ""},
		"sees that it is there":    {`path "kv/metadata/apps/esg-01/*" { capabilities = ["read", "list"] }`, nil, ""},
		"its policy":               {`path "sys/policies/acl/%s" { capabilities = ["update"] }`, []string{place, other}, "sys/policies/acl/%s"},
		"its policy, as it was":    {`path "sys/policy/%s" { capabilities = ["update"] }`, []string{place, other}, "sys/policy/%s"},
		"somebody's policy":        {`path "sys/policies/acl/of-others" { capabilities = ["update"] }`, []string{place, other}, "sys/policies/acl/of-others"},
		"its role":                 {`path "auth/approle/role/%s" { capabilities = ["update"] }`, []string{place, other}, "auth/approle/role/%s"},
		"its role's policies":      {`path "auth/approle/role/%s/policies" { capabilities = ["update"] }`, []string{place, other}, "auth/approle/role/%s/policies"},
		"any role":                 {`path "auth/approle/role/+" { capabilities = ["create", "update"] }`, []string{place, other}, "auth/approle/role/+"},
		"another role's secret-id": {`path "auth/approle/role/backup/secret-id" { capabilities = ["update"] }`, nil, "auth/approle/role/backup/secret-id"}, // whose that is its caller knows
		"its own secret-ids":       {`path "auth/approle/role/%s/secret-id" { capabilities = ["update"] }`, nil, ""},
		"groups":                   {`path "identity/group/*" { capabilities = ["create", "update"] }`, []string{place, other}, "identity/group/*"},
		"its entity":               {`path "identity/entity/id/{{identity.entity.id}}" { capabilities = ["update"] }`, []string{place, other}, "identity/entity/id/"},
		"tokens of any policy":     {`path "auth/token/create" { capabilities = ["update", "sudo"] }`, []string{place, other}, "auth/token/create"},
		"tokens of its own rights": {`path "auth/token/create" { capabilities = ["update"] }`, nil, ""},
		"reads everything":         {`path "*" { capabilities = ["read"] }`, []string{place, other}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, value := newRole(t, nil)
			require.NoError(t, server.Client().Sys().PutPolicy(c.Name, strings.ReplaceAll(row.policy, "%s", c.Name)))
			admin(t, "auth/approle/role/"+c.Name, map[string]any{"token_policies": c.Name})
			got, err := au.Reads(t.Context(), c, []credential.Secret{value}, []string{place, other})
			require.NoError(t, err)
			if row.by == "" {
				require.Equal(t, row.reads, got)
				return
			}
			require.Len(t, got, len(row.reads)+1)
			require.ElementsMatch(t, row.reads, got[:len(row.reads)])
			require.Contains(t, got[len(row.reads)], strings.ReplaceAll(row.by, "%s", c.Name))
		})
	}
}

// A token keeps the policies that its login gave when it was minted, and so do
// those that it made.
func TestTokensFromBeforeReadWhatTheLoginGivesNoMore(t *testing.T) {
	require.NoError(t, server.Client().Sys().PutPolicy("reads-before", `path "kv/data/apps/before/*" { capabilities = ["read"] }
path "auth/token/create" { capabilities = ["update"] }`))
	au := New(worker, "vault")
	paths := []string{"kv/data/apps/before/x", "kv/data/apps/other/x"}
	c, value := newRole(t, map[string]any{"token_policies": "reads-before"})
	neighbour, its := newRole(t, map[string]any{"token_policies": "reads-before"})
	login(t, neighbour, its)
	thief := server.Client()
	thief.SetToken(login(t, c, value))
	admin(t, "auth/approle/role/"+c.Name, map[string]any{"token_policies": "default"})
	got, err := au.Reads(t.Context(), c, []credential.Secret{value}, paths)
	require.NoError(t, err)
	require.Equal(t, paths[:1], got)
	_, err = thief.Logical().ReadWithContext(t.Context(), paths[0])
	require.NoError(t, err, "Vault lets it")
	admin(t, "auth/approle/role/"+neighbour.Name, map[string]any{"token_policies": "default"})
	_, err = server.Client().Logical().Delete("auth/approle/role/" + neighbour.Name)
	require.NoError(t, err)
	got, err = au.Reads(t.Context(), neighbour, nil, paths)
	require.NoError(t, err)
	require.Equal(t, paths[:1], got, "the role is deleted, and its tokens are not")

	require.NoError(t, thief.Auth().Token().RevokeSelf(""))
	got, err = New(worker, "vault").Reads(t.Context(), c, []credential.Secret{value}, paths)
	require.NoError(t, err)
	require.Empty(t, got, "a neighbour's token is none of its own")
}
