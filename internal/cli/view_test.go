package cli

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFrameThatIsHigherThanTheTerminalIsCutAndSaysSo(t *testing.T) {
	frame := strings.Repeat("a line\n", 10)
	require.Equal(t, frame, fits(frame, "", 11))
	for height := 3; height <= 10; height++ {
		cut := fits(frame, "", height)
		require.Equal(t, height-1, strings.Count(cut, "\n"))
		require.Contains(t, cut, "more: rollcall status\n")
	}
	require.Contains(t, fits(frame, "", 10), "  … 2 more: rollcall status\n")
	foot := "\nwaiting\n"
	require.Equal(t, frame+foot, fits(frame, foot, 13))
	require.Contains(t, fits(frame, foot, 8), "  … 6 more: rollcall status\n"+foot)
	require.Equal(t, 4, strings.Count(fits(frame, foot, 5), "\n"), "there is no room for both")
}
