package vault

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAValueThatIsMadeTwiceIsNone(t *testing.T) {
	var d lastDrawn
	require.False(t, d.again("one"))
	require.False(t, d.again("two"))
	require.True(t, d.again("two"))
	require.False(t, d.again("one"))
}

func TestAValueShowsHowManyItIsOneOf(t *testing.T) {
	require.Zero(t, bits("aaaaaaaaaaaa", "aaaaaaaaaaaa"))
	require.InDelta(t, 64, bits("0123456789abcdef", "0123456789abcdef"), 0.001)
	require.Less(t, bits("abcdabcdabcd", "abcd"), float64(oneLeastBits))
	require.Greater(t, bits("k3Vx9QmA7pZt", "k3Vx9QmA7pZt"), float64(oneLeastBits))
}
