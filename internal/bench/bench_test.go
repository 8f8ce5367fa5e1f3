package main

import (
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
)

// The ratio to the bare loop means something only as long as both do the same.
func TestTheBareLoopMakesTheCallsOfARotation(t *testing.T) {
	two := map[string]int{groupCountBare: 2, groupCountOurs: 2}
	inDomain := map[string]int{windowsName + "-" + groupCountBare: 2, windowsName + "-" + groupCountOurs: 2}
	g, err := startGround(t.Context(), t.TempDir(), two, inDomain, false)
	require.NoError(t, err)
	t.Cleanup(g.stop)
	require.NoError(t, g.vault.Client().Sys().Mount("rollcall", &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	require.Eventually(t, func() bool {
		// A new KV v2 mount refuses writes for a moment.
		_, err := g.vault.Client().Logical().Write("rollcall/data/ready", map[string]any{"data": map[string]any{"ready": "yes"}})
		return err == nil
	}, time.Minute, 20*time.Millisecond)

	for _, d := range []*dirServer{g.corp(), g.windows()} {
		calls, err := compareCalls(t.Context(), g, d)
		require.NoError(t, err)
		require.Equal(t, calls.Campaign, calls.Bare, d.name)
		require.True(t, calls.Same)
		require.Equal(t, len(calls.Bare), 1+calls.LDAP+calls.Vault, "one look-up is for many")
	}
}

func TestQuantilesAreOfTheSample(t *testing.T) {
	require.InDelta(t, 3, quantile([]float64{1, 2, 3, 4, 5}, 0.5), 0)
	require.InDelta(t, 1, quantile([]float64{1}, 0.99), 0)
}
