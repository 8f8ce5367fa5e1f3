package lab

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func startTestSamba(t *testing.T, o SambaOptions) *Samba {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var err error
	o.Dir, err = ShortDir()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(o.Dir)) })
	s, err := StartSamba(ctx, o)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	})
	return s
}

func TestScratch(t *testing.T) {
	ca, err := NewCA()
	require.NoError(t, err)
	t0 := time.Now()
	s := startTestSamba(t, SambaOptions{CA: ca, Accounts: SeedAccounts("svc", 100)})
	t.Log(time.Since(t0))
	t0 = time.Now()
	require.NoError(t, s.Restart(t.Context()))
	t.Log(time.Since(t0))
}
