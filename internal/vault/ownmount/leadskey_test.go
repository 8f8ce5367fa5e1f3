package ownmount

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

// What tells hosts in rolls is the worker's alone, and the same for all of
// them: operators and the ledger read rolls.
func TestTheKeyThatTellsHostsIsOneAndTheWorkersAlone(t *testing.T) {
	worker, _, c := restricted(t, vault.WorkerPolicy)
	ctx := t.Context()
	none, err := worker.LeadsKey(ctx, false)
	require.NoError(t, err)
	require.Nil(t, none)
	beside := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy))
	got := make(chan string, 2)
	for _, s := range []*Store{worker, beside} {
		go func() {
			key, err := s.LeadsKey(ctx, true)
			if err != nil {
				key = nil
			}
			got <- string(key)
		}()
	}
	key := <-got
	require.NotEmpty(t, key)
	require.Equal(t, key, <-got)
	later, err := open(t, c, server.Address(), vaulttest.TokenWith(t, vault.WorkerPolicy)).LeadsKey(ctx, false)
	require.NoError(t, err)
	require.Equal(t, key, string(later))
	for _, policy := range []string{vault.OperatorPolicy, vault.LedgerPolicy} {
		_, err := open(t, c, server.Address(), vaulttest.TokenWith(t, policy)).LeadsKey(ctx, false)
		require.True(t, vault.IsDenied(err), "%s: %v", policy, err)
	}
	ids, err := worker.ListStaged(ctx)
	require.NoError(t, err)
	require.NotContains(t, ids, "~leads", "it is no credential's")
}
