package activities

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/registry"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// Two logins of the device that read each other's places, and an account whose place the first
// of them reads.
func TestNoNewValueIsWrittenWhereALoginThatIsOpenCouldReadIt(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(server.Kill)
	for name, value := range map[string]string{
		"HOME": t.TempDir(), "VAULT_ADDR": server.Address(), "VAULT_TOKEN": server.RootToken().Reveal(),
		vault.EnvRoleID: "", vault.EnvSecretIDFile: "", "VAULT_CACERT": "", "VAULT_NAMESPACE": "",
	} {
		t.Setenv(name, value)
	}
	api := server.Client()
	write := func(path string, body map[string]any) {
		_, err := api.Logical().Write(path, body)
		require.NoError(t, err, path)
	}
	spec := &config.Campaign{
		Device: "esg-01", Vault: config.Vault{Mount: "rollcall", Transit: "rollcall-transit"}, Limits: config.Limits{Parallel: 1},
		Directories: map[string]config.Directory{"corp": {
			Driver: config.OpenLDAP, Servers: []string{"ldap://127.0.0.1:1"}, Base: "dc=example,dc=org", Insecure: true, Timeout: config.Duration(time.Second),
			Connections: 1, Bind: config.Bind{DN: "cn=r,dc=example,dc=org", Password: credential.Path{Mount: "kv", Path: "bind", Field: "password"}},
			Password: config.PasswordPolicy{Length: 32},
		}},
	}
	store, err := vault.Open(ctx, vault.Settings{Mount: spec.Vault.Mount, Transit: spec.Vault.Transit})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	_, err = store.Setup(ctx, spec, nil)
	require.NoError(t, err)
	require.NoError(t, api.Sys().PutPolicy("reads-esg-01", `path "kv/data/apps/esg-01/*" { capabilities = ["read"] }`))

	roll := &credential.Roll{Campaign: "c", Device: "esg-01"}
	for _, name := range []string{"esg-01-a", "esg-01-b"} {
		write("auth/approle/role/"+name, map[string]any{"token_policies": "reads-esg-01"})
		write("auth/approle/role/"+name+"/custom-secret-id", map[string]any{"secret_id": "stolen-" + name})
		write("kv/data/apps/esg-01/"+name, map[string]any{"data": map[string]any{"secret_id": "stolen-" + name}})
		roll.Credentials = append(roll.Credentials, credential.Credential{
			ID: "vault/approle/" + name, Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/" + name, Name: "approle/" + name,
			Paths: []credential.Path{{Mount: "kv", Path: "apps/esg-01/" + name, Field: "secret_id"}},
		})
	}
	for _, path := range []string{"apps/esg-01/mta", "apps/elsewhere/mta"} {
		roll.Credentials = append(roll.Credentials, credential.Credential{
			ID: "corp/" + path, Kind: credential.LDAPPassword, Authority: "corp", Subject: path, Name: path, Wave: 1,
			Paths: []credential.Path{{Mount: "kv", Path: path, Field: "password"}},
		})
	}
	data, err := json.Marshal(spec)
	require.NoError(t, err)
	require.NoError(t, Open(ctx, store, vault.CampaignRecord{Campaign: "c", Device: "esg-01"}, data))
	index, err := store.WriteRoll(ctx, roll)
	require.NoError(t, err)
	require.Equal(t, credential.Refs{{Page: 0, Index: 0}, {Page: 0, Index: 1}}, index.Logins)

	rotation := NewRotation(store, registry.New(store))
	call := func(name string, in, out any) {
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(rotation)
		got, err := env.ExecuteActivity(name, in)
		require.NoError(t, err)
		require.NoError(t, got.Get(out))
	}
	logins := Batch{Campaign: "c", Snapshot: index.Snapshot, Authority: "vault", Kind: credential.AppRoleSecretID, Concurrency: 1, Span: credential.Span{To: 2}, Logins: index.Logins}
	accounts := Batch{Campaign: "c", Snapshot: index.Snapshot, Authority: "corp", Kind: credential.LDAPPassword, Concurrency: 1, Span: credential.Span{From: 2, To: 4}, Logins: index.Logins}
	reasons := func(b Batch) (out []protocol.Reason) {
		var prepared []PreparedItem
		call("Prepare", PrepareInput{Batch: b, Pass: 1, Items: []int{2, 3}}, &prepared)
		for _, p := range prepared {
			out = append(out, p.Stop.Reason)
		}
		return out
	}
	require.Equal(t, []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonUnreachable}, reasons(accounts), "only what they could read waits")

	// One after the other: when the first is retired the second is not, and could read its place.
	pass := func(items []int) (out []AppliedItem) {
		var prepared []PreparedItem
		call("Prepare", PrepareInput{Batch: logins, Pass: 1, Items: items}, &prepared)
		var in []ApplyItem
		for _, p := range prepared {
			require.Nil(t, p.Stop)
			in = append(in, ApplyItem{Index: p.Index, Attempt: p.Attempt, Fresh: p.Fresh})
		}
		call("Apply", ApplyInput{Batch: logins, Items: in}, &out)
		return out
	}
	out := pass([]int{0, 1})
	require.Equal(t, protocol.ReasonWithinReach, out[0].Stop.Reason)
	require.Equal(t, protocol.Activate, out[0].Step)
	require.True(t, out[1].Dead(), "by then the first is retired: %+v", out[1].Stop)
	live, err := store.ReadLive(ctx, roll.Credentials[0].Paths[0], 0)
	require.NoError(t, err)
	require.Equal(t, "stolen-esg-01-a", live.Value.Reveal(), "nothing new was written there")

	rotation = NewRotation(store, registry.New(store)) // another process, which remembers nothing
	accounts.Logins = index.Logins[:1]                 // the second is dead; the first is retired, and not yet activated
	require.Equal(t, []protocol.Reason{protocol.ReasonUnreachable, protocol.ReasonUnreachable}, reasons(accounts))
	logins.Logins = index.Logins[:1]
	out = pass([]int{0})
	require.True(t, out[0].Dead(), "%+v", out[0].Stop)
	live, err = store.ReadLive(ctx, roll.Credentials[0].Paths[0], 0)
	require.NoError(t, err)
	require.NotEqual(t, "stolen-esg-01-a", live.Value.Reveal())

	// One that cannot be asked counts as one that reads all.
	write("auth/approle/role/esg-01-b", map[string]any{"secret_id_bound_cidrs": "192.0.2.0/24"})
	accounts.Logins = index.Logins[1:]
	rotation = NewRotation(store, registry.New(store))
	require.NoError(t, store.Unstage(ctx, "vault/approle/esg-01-b", "c", 1))
	require.Equal(t, []protocol.Reason{protocol.ReasonWithinReach, protocol.ReasonWithinReach}, reasons(accounts))
}
