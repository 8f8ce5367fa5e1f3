package activities

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/registry"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
	"rollcall/internal/wire"
)

// Two campaigns of one device on two Temporals that know nothing of each
// other: were both to go on, the one would set a value that the other has just
// replaced and cleaned up after, and nobody could log in any more.
func TestACampaignThatWasSupersededBeginsNothingAndKeepsItsValueForAWhile(t *testing.T) {
	s := newSafe(t)
	s.role("esg-01", "stolen")
	login := approle("esg-01", "apps/esg-01")
	_, err := s.store.Activate(s.ctx, login.Paths[0], vault.Live{}, credential.NewSecret("stolen"), "")
	require.NoError(t, err)
	call := func(name string, in, out any) { require.NoError(t, s.call(name, in, out)) }
	secretIDs := func() int {
		got, err := s.api.Logical().List("auth/approle/role/esg-01/secret-id")
		require.NoError(t, err)
		return len(got.Data["keys"].([]any))
	}

	first, second := s.batch("first", "esg-01", login), s.batch("second", "esg-01", login)
	var prepared []wire.PreparedItem
	call("Prepare", wire.PrepareInput{Batch: first, Pass: 1, Items: []int{0}}, &prepared)
	require.Nil(t, prepared[0].Stop)

	var ended []string
	call("TakeOver", "second", &ended)
	require.Equal(t, []string{"first"}, ended)
	var applied []wire.AppliedItem
	call("Apply", wire.ApplyInput{Batch: first, Items: []wire.ApplyItem{{Attempt: 1, Fresh: true}}}, &applied)
	require.Equal(t, protocol.ReasonSuperseded, applied[0].Stop.Reason)
	require.True(t, applied[0].Stop.Reason.Final())
	require.Equal(t, protocol.Intent, applied[0].Step, "it was never begun")
	require.Equal(t, 1, secretIDs(), "nothing was set")
	// What comes back for its doors is in force.
	call("Apply", wire.ApplyInput{Batch: first, Items: []wire.ApplyItem{{Attempt: 1, Sent: true}}, Doors: wire.DoorsNow}, &applied)
	require.Equal(t, protocol.Set, applied[0].Step, "an abort gives it a last pass")
	call("Prepare", wire.PrepareInput{Batch: first, Pass: 2, Items: []int{0}}, &prepared)
	require.Equal(t, protocol.ReasonSuperseded, prepared[0].Stop.Reason)

	call("Prepare", wire.PrepareInput{Batch: second, Pass: 1, Items: []int{0}}, &prepared)
	require.Equal(t, protocol.ReasonOtherOwner, prepared[0].Stop.Reason, "a worker of the first may be about to set it")
	staged, found, err := s.store.ReadStaged(s.ctx, login.ID)
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
	// Two servers take some twenty operations a credential; forty seconds of
	// the rate are shared by four batches.
	for name, want := range map[string]int{"slow": 1, "mild": 10, "free": 32, credential.VaultAuthority: 32} {
		require.Equal(t, want, width(spec, wire.Batch{Authority: name, Concurrency: 32}), name)
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

// A worker that stops before it comes back to something for its doors says that
// the new value may be in force: an abort gives that a last pass.
func TestAStoppingWorkerTellsWhatIsInForceFromWhatWasNeverBegun(t *testing.T) {
	s := newSafe(t)
	s.role("esg-01", "stolen")
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(NewRotation(s.store, registry.New(s.store.Client)))
	stopped := make(chan struct{})
	close(stopped)
	env.SetWorkerStopChannel(stopped)
	batch := s.batch("first", "esg-01", approle("esg-01", "apps/esg-01"))
	for sent, step := range map[bool]protocol.Step{false: protocol.Intent, true: protocol.Set} {
		got, err := env.ExecuteActivity("Apply", wire.ApplyInput{Batch: batch, Items: []wire.ApplyItem{{Attempt: 1, Sent: sent}}, Doors: wire.DoorsNow})
		require.NoError(t, err)
		var applied []wire.AppliedItem
		require.NoError(t, got.Get(&applied))
		require.Equal(t, protocol.ReasonInterrupted, applied[0].Stop.Reason)
		require.Equal(t, step, applied[0].Step, "sent before: %v", sent)
	}
}
