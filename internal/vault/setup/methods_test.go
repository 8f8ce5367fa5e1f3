package setup

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// Without rights each rotation of such a login stops.
func TestEveryMethodOfLoginHasItsRights(t *testing.T) {
	var methods []string
	for _, k := range credential.Kinds() {
		if login := k.Traits().Login; login != nil {
			methods = append(methods, login.Method)
		}
	}
	require.ElementsMatch(t, methods, slices.Collect(maps.Keys(methodRules)))
}
