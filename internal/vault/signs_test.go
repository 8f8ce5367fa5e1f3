package vault

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What is asked first, because it costs nothing, changes no answer.
func TestALookAtSignsBeforeAPatternPassesNothingOver(t *testing.T) {
	anywhere := map[*regexp.Regexp]*regexp.Regexp{}
	for _, form := range []*regexp.Regexp{semicolons, blanks} {
		anywhere[form] = regexp.MustCompile(strings.TrimPrefix(form.String(), "^"))
	}
	part := rapid.OneOf(rapid.SampledFrom([]string{"=", ";", " ", "\t", ":", "//", "'", `"`, "{", "}", "jdbc:", "thin:", "x@", "host", "machine ", "basic ", "12345678", "\n", "|", ",", "#", "%", "é", "_", ">", "\f"}), rapid.StringN(0, 3, 8))
	rapid.Check(t, func(r *rapid.T) {
		text := strings.Join(rapid.SliceOfN(part, 0, 9).Draw(r, "parts"), "")
		for form, free := range anywhere {
			m := free.FindStringSubmatchIndex(text)
			if m != nil && m[0] != 0 {
				m = nil
			}
			require.Equal(r, m, form.FindStringSubmatchIndex(text), text)
		}
		if !strings.Contains(text, "=") {
			require.Empty(r, pairsIn(text, blanks))
			require.Empty(r, pairsIn(text, semicolons))
		}
		require.Equal(r, schemes.MatchString(text), isAddress(text), text)
		if opening.MatchString(text) {
			require.GreaterOrEqual(r, len(text), leastOpening, text)
		}
		for i := range text {
			if separator.MatchString(text[i:]) {
				require.Contains(r, separators, text[i:i+1])
			}
		}
		if low := strings.ToLower(text); slices.ContainsFunc([]*regexp.Regexp{addressed, thin, hostSetting, netrc, pgpass}, func(re *regexp.Regexp) bool { return re.MatchString(low) }) {
			require.True(r, strings.ContainsAny(low, settingSigns), low)
		}
	})
}
