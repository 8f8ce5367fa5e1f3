package lab

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// started starts a server in a folder of the test, and stops it at the end.
func started[S interface{ Stop(context.Context) error }](t *testing.T, start func(ctx context.Context, dir string) (S, error)) S {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	s, err := start(ctx, t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		require.NoError(t, s.Stop(ctx))
	})
	return s
}
