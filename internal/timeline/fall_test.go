package timeline

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var fallStep = regexp.MustCompile(`([HV])(\d+)`)

// A fall never rises, ends where its last point is, and one of many that is
// left is seen.
func TestAFallNeverRisesAndWhatIsLeftIsSeen(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 200_000).Draw(t, "n")
		left := rapid.IntRange(0, n).Draw(t, "left")
		f := Fall{Words: "left", Points: []Point{{noon, n}}}
		for at, count := noon, n; count > left; {
			at = at.Add(time.Duration(rapid.IntRange(0, 1e9).Draw(t, "later")))
			count = max(left, count-rapid.IntRange(1, max(1, n/50)).Draw(t, "fewer"))
			f.Points = append(f.Points, Point{at, count})
		}
		last := f.Points[len(f.Points)-1].At
		a := NewAxis([]Span{{noon, last}}, nil, time.UTC, time.Minute)
		drawn := string(a.Draw(Track{Fall: &f}))
		_, path, _ := strings.Cut(drawn, `class="tl-fall" d="`)
		path, _, _ = strings.Cut(path, `"`)
		x, y := 0, 0
		for _, step := range fallStep.FindAllStringSubmatch(path, -1) {
			to, err := strconv.Atoi(step[2])
			require.NoError(t, err)
			if step[1] == "H" {
				require.GreaterOrEqual(t, to, x)
				x = to
			} else {
				require.GreaterOrEqual(t, to, y)
				y = to
			}
		}
		require.Equal(t, fallWide, x)
		require.Less(t, len(path), 60_000)
		if n > left {
			require.Equal(t, left == 0, y == fallTall, "what is left is no line at the ground")
		}
		require.Contains(t, drawn, `× left at first; `+strconv.Itoa(left)+` × left at last`)
	})
}
