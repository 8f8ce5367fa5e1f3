package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"rollcall/internal/credential"
	"rollcall/internal/ledger"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/wire"
)

// The first question of whoever reads the ledger of a campaign that came to
// nothing is who began it, and when.
func TestTheLedgerOfACampaignWithoutARollSaysWhoBeganItAndWhen(t *testing.T) {
	s := newSafe(t)
	require.NoError(t, s.store.OpenCampaign(t.Context(), ownmount.CampaignRecord{Campaign: "early-1", Device: "esg-01", Actor: "root@vm"}))
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	l := &Ledger{Store: s.store, Dir: folderOf(t)}
	env.RegisterActivity(l)
	closed := wire.EventInput{Campaign: "early-1", Device: "esg-01", Event: ledger.CampaignClosed, Detail: "ended early: rights are missing"}
	for range 2 { // an answer that was lost
		_, err := env.ExecuteActivity("RecordEvent", closed)
		require.NoError(t, err)
	}
	state, err := l.stateNow(t.Context(), "early-1")
	require.NoError(t, err)
	require.Equal(t, "root@vm", state.Actor)
	require.Equal(t, "esg-01", state.Device)
	require.WithinDuration(t, time.Now(), state.StartedAt, 10*time.Minute)
	require.False(t, state.StartedAt.After(state.ClosedAt))
	require.True(t, state.EndedEarly())
	require.Equal(t, "ended early: rights are missing", state.Why)
	require.Len(t, state.Actions, 2, "begun and closed, once each")
}

// Whoever asks how long stolen values lived counts from when somebody began,
// and not from when all servers had been asked.
func TestACampaignStartsWhenItWasOpenedAndNotWhenItWasListed(t *testing.T) {
	s := newSafe(t)
	b := s.batch("opened-1", "esg-01", credential.Credential{ID: "vault/approle/a", Kind: credential.AppRoleSecretID, Authority: "vault", Subject: "approle/a", Name: "approle/a"})
	was, found, err := s.store.LookAt(t.Context(), "opened-1")
	require.NoError(t, err)
	require.True(t, found)
	listed := time.Now()
	require.True(t, was.OpenedAt.Before(listed))
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	l := &Ledger{Store: s.store, Dir: folderOf(t)}
	env.RegisterActivity(l)
	_, err = env.ExecuteActivity("RecordRoll", wire.Roll{Campaign: "opened-1", Device: "esg-01", Snapshot: b.Snapshot, Pages: 1, Listed: 1})
	require.NoError(t, err)
	state, err := l.stateNow(t.Context(), "opened-1")
	require.NoError(t, err)
	require.WithinDuration(t, was.OpenedAt, state.StartedAt, time.Millisecond, "as Vault has it")
	require.True(t, state.StartedAt.Before(listed))
}
