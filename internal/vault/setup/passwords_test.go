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
	} {
		_, err := server.Client().Logical().WriteWithContext(t.Context(), "sys/policies/password/rollcall-odd", map[string]any{"policy": policy})
		require.NoError(t, err)
		_, err = s.GeneratePassword(t.Context(), "rollcall-odd")
		require.ErrorContains(t, err, name)
	}
	c.Directories = map[string]config.Directory{"corp": {Password: config.PasswordPolicy{VaultPolicy: "gone-policy"}}}
	var stop *protocol.Stop
	require.ErrorAs(t, RequirePasswordPolicies(t.Context(), s, c), &stop, "no campaign begins")
	wrong := 0
	for _, check := range checkPasswordPolicies(t.Context(), s, c) {
		require.False(t, check.OK)
		require.Contains(t, check.Detail, "gone-policy")
		wrong++
	}
	require.Equal(t, 1, wrong, "and doctor says so")
}
