package config

import (
	"path"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestAPatternTakesNamesWithASlash(t *testing.T) {
	for _, row := range []struct {
		pattern, name string
		want          bool
	}{
		{"esg*", "esg/host@EXAMPLE.ORG", true}, {"*", "HTTP/www", true}, {"*", "", true}, {"a?b", "a/b", true}, {"*/www", "HTTP/a/www", true},
		{"esg*", "Esg/host", false}, {"esg", "esg/host", false}, {"[^a]*", "b/c", true}, {"[^a]", "a", false}, {"[a^]", "^", true},
		{`\*`, "*", true}, {`\*`, "x", false}, {"a.c", "abc", false}, {"*", "two\nlines", true}, {"x", "x\n", false},
	} {
		got, err := Matches(row.pattern, row.name)
		require.NoError(t, err)
		require.Equal(t, row.want, got, "%q %q", row.pattern, row.name)
	}
	for _, bad := range []string{"[", "[a", `\`, "[]", "[a-]"} {
		_, err := Matches(bad, "a")
		require.ErrorIs(t, err, path.ErrBadPattern, bad)
	}
	// Without a slash nothing is otherwise than it was.
	rapid.Check(t, func(t *rapid.T) {
		text := func(of, label string, most int) string {
			return strings.Join(rapid.SliceOfN(rapid.SampledFrom(strings.Split(of, "")), 0, most).Draw(t, label), "")
		}
		pattern, name := text(`abc*?[]^-\.`, "pattern", 8), text(`abcab^-].*\`, "name", 5)
		want, bad := path.Match(pattern, name)
		if _, bad2 := path.Match(pattern, ""); bad != nil || bad2 != nil {
			return
		}
		got, err := Matches(pattern, name)
		require.NoError(t, err, pattern)
		require.Equal(t, want, got, "%q %q", pattern, name)
	})
}
