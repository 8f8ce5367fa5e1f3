package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFrameThatIsHigherThanTheTerminalIsCutAndSaysSo(t *testing.T) {
	frame := strings.Repeat("a line\n", 10)
	require.Equal(t, frame, fits(frame, 11))
	for height := 3; height <= 10; height++ {
		cut := fits(frame, height)
		require.Equal(t, height-1, strings.Count(cut, "\n"))
		require.Contains(t, cut, "more: rollcall status\n")
	}
	require.Contains(t, fits(frame, 10), "  … 2 more: rollcall status\n")
	waits, leaves := "\nwaiting\n", "\nCtrl-C\n"
	require.Equal(t, frame+waits+leaves, fits(frame, 15, waits+leaves, waits))
	require.Equal(t, 7, strings.Count(fits(frame, 8, waits+leaves, waits), "\n"))
	require.Contains(t, fits(frame, 8, waits+leaves, waits), "  … 8 more: rollcall status\n"+waits+leaves)
	require.Contains(t, fits(frame, 7, waits+leaves, waits), "  … 7 more: rollcall status\n"+waits)
	require.Equal(t, 4, strings.Count(fits(frame, 5, waits+leaves, waits), "\n"), "there is no room for it")
}
