package registry

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// What is missing in one of the tables compiles, and fails a campaign of those
// who use it.
func TestEveryKindAndEveryTypeOfAuthorityHasAnOpener(t *testing.T) {
	require.ElementsMatch(t, credential.Kinds(), slices.Collect(maps.Keys(kinds)))
	require.ElementsMatch(t, config.Sections(), slices.Collect(maps.Keys(systems)))
}

// A kind that no authority's accounts have is refused by every manifest, and
// has traits all the same.
func TestEveryKindBelongsToAnAuthority(t *testing.T) {
	var at []credential.Kind
	for _, driver := range []string{config.OpenLDAP, config.DS389, config.ActiveDirectory} {
		at = append(at, config.Directory{Driver: driver}.Kinds()...)
	}
	for _, section := range config.Sections() {
		var s config.Systems
		require.NoError(t, json.Unmarshal(fmt.Appendf(nil, `{"x": {"type": %q, "settings": {}}}`, section), &s))
		require.NotEmpty(t, s["x"].Kinds(), section)
		require.Equal(t, section, s["x"].Type())
		at = append(at, s["x"].Kinds()...)
	}
	for _, k := range credential.Kinds() {
		require.True(t, k.OpensVault() || k.OnlyEnds() || k.ByHand() || slices.Contains(at, k), "%s: no driver and no section has it among its kinds", k)
		require.NotEmpty(t, k.Traits().Word, k)
		require.NotEmpty(t, k.Traits().Field, k)
	}
	for _, k := range at {
		require.Equal(t, k, k.Traits().Kind, "%s has no traits", k)
		require.False(t, k.OpensVault(), "%s: Vault itself decides on it", k)
	}
}
