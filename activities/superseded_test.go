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

// Two campaigns of one device on two Temporals that know nothing of each
// other: were both to go on, the one would set a value that the other has just
// replaced and cleaned up after, and nobody could log in any more.
func TestACampaignThatWasSupersededBeginsNothingAndKeepsItsValueForAWhile(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server, err := lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(server.Kill)
	api := server.Client()
	_, err = api.Logical().Write("auth/approle/role/esg-01", map[string]any{"token_type": "service"})
	require.NoError(t, err)
	_, err = api.Logical().Write("auth/approle/role/esg-01/custom-secret-id", map[string]any{"secret_id": "stolen"})
	require.NoError(t, err)

	for name, value := range map[string]string{
		"HOME": t.TempDir(), "VAULT_ADDR": server.Address(), "VAULT_TOKEN": server.RootToken().Reveal(),
		vault.EnvRoleID: "", vault.EnvSecretIDFile: "", "VAULT_CACERT": "", "VAULT_NAMESPACE": "",
	} {
		t.Setenv(name, value)
	}
	spec := &config.Campaign{Device: "esg-01", Vault: config.Vault{Mount: "rollcall", Transit: "rollcall-transit"}}
	store, err := vault.Open(ctx, vault.Settings{Mount: spec.Vault.Mount, Transit: spec.Vault.Transit})
	require.NoError(t, err)
	t.Cleanup(func() { _ = store.Close() })
	_, err = store.Setup(ctx, spec, nil)
	require.NoError(t, err)
	at := credential.Path{Mount: "rollcall", Path: "apps/esg-01", Field: "secret_id"}
	_, err = store.Activate(ctx, at, vault.Live{}, credential.NewSecret("stolen"))
	require.NoError(t, err)
	login := credential.Credential{
		ID: "vault/approle/esg-01", Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/esg-01", Paths: []credential.Path{at},
	}
	data, err := json.Marshal(spec)
	require.NoError(t, err)
	batch := func(campaign string) Batch {
		require.NoError(t, Open(ctx, store, campaign, "esg-01", data))
		index, err := store.WriteRoll(ctx, &credential.Roll{Campaign: campaign, Device: "esg-01", Credentials: []credential.Credential{login}})
		require.NoError(t, err)
		return Batch{
			Campaign: campaign, Snapshot: index.Snapshot, Authority: "vault", Kind: credential.AppRoleSecretID, Concurrency: 4,
			Span: credential.Span{To: 1},
		}
	}
	call := func(name string, in, out any) {
		var suite testsuite.WorkflowTestSuite
		env := suite.NewTestActivityEnvironment()
		env.RegisterActivity(&Rotation{Store: store, Kinds: registry.New(store)}) // a process that remembers nothing
		got, err := env.ExecuteActivity(name, in)
		require.NoError(t, err)
		require.NoError(t, got.Get(out))
	}
	secretIDs := func() int {
		got, err := api.Logical().List("auth/approle/role/esg-01/secret-id")
		require.NoError(t, err)
		return len(got.Data["keys"].([]any))
	}

	first, second := batch("first"), batch("second")
	var prepared []PreparedItem
	call("Prepare", PrepareInput{Batch: first, Pass: 1, Items: []int{0}}, &prepared)
	require.Nil(t, prepared[0].Stop)

	require.NoError(t, store.SupersedeEarlier(ctx, "second", "esg-01"))
	var applied []AppliedItem
	call("Apply", ApplyInput{Batch: first, Items: []ApplyItem{{Attempt: 1, Fresh: true}}}, &applied)
	require.Equal(t, protocol.ReasonSuperseded, applied[0].Stop.Reason)
	require.True(t, applied[0].Stop.Reason.Final())
	require.Equal(t, 1, secretIDs(), "nothing was set")
	call("Prepare", PrepareInput{Batch: first, Pass: 2, Items: []int{0}}, &prepared)
	require.Equal(t, protocol.ReasonSuperseded, prepared[0].Stop.Reason)

	call("Prepare", PrepareInput{Batch: second, Pass: 1, Items: []int{0}}, &prepared)
	require.Equal(t, protocol.ReasonOtherOwner, prepared[0].Stop.Reason, "a worker of the first may be about to set it")
	staged, found, err := store.ReadStaged(ctx, login.ID)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, "first", staged.Campaign)
}

func TestARateLimitBoundsHowManyCredentialsAreInHand(t *testing.T) {
	spec := &config.Campaign{Limits: config.Limits{Parallel: 4}, Directories: map[string]config.Directory{
		"slow": {RatePerSecond: 1, Servers: []string{"a", "b"}},
		"mild": {RatePerSecond: 20, Servers: []string{"a", "b"}},
		"free": {Servers: []string{"a", "b"}},
	}}
	// Two servers take some twenty operations a credential; forty seconds of the rate
	// are shared by four batches.
	for name, want := range map[string]int{"slow": 1, "mild": 10, "free": 32, credential.VaultAuthority: 32} {
		require.Equal(t, want, width(spec, Batch{Authority: name, Concurrency: 32}), name)
	}
}

func TestAPanicIsTheTroubleOfOneCredential(t *testing.T) {
	r := &run{n: 10, width: 1, do: func(_ context.Context, i int) *protocol.Stop {
		if i == 4 {
			panic("stolen-value")
		}
		return nil
	}}
	r.in(t, context.Background())
	require.Len(t, r.begun, 10, "the others are worked on all the same")
	require.Equal(t, map[int]protocol.Reason{4: protocol.ReasonInternal}, r.skipped)
}
