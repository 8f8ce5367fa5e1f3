package setup

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/protocol"
)

// Whatever a policy makes goes into directories and files.
func TestWhatAPolicyMakesIsLookedAt(t *testing.T) {
	s, c := newStoreOf(t)
	for name, policy := range map[string]string{
		"has fewer than 12 characters": "length = 4\nrule \"charset\" { charset = \"abc\" }",
		"has a blank at an end":        "length = 20\nrule \"charset\" { charset = \" \" }",
		"of so few characters":         "length = 20\nrule \"charset\" { charset = \"a\" }",
	} {
		_, err := server.Client().Logical().WriteWithContext(t.Context(), "sys/policies/password/rollcall-odd", map[string]any{"policy": policy})
		require.NoError(t, err)
		_, err = s.GeneratePassword(t.Context(), "rollcall-odd")
		require.ErrorContains(t, err, name)
	}
	var stop *protocol.Stop
	for bits, policy := range map[string]string{
		"some 60 bits": "length = 20\nrule \"charset\" { charset = \"abcdefgh\" }",
		"some 57 bits": "length = 16\nrule \"charset\" { charset = \"abcdefghijkl\" }",
	} {
		_, err := server.Client().Logical().WriteWithContext(t.Context(), "sys/policies/password/rollcall-guessed", map[string]any{"policy": policy})
		require.NoError(t, err)
		err = s.TryPasswordPolicy(t.Context(), "rollcall-guessed")
		require.ErrorAs(t, err, &stop)
		require.Contains(t, stop.Detail, bits)
	}
	c.Directories = map[string]config.Directory{"corp": {Password: config.PasswordPolicy{VaultPolicy: "gone-policy"}}}
	require.ErrorAs(t, RequirePasswordPolicies(t.Context(), s, c), &stop, "no campaign begins")
	wrong := 0
	for _, check := range checkPasswordPolicies(t.Context(), s, c) {
		require.False(t, check.OK)
		require.Contains(t, check.Detail, "gone-policy")
		wrong++
	}
	require.Equal(t, 1, wrong, "and doctor says so")
	require.False(t, PasswordPolicies(t.Context(), s, c)[0].OK, "and list and plan")
}
