package rotation

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/kind"
	"rollcall/internal/vault"
)

// drawn makes the values of a list, the last one for ever.
type drawn struct {
	kind.Authority
	values []string
	made   int
}

func (d *drawn) Generate(context.Context, credential.Credential) (credential.Secret, error) {
	d.made++
	return credential.NewSecret(d.values[min(d.made, len(d.values))-1]), nil
}

// TestANewValueThatAPlaceCannotHoldIsDrawnAgain before it is staged, and no
// more often than maxDraws.
func TestANewValueThatAPlaceCannotHoldIsDrawnAgain(t *testing.T) {
	paths := []credential.Path{{Mount: "kv", Path: "app", Field: "password"}}
	d := &drawn{values: []string{"password=aB3xyz", `"aB3xyz"`, "aB3xyz"}}
	r := &Rotator{Authority: d}
	value, err := r.newValue(t.Context(), credential.Credential{}, paths, []vault.Live{{}})
	require.NoError(t, err)
	require.Equal(t, "aB3xyz", value.Reveal())
	require.Equal(t, 3, d.made)

	never := &drawn{values: []string{"password=aB3xyz"}}
	r = &Rotator{Authority: never}
	_, err = r.newValue(t.Context(), credential.Credential{}, paths, []vault.Live{{}})
	require.NoError(t, err, "what surrounds it is told before Set")
	require.Equal(t, maxDraws, never.made)
}
