package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Who may name an entry of a directory must not be able to tear a screen.
func TestWhatIsCutAndPaddedTakesTheColumnsThatATerminalGivesIt(t *testing.T) {
	for text, columns := range map[string]int{"svc-mail": 8, "übersee": 7, "u\u0308bersee": 7, "サービス": 8, "🔑 key": 6, "한국": 4, "": 0} {
		require.Equal(t, columns, Columns(text), text)
	}
	require.Equal(t, "サー…", cut("サービス", 5))
	require.Equal(t, "サー…", cut("サービス", 6))
	rapid.Check(t, func(t *rapid.T) {
		text := Clean(rapid.String().Draw(t, "text"))
		width := rapid.IntRange(1, 40).Draw(t, "width")
		require.LessOrEqual(t, Columns(cut(text, width)), width)
		require.Equal(t, max(width, Columns(text)), Columns(pad(text, width)))
		for line := range strings.Lines(Wrap(text, "  ", width)) {
			line = strings.TrimRight(line, "\n")
			require.True(t, Columns(line) <= width || len(strings.Fields(line)) <= 1, "%q", line)
		}
	})
}
