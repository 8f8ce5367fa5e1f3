package password

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"rollcall/config"
)

func TestGeneratedValuesKeepToThePolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := config.PasswordPolicy{
			Length:    rapid.IntRange(16, 128).Draw(t, "length"),
			NoSymbols: rapid.Bool().Draw(t, "no symbols"),
			Symbols:   rapid.SampledFrom([]string{"", "-", "!#", "--__", "aZ9.", defaultSymbols}).Draw(t, "symbols"),
		}
		s, err := New(p)
		require.NoError(t, err)
		v := s.Reveal()
		require.Len(t, v, p.Length)
		for _, class := range []string{lower, upper, digits} {
			require.True(t, strings.ContainsAny(v, class))
		}
		symbols := p.Symbols
		if symbols == "" {
			symbols = defaultSymbols
		}
		if p.NoSymbols {
			symbols = ""
		} else {
			require.True(t, strings.ContainsAny(v, symbols))
		}
		require.Empty(t, strings.Trim(v, lower+upper+digits+symbols), "no character outside the alphabet")
		require.NotContains(t, defaultSymbols, v[:1])
		require.NotContains(t, defaultSymbols, v[len(v)-1:])
	})
}

func TestDefaultAlphabetNeedsNoQuoting(t *testing.T) {
	require.False(t, strings.ContainsAny(defaultSymbols, "'\"\\`$&|;<>(){}[]*?!# \t,/:"))
}

// A generator that favoured characters (a bare modulo, say) would show here:
// with 71 characters the first 43 would come up a third more often.
func TestEveryCharacterComesUpAlike(t *testing.T) {
	const alphabet = lower + upper + digits + defaultSymbols
	const n = 100_000
	count := map[rune]int{}
	for range n / 100 {
		for _, c := range draw(alphabet, 100) {
			count[c]++
		}
	}
	want := float64(n) / float64(len(alphabet))
	for _, c := range alphabet {
		require.InDelta(t, want, count[c], want*0.2, "%q", c) // over 7 standard deviations
	}
}

func TestBadPolicyIsRefused(t *testing.T) {
	for name, p := range map[string]config.PasswordPolicy{
		"too short": {Length: 15},
		"too long":  {Length: 129},
		"not ASCII": {Symbols: "ä"},
		"a blank":   {Symbols: " "},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(p)
			require.Error(t, err)
		})
	}
}
