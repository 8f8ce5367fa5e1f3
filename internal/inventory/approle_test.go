package inventory

import (
	"fmt"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/setup"
)

func TestAppRolesTieToTheDeviceByNameAddressOrMetadata(t *testing.T) {
	servers(t)
	for role, body := range map[string]map[string]any{
		"esg-by-name":      {},
		"bound-role":       {"secret_id_bound_cidrs": []string{"192.0.2.0/24"}},
		"bound-token":      {"token_bound_cidrs": []string{"192.0.2.10"}},
		"bound-secret-id":  {},
		"marked-secret-id": {},
		"elsewhere":        {"token_bound_cidrs": []string{"198.51.100.0/24"}},
	} {
		write(t, "auth/approle/role/"+role, body)
	}
	write(t, "auth/approle/role/bound-secret-id/secret-id", map[string]any{"cidr_list": []string{"192.0.2.8/29"}})
	write(t, "auth/approle/role/marked-secret-id/secret-id", map[string]any{"metadata": `{"device":"other"}`})
	write(t, "auth/approle/role/marked-secret-id/secret-id", map[string]any{"metadata": `{"device":"esg-01","site":"a"}`})
	write(t, "auth/approle/role/elsewhere/secret-id", map[string]any{"metadata": `{"device":"esg-02"}`})

	for _, tc := range []struct {
		name   string
		source config.Source
		want   map[string]string
	}{
		{"by name", config.Source{Role: "ESG-by-*"}, map[string]string{"approle/esg-by-name": "role name matches ESG-by-*"}},
		{"by address", config.Source{CIDR: "192.0.2.10/32"}, map[string]string{
			"approle/bound-role":      "role is bound to 192.0.2.0/24",
			"approle/bound-token":     "role is bound to 192.0.2.10",
			"approle/bound-secret-id": "a secret-id is bound to 192.0.2.8/29",
		}},
		{"by metadata", config.Source{Metadata: map[string]string{"device": "esg-01"}}, map[string]string{
			"approle/marked-secret-id": "a secret-id has the metadata device=esg-01",
		}},
		{"by all of the metadata", config.Source{Metadata: map[string]string{"device": "esg-01", "site": "b"}}, map[string]string{}},
		{"by any of them", config.Source{Role: "esg-by-name", CIDR: "192.0.2.200/32", Metadata: map[string]string{"site": "a"}}, map[string]string{
			"approle/esg-by-name":      "role name matches esg-by-name",
			"approle/bound-role":       "role is bound to 192.0.2.0/24",
			"approle/marked-secret-id": "a secret-id has the metadata site=a",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := campaign()
			c.Directories = nil
			tc.source.Name, tc.source.Type, tc.source.Mount = "roles", config.VaultAppRole, "approle"
			c.Sources = []config.Source{tc.source}
			roll, _, err := listIn(t.Context(), c, nil, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
			require.NoError(t, err)
			got := map[string]string{}
			for _, x := range roll.Credentials {
				require.Equal(t, credential.AppRoleSecretID, x.Kind)
				got[x.Subject] = x.Reasons[0].Detail
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestAnAppRoleOfAManifestMustExist(t *testing.T) {
	servers(t)
	write(t, "auth/approle/role/listed", map[string]any{})
	c := campaign()
	c.Directories = nil
	c.Sources = []config.Source{manifestSource("kind,account", "approle-secret-id,approle/Listed", "approle-secret-id,approle/none")}
	roll, _, err := listIn(t.Context(), c, nil, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	got := byName(roll)
	require.Equal(t, credential.Problem(""), got["approle/listed"].Problem)
	require.Equal(t, credential.NoAccount, got["approle/none"].Problem)
}

func TestTheAppRoleThatWeLoggedInWithIsKnownAsOurs(t *testing.T) {
	servers(t)
	write(t, "sys/policies/acl/lister", map[string]any{"policy": `path "auth/approle/role" { capabilities = ["list"] }
path "rollcall/metadata/places/*" { capabilities = ["list"] }`})
	write(t, "auth/approle/role/worker", map[string]any{"token_policies": []string{"lister"}})
	id, err := realVault.Client().Logical().ReadWithContext(t.Context(), "auth/approle/role/worker/role-id")
	require.NoError(t, err)
	secret := write(t, "auth/approle/role/worker/secret-id", nil)
	login, err := realVault.Client().Logical().WriteWithContext(t.Context(), "auth/approle/login",
		map[string]any{"role_id": id.Data["role_id"], "secret_id": secret["secret_id"]})
	require.NoError(t, err)

	c := campaign()
	c.Directories = nil
	c.Sources = []config.Source{{Name: "roles", Type: config.VaultAppRole, Mount: "approle", Role: "work*"}}
	roll, warnings, err := listIn(t.Context(), c, nil, openVault(t, login.Auth.ClientToken), "c", time.Now())
	require.NoError(t, err)
	require.Len(t, roll.Credentials, 1)
	require.Equal(t, credential.OwnIdentity, roll.Credentials[0].Problem)
	require.Len(t, warnings, 1)
}

func TestTheWorkersLoginIsOnTheRollLastIfTheFileSaysSo(t *testing.T) {
	servers(t)
	write(t, "sys/policies/acl/lists-places", map[string]any{"policy": `path "rollcall/metadata/places/*" { capabilities = ["list"] }`})
	login := func(role string) string {
		write(t, "auth/approle/role/"+role, map[string]any{"token_policies": []string{"default", "lists-places"}})
		id, err := realVault.Client().Logical().ReadWithContext(t.Context(), "auth/approle/role/"+role+"/role-id")
		require.NoError(t, err)
		secret := write(t, "auth/approle/role/"+role+"/secret-id", nil)
		got, err := realVault.Client().Logical().WriteWithContext(t.Context(), "auth/approle/login",
			map[string]any{"role_id": id.Data["role_id"], "secret_id": secret["secret_id"]})
		require.NoError(t, err)
		return got.Auth.ClientToken
	}
	c := campaign()
	c.Directories, c.Sources = nil, nil
	c.Waves = []config.Wave{{Name: "logins", Kind: credential.AppRoleSecretID}}
	list := func(token string) (*credential.Roll, []Warning) {
		roll, warnings, err := listIn(t.Context(), c, nil, openVault(t, token), "c", time.Now())
		require.NoError(t, err)
		return roll, warnings
	}
	roll, _ := list(login("rollcall-worker"))
	require.Empty(t, roll.Credentials)

	c.Vault.RotateLogin = true
	for _, role := range []string{"rollcall-worker", "rollcall-operator"} {
		roll, warnings := list(login(role))
		require.Len(t, warnings, 2)
		require.Contains(t, warnings[0].Detail, "ledger worker and of operators are not on the roll")
		require.Contains(t, warnings[1].Detail, "this login may not list Vault's auth mounts (sys/auth)", "who else reads there")
		require.Len(t, roll.Credentials, 1)
		own := roll.Credentials[0]
		require.Equal(t, "vault/approle/rollcall-worker", own.ID)
		require.Empty(t, own.Problem)
		require.Equal(t, []credential.Path{{Mount: "rollcall", Path: "own/rollcall-worker", Field: "secret_id"}}, own.Paths)
		require.Equal(t, 2, own.Wave, "after the wave that matches it, and after the rest")
	}
	for _, token := range []string{login("another"), realVault.RootToken().Reveal()} {
		roll, warnings := list(token)
		require.Empty(t, roll.Credentials)
		require.Len(t, warnings, 2)
		require.Equal(t, credential.FindingEmptyRoll, warnings[0].Code)
		require.Contains(t, warnings[1].Detail, "rotate_login has no effect")
	}
}

// The README's way: a secret's metadata names the role, and the file has no
// vault-approle source.
func TestARoleThatMetadataNamesNeedsNoRightToListRoles(t *testing.T) {
	servers(t)
	write(t, "auth/approle/role/named-17", map[string]any{})
	write(t, "auth/approle/role/planted-17", map[string]any{})
	write(t, "kv/data/apps/seventeen/login", map[string]any{"data": map[string]any{"secret_id": "x"}})
	write(t, "kv/metadata/apps/seventeen/login", map[string]any{"custom_metadata": map[string]string{"directory": "vault", "account": "approle/Named-17"}})
	c := campaign()
	c.Vault = config.Vault{Mount: "rollcall", Transit: "rollcall-transit", Adopt: "kv/rollcall/{directory}/{account}#password"}
	c.Directories = nil
	c.Sources = []config.Source{{Name: "kv", Type: config.VaultKV, Prefix: "kv/apps/seventeen"}}
	list := func(token string) map[string]credential.Credential {
		roll, _, err := listIn(t.Context(), c, nil, openVault(t, token), "c", time.Now())
		require.NoError(t, err)
		return byName(roll)
	}
	known := list(realVault.RootToken().Reveal())
	require.Contains(t, known, "approle/named-17")
	for _, policy := range setup.Policies(c, []credential.Credential{known["approle/named-17"]}) {
		require.NoError(t, realVault.Client().Sys().PutPolicy(policy.Name, policy.HCL))
	}
	// Whoever writes below the prefix chooses what is looked up: that is the
	// line's trouble, and not the listing's.
	for i, planted := range []string{"approle/planted-17", "nomount/x", "x/../../kv/metadata/apps/svc", "kv/apps", "approle/nobody"} {
		at := fmt.Sprintf("apps/seventeen/planted-%d", i)
		write(t, "kv/data/"+at, map[string]any{"data": map[string]any{"secret_id": "x"}})
		write(t, "kv/metadata/"+at, map[string]any{"custom_metadata": map[string]string{"directory": "vault", "account": planted}})
	}
	for _, policy := range []string{vault.WorkerPolicy, vault.OperatorPolicy} {
		got, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{policy}})
		require.NoError(t, err)
		roll := list(got.Auth.ClientToken)
		require.Len(t, roll, 6)
		for name, x := range roll {
			require.Equal(t, name != "approle/named-17", x.Problem == credential.NoAccount, name)
		}
	}
	require.Len(t, list(realVault.RootToken().Reveal()), 6)
}

func TestWhatANewSecretIDCannotTakeOverIsSaidBeforeTheRun(t *testing.T) {
	servers(t)
	for role, setting := range map[string]struct {
		role map[string]any
		ids  []map[string]any
	}{
		"lim-alike":  {nil, []map[string]any{{"num_uses": 5}, {"num_uses": 5}}},
		"lim-differ": {nil, []map[string]any{{"num_uses": 5, "metadata": `{"host":"a"}`}, {"ttl": "1h", "metadata": `{"host":"b"}`}}},
		"lim-bound":  {nil, []map[string]any{{"cidr_list": []string{"192.0.2.1/32"}}}},
		"lim-plain":  {nil, []map[string]any{{}}},
		"lim-batch":  {map[string]any{"token_type": "batch"}, []map[string]any{{}}},
	} {
		write(t, "auth/approle/role/"+role, map[string]any{"token_policies": "default"})
		if setting.role != nil {
			write(t, "auth/approle/role/"+role, setting.role)
		}
		for _, id := range setting.ids {
			write(t, "auth/approle/role/"+role+"/secret-id", id)
		}
	}
	c := campaign()
	c.Directories = nil
	c.Sources = []config.Source{{Name: "roles", Type: config.VaultAppRole, Mount: "approle", Role: "lim-*"}}
	roll, _, err := listIn(t.Context(), c, nil, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	require.Len(t, roll.Credentials, 5)
	said := map[string]string{}
	var shared []string
	for id, findings := range roll.Findings {
		for _, f := range findings {
			if f.Code == credential.FindingSharedRole { // each of two secret-ids is somebody's
				shared = append(shared, id)
				continue
			}
			require.Equal(t, id == "vault/approle/lim-batch", f.Code == credential.FindingBatchTokens)
			require.Equal(t, id != "vault/approle/lim-batch", f.Code == credential.FindingLimits)
			said[id] += f.Detail
		}
	}
	require.ElementsMatch(t, []string{"vault/approle/lim-alike", "vault/approle/lim-differ"}, shared)
	for _, c := range roll.Credentials {
		require.Equal(t, c.Name == "approle/lim-batch", c.Batch, c.Name)
	}
	require.Len(t, said, 3)
	require.Contains(t, said["vault/approle/lim-batch"], "accept-open")
	require.Contains(t, said["vault/approle/lim-differ"], "differ in secret_id_num_uses, secret_id_ttl, metadata")
	require.Contains(t, said["vault/approle/lim-bound"], "192.0.2.1/32")
}
