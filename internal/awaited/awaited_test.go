package awaited

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhoWasAskedAndHasNotAnsweredIsToldOnce(t *testing.T) {
	ctx, a := Kept(t.Context())
	_, same := Kept(ctx)
	require.Same(t, a, same)
	require.Empty(t, a.Since(time.Now()))
	before := time.Now().Add(-time.Second)
	one, again := From(ctx, "ldaps://one"), From(ctx, "ldaps://one")
	two := From(context.WithoutCancel(ctx), "ldaps://two")
	require.Empty(t, a.Since(before), "asked a moment ago")
	names := func() (out []string) {
		for _, s := range a.Since(time.Now()) {
			require.False(t, s.Since.IsZero())
			out = append(out, s.Name)
		}
		return out
	}
	require.Equal(t, []string{"ldaps://one", "ldaps://two"}, names())
	one()
	require.Equal(t, []string{"ldaps://one", "ldaps://two"}, names(), "asked twice")
	again()
	two()
	two()
	require.Empty(t, names())

	From(t.Context(), "ldaps://nobody keeps it")()
	for n := range 3 * most {
		From(ctx, fmt.Sprint(n))
	}
	require.Len(t, names(), most)
}
