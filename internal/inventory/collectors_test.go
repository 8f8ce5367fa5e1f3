package inventory

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// A type of source that the campaign file takes and nobody asks fails a listing
// only where somebody uses it.
func TestEveryTypeOfSourceHasACollector(t *testing.T) {
	require.ElementsMatch(t, config.SourceTypes(), slices.Collect(maps.Keys(collectors)))
}

// Without its row a listing that has such a login ends in a panic.
func TestEveryMethodOfLoginHasItsLimits(t *testing.T) {
	var methods []string
	for _, k := range credential.Kinds() {
		if login := k.Traits().Login; login != nil {
			methods = append(methods, login.Method)
			require.Contains(t, config.SourceTypes(), login.Source)
		}
	}
	require.ElementsMatch(t, methods, slices.Collect(maps.Keys(methodLooks)))
}
