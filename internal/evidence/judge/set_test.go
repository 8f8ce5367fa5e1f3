package judge

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestASetHasWhatWasAddedOnceEach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s set[int]
		want := map[int]bool{}
		for _, x := range rapid.SliceOf(rapid.IntRange(0, 3*mostFew)).Draw(t, "members") {
			require.Equal(t, want[x], s.has(x))
			s.add(x)
			want[x] = true
			require.True(t, s.has(x))
			require.Equal(t, len(want), s.len())
		}
		require.Equal(t, slices.Sorted(maps.Keys(want)), slices.Sorted(s.each()))
		s.forget()
		require.Equal(t, len(want), s.len(), "it knows how many there were")
		require.Empty(t, slices.Collect(s.each()))
	})
}
