package inventory

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
)

// A type of source that the campaign file takes and nobody asks fails a listing
// only where somebody uses it.
func TestEveryTypeOfSourceHasACollector(t *testing.T) {
	require.ElementsMatch(t, config.SourceTypes(), slices.Collect(maps.Keys(collectors)))
}
