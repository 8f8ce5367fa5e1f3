package logs

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAStampIsReadAsTimeParseReadsItWhateverStoodBeforeIt(t *testing.T) {
	second := rapid.SampledFrom([]string{"2026-11-30T11:00:00", "2026-11-30T11:00:00", "2026-11-30T11:00:01", "2026-02-29T11:00:00", "2026-11-30T24:00:00", "2026-11-30X11:00:00", "x", ""})
	fraction := rapid.OneOf(rapid.SampledFrom([]string{"", ".", ",5", ".0", ".123456", ".123456789", ".1234567891", ".5x", ".000001"}), rapid.StringMatching(`\.[0-9]{1,12}`))
	zone := rapid.SampledFrom([]string{"Z", "Z", "+00:00", "+01:00", "-03:30", "+0100", "", "z", "Zz", "+25:00"})
	rapid.Check(t, func(t *rapid.T) {
		var s stamps
		for range 8 {
			text := second.Draw(t, "second") + fraction.Draw(t, "fraction") + zone.Draw(t, "zone")
			want, err := time.Parse(time.RFC3339Nano, text)
			if err != nil {
				want, err = time.Parse("2006-01-02T15:04:05-0700", text)
			}
			got, ok := s.stamp([]byte(text))
			require.Equal(t, err == nil, ok, text)
			if ok {
				require.True(t, want.Equal(got), "%s: %s, not %s", text, got, want)
				require.Equal(t, want.Format(time.RFC3339Nano), got.Format(time.RFC3339Nano))
			}
		}
	})
}

func TestANumberIsReadAsParseIntReadsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching(`-?[0-9]{0,22}( .*)?`), rapid.String()).Draw(t, "text")
		word, behind, _ := strings.Cut(text, " ")
		want, err := strconv.ParseInt(word, 10, 64)
		n, rest, ok := cutNumber([]byte(text))
		require.Equal(t, err == nil, ok)
		if ok {
			require.Equal(t, fmt.Sprint(want, behind), fmt.Sprint(n, string(rest)))
		}
	})
}
