package powers

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What a policy lets read is always among what it may be about.
func TestNoPathThatAPolicyLetsReadIsPassedOver(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		segment := rapid.SampledFrom([]string{"a", "ab", "b", "data", "+", "{{identity.entity.id}}", "a+"})
		var rule []string
		for range rapid.IntRange(1, 4).Draw(r, "segments") {
			rule = append(rule, segment.Draw(r, "segment"))
		}
		path := "kv/" + strings.Join(rule, "/") + rapid.SampledFrom([]string{"", "*", "/*"}).Draw(r, "end")
		policy := fmt.Sprintf("path %q { capabilities = [\"read\"] }", path)
		var paths []string
		for range 20 {
			paths = append(paths, "kv/"+strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "ab", "b", "data", "abc"}), 1, 4).Draw(r, "path"), "/"))
		}
		acl, err := ParseACL(policy)
		require.NoError(r, err)
		found, open, err := NewOver(paths).Of(policy)
		require.NoError(r, err)
		require.True(r, !open || strings.Contains(path, "{{"))
		for _, p := range paths {
			require.Equal(r, acl.MayRead(p), slices.Contains(found, p), "%s of %s", p, path)
		}
	})
	found, _, err := NewOver([]string{"kv/data/a", "kv/data/b"}).Of(`path "kv/data/*" { capabilities = ["list"] }
path "kv/data/b" { capabilities = ["deny"] }`)
	require.NoError(t, err)
	require.Empty(t, found)
}
