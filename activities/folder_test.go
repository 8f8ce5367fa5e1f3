package activities

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// folderOf is for a ledger, and goes with the test. A log that was closed
// writes for a moment more what it has in hand.
func folderOf(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rollcall-ledger")
	require.NoError(t, err)
	t.Cleanup(func() {
		require.Eventually(t, func() bool { return os.RemoveAll(dir) == nil }, time.Minute, 10*time.Millisecond)
	})
	return dir
}
