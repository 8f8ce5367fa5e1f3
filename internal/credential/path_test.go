package credential

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// What String writes ParsePath reads, whatever characters names have.
func TestAReferenceIsReadAsThePathThatItWasMadeOf(t *testing.T) {
	name := func(signs string) *rapid.Generator[string] {
		return rapid.StringOfN(rapid.RuneFrom([]rune(signs)), 1, 8, -1)
	}
	rapid.Check(t, func(t *rapid.T) {
		segments := rapid.SliceOfN(name("ab #%,.235CFé+&=?"), 1, 3).Draw(t, "path")
		fields := rapid.SliceOfN(name("ab #%,/.235CF "), 1, 3).Draw(t, "fields")
		p := Path{Mount: name("kv-%2#35,").Draw(t, "mount")}
		for i, s := range segments {
			p.Path += map[bool]string{true: "/"}[i > 0] + s
		}
		for i, f := range fields {
			p.Field += map[bool]string{true: fieldSeparator}[i > 0] + f
		}
		got, err := ParsePath(p.String())
		require.NoError(t, err)
		require.Equal(t, p, got, "%s", p)
		require.Equal(t, p.String(), got.String())
	})
}

func TestAReferenceStandsAsItIsWhereNoNameHasADivider(t *testing.T) {
	for _, s := range []string{"kv/apps/esg-01/ldap#password", "kv/a b/c%20d#p", "kv/a%2Fb#.env", "kv/100%/x#p", "kv/a,b#p"} {
		p, err := ParsePath(s)
		require.NoError(t, err)
		require.Equal(t, s, p.String())
	}
	p, err := ParsePath("/kv/a%23b/#c%23d")
	require.NoError(t, err)
	require.Equal(t, Path{Mount: "kv", Path: "a#b", Field: "c#d"}, p)
	require.Equal(t, "kv/a%23b", p.Secret())
	require.NotEqual(t, Path{Mount: "kv", Path: "a", Field: "b"}.String(), p.Secret(), "a field of one secret is not another secret")
}
