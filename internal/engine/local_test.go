package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheEngineInheritsNoLogin(t *testing.T) {
	for _, name := range []string{"VAULT_TOKEN", "VAULT_ADDR", "ROLLCALL_ROLE_ID", "ROLLCALL_SECRET_ID_FILE", "TEMPORAL_API_KEY"} {
		t.Setenv(name, "planted")
	}
	t.Setenv("TMPDIR", "/var/tmp")
	env := environment()
	require.Contains(t, env, "TMPDIR=/var/tmp")
	for _, v := range env {
		require.NotContains(t, v, "planted")
	}
}
