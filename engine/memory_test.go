package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheLimitIsTheSameForFewAndManyAndNeverBelowHalfAgainOfWhatIsKept(t *testing.T) {
	require.Equal(t, int64(roomy), limitFor(0))
	require.Equal(t, limitFor(20<<20), limitFor(40<<20), "what Temporal keeps of a campaign")
	for kept := uint64(1 << 20); kept < 1<<32; kept *= 2 {
		require.GreaterOrEqual(t, limitFor(kept), int64(kept+kept/2), "else it would be collected all the time")
	}
}
