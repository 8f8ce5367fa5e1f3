package lab

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func cutAndHealed(ctx context.Context, t *testing.T, p *SambaPair) {
	near, far := p.First, p.Second
	dn, stolen, next := near.AccountDN("svc0001"), near.SeededPassword("svc0001"), complexPassword()
	accepts := func(s *Samba, password string) bool {
		_, err := bindAt(t, s, dn, password)
		return err == nil
	}
	require.True(t, accepts(far, stolen))

	require.NoError(t, p.Cut())
	binder, err := bindAt(t, near, near.BinderDN, near.BinderPassword)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, resetAs(binder, dn, next))
	}
	require.False(t, accepts(near, stolen))
	require.True(t, accepts(near, next))
	require.True(t, accepts(far, stolen), "clients still reach the one that is cut off")
	require.False(t, accepts(far, next))

	far.Process().Kill()
	require.NoError(t, far.Restart(ctx), "it comes up while it is cut off")
	require.True(t, accepts(far, stolen))

	require.NoError(t, p.Heal(ctx))
	require.False(t, accepts(far, stolen), "both resets arrive at once, so there is no hour of grace")
	require.True(t, accepts(far, next))
}

// requireNothingLeft: no process has the folder mounted any more, and nobody
// else ever had.
func requireNothingLeft(t *testing.T, dir string) {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	require.NotContains(t, string(mounts), dir)
	require.Eventually(t, func() bool {
		processes, err := filepath.Glob("/proc/[0-9]*/mountinfo")
		require.NoError(t, err)
		for _, p := range processes {
			if in, err := os.ReadFile(p); err == nil && strings.Contains(string(in), dir) {
				return false
			}
		}
		return true
	}, time.Minute, 20*time.Millisecond, "a process was left that has %s mounted", dir)
}
