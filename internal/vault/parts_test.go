package vault

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault/vaulttest"
)

func TestAValueIsWrittenOnlyWhereEachOfItsPartsHasAField(t *testing.T) {
	s := newClient(t)
	two := credential.NewParts(credential.NewSecret("a"), credential.NewSecret("b"))
	p := vaulttest.NewPath()
	for field, value := range map[string]credential.Secret{
		"password":                 two,
		"a\x1fb":                   credential.NewSecret("one"),
		"a\x1fb\x1fc":              two,
		"a\x1fa":                   two,
		"certificate\x1fca\x1fkey": credential.NewSecret(""),
	} {
		p.Field = field
		_, err := s.Activate(t.Context(), p, Live{}, value, "")
		require.ErrorContains(t, err, "nothing was written", "%q", field)
		live, err := s.ReadLive(t.Context(), p, 0)
		require.NoError(t, err)
		require.Zero(t, live.Version)
	}
	p.Field = "a\x1fb"
	made, err := s.Activate(t.Context(), p, Live{}, two, "owner")
	require.NoError(t, err)
	require.Equal(t, map[string]any{"a": "a", "b": "b", OwnerField: "owner"}, vaulttest.RawData(t, p))
	require.True(t, made.Value.Equal(two))

	for name, row := range map[string]struct {
		data map[string]any
		want credential.Problem
	}{
		"none of the fields":   {map[string]any{"x": "y"}, credential.NoField},
		"one is no text":       {map[string]any{"a": "x", "b": map[string]any{"c": "d"}}, credential.UnusableValue},
		"one is not there yet": {map[string]any{"a": "x"}, ""},
	} {
		q := vaulttest.NewPath()
		q.Field = "a\x1fb"
		vaulttest.SeedLive(t, q, row.data)
		live, err := s.ReadLive(t.Context(), q, 0)
		require.NoError(t, err)
		require.Equal(t, row.want, live.Problem, name)
		require.Equal(t, row.want == "", live.Found, name)
	}
}
