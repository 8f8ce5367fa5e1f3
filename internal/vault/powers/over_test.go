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

// What is worked out of a path's neighbours is what a list of all of them says.
func TestWhatAPolicyIsAboutBesideAPathIsFoundWithoutAListOfIt(t *testing.T) {
	parts := []string{"metadata", "destroy"}
	rapid.Check(t, func(r *rapid.T) {
		segment := rapid.SampledFrom([]string{"a", "ab", "b", "data", "metadata", "destroy", "auth"})
		draw := func(most int, label string) string {
			return strings.Join(rapid.SliceOfN(segment, 1, most).Draw(r, label), "/")
		}
		var paths []string
		for range 15 {
			paths = append(paths, rapid.SampledFrom([]string{"a/data/", "a/b/data/", "auth/", "ab/", ""}).Draw(r, "mount")+draw(4, "path"))
		}
		rule := rapid.SampledFrom([]string{"a/", "a/b/", "a", "", "auth/"}).Draw(r, "of") + strings.Replace(draw(4, "rule"), "ab", rapid.SampledFrom([]string{"ab", "+", "{{identity.entity.id}}"}).Draw(r, "any"), 1) +
			rapid.SampledFrom([]string{"", "*", "/*"}).Draw(r, "end")
		policy := fmt.Sprintf("path %q { capabilities = [\"update\"] }", rule)
		all, of := slices.Clone(paths), map[string][]string{}
		for _, p := range paths {
			of[p] = append(of[p], p)
			for i := range p {
				if rest, ok := strings.CutPrefix(p[i:], "/data/"); ok && LiesInSecrets(p) {
					for _, part := range parts {
						beside := p[:i] + "/" + part + "/" + rest
						all, of[beside] = append(all, beside), append(of[beside], p)
					}
				}
			}
		}
		listed, open, err := NewOver(all).Of(policy)
		require.NoError(r, err)
		var want []string
		for _, p := range listed {
			want = append(want, of[p]...)
		}
		slices.Sort(want)
		found, openToo, err := NewOver(paths, parts...).Of(policy)
		require.NoError(r, err)
		require.Equal(r, slices.Compact(want), found, rule)
		require.Equal(r, open, openToo)
	})
}
