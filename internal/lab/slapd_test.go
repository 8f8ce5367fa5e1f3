package lab

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReplicaFollowsItsProviderUntilCutOff(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ca, err := NewCA()
	require.NoError(t, err)
	t0 := time.Now()
	provider, err := StartSlapd(ctx, SlapdOptions{Dir: t.TempDir(), CA: ca, Accounts: SeedAccounts("user", 2000)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, provider.Stop(context.Background())) })
	t.Log("provider", time.Since(t0))
	replica, err := StartSlapd(ctx, SlapdOptions{Dir: t.TempDir(), CA: ca, ReplicaOf: provider})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, replica.Stop(context.Background())) })
	t.Log("replica", time.Since(t0))
}
