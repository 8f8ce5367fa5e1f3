package activities

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/kind/registry"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup/setuptest"
	"rollcall/internal/wire"
)

// safe is a Vault with Rollcall's mounts, and activities that serve on it.
type safe struct {
	*testing.T
	ctx   context.Context
	api   *vaultapi.Client
	store *ownmount.Store
	spec  *config.Campaign
}

func newSafe(t *testing.T) *safe {
	t.Helper()
	s := setuptest.New(t)
	return &safe{T: t, ctx: s.Context, api: s.Vault.Client(), store: s.Store, spec: s.Spec}
}

// batch opens a campaign with these on its roll.
func (s *safe) batch(campaign, device string, listed ...credential.Credential) wire.Batch {
	s.Helper()
	spec := *s.spec
	spec.Device = device
	data, err := json.Marshal(spec)
	require.NoError(s, err)
	require.NoError(s, Open(s.ctx, s.store, ownmount.CampaignRecord{Campaign: campaign, Device: device, TakesOver: true}, data))
	index, err := s.store.WriteRoll(s.ctx, &credential.Roll{Campaign: campaign, Device: device, Credentials: listed})
	require.NoError(s, err)
	return wire.Batch{
		Campaign: campaign, Snapshot: index.Snapshot, Authority: "vault", Kind: credential.AppRoleSecretID, Concurrency: 4,
		Span: credential.Span{To: len(listed)},
	}
}

// call runs an activity in a process that remembers nothing.
func (s *safe) call(name string, in, out any) error {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(NewRotation(s.store, registry.New(s.store.Client)))
	got, err := env.ExecuteActivity(name, in)
	if err == nil && out != nil {
		require.NoError(s, got.Get(out))
	}
	return err
}

func approle(name, path string) credential.Credential {
	mount, below := "rollcall", path
	if path == "" {
		mount, below = "gone", "apps/x"
	}
	return credential.Credential{
		ID: "vault/approle/" + name, Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/" + name,
		Paths: []credential.Path{{Mount: mount, Path: below, Field: "secret_id"}},
	}
}

// One credential of a batch cannot be cleaned, so the batch is cleaned again,
// for up to a day. What was free long ago may be another campaign's by then,
// and the only place of a value that is in force.
func TestARepeatedCleanLeavesWhatAnotherCampaignOrAttemptStaged(t *testing.T) {
	s := newSafe(t)
	free, stuck := approle("free", "apps/free"), approle("stuck", "") // a mount that is gone
	batch := s.batch("first", "esg-01", free, stuck)
	var live vault.Live
	for range 2 {
		var err error
		live, err = s.store.Activate(s.ctx, free.Paths[0], live, credential.NewSecret("first"), "")
		require.NoError(t, err)
	}
	was := wire.Dead{Attempt: 1, To: []int{live.Version}, Written: []time.Time{live.Written}, Doomed: [][]int{{1}}}
	dead := wire.CleanInput{Batch: batch, Items: []wire.CleanItem{{Index: 0, Dead: was}, {Index: 1, Dead: was}}}
	stage := func(campaign string, attempt int) ownmount.Staged {
		st, created, err := s.store.Stage(s.ctx, free.ID, ownmount.Staged{
			Secret: credential.NewSecret(campaign), Campaign: campaign, Attempt: attempt, CreatedAt: time.Now().UTC(), Base: map[string]int{}, Old: map[string]credential.Secret{},
		})
		require.NoError(t, err)
		require.True(t, created)
		return st
	}

	stage("first", 1)
	require.Error(t, s.call("Clean", dead, nil), "one of the two cannot be cleaned")
	_, found, err := s.store.ReadStaged(s.ctx, free.ID)
	require.NoError(t, err)
	require.False(t, found, "the other one is free")

	s.batch("second", "esg-02", free)
	for campaign, attempt := range map[string]int{"second": 1, "first": 2} {
		later := stage(campaign, attempt)
		require.Error(t, s.call("Clean", dead, nil))
		got, found, err := s.store.ReadStaged(s.ctx, free.ID)
		require.NoError(t, err)
		require.True(t, found, "what %s staged in attempt %d was deleted", campaign, attempt)
		require.Equal(t, later, got)
		require.NoError(t, s.store.Unstage(s.ctx, free.ID, campaign, attempt))
	}
}

// role makes an AppRole with one secret-id.
func (s *safe) role(name, secretID string) {
	s.Helper()
	at := "auth/approle/role/" + name
	_, err := s.api.Logical().Write(at, map[string]any{"token_type": "service"})
	require.NoError(s, err)
	_, err = s.api.Logical().Write(at+"/custom-secret-id", map[string]any{"secret_id": secretID})
	require.NoError(s, err)
}
