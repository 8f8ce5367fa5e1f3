package cli

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/opened"
	"rollcall/internal/vault"
)

// Nothing of the door is wrong where what goes with the value is not in Vault.
func TestDoctorSaysThatASharedSecretIsNotThere(t *testing.T) {
	t.Parallel()
	at := credential.Path{Mount: "kv", Path: "infra/radius", Field: "secret"}
	reads := func(value string, err error) *opened.Doors {
		return &opened.Doors{Read: func(context.Context, credential.Path) (credential.Secret, error) {
			return credential.NewSecret(value), err
		}}
	}
	s := door.Settings{Type: "radius", Address: "192.0.2.1:1812", TLS: door.Itself, Secret: at}
	require.Equal(t, "secret: nothing is at kv/infra/radius#secret in Vault", unread(t.Context(), reads("", &vault.Error{Kind: vault.NotFound}), s))
	require.Equal(t, "secret: kv/infra/radius#secret is empty", unread(t.Context(), reads("", nil), s))
	require.Contains(t, unread(t.Context(), reads("", &vault.Error{Kind: vault.PermissionDenied}), s), "secret: kv/infra/radius#secret cannot be read: ")
	require.Empty(t, unread(t.Context(), reads("x", nil), s))
	s.Secret = credential.Path{}
	require.Empty(t, unread(t.Context(), nil, s))

	row := checkDoor(t.Context(), reads("", &vault.Error{Kind: vault.NotFound}), "vpn", door.Settings{Type: "radius", Address: "192.0.2.1:1812", TLS: door.Itself, Secret: at}, &credential.Containment{})
	require.False(t, row.OK)
	require.Contains(t, row.Do, "correct secret in the campaign file")
}

func TestDoctorLooksAtTheProgramThatFlushesADoor(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o755))
	t.Setenv("ROLLCALL_FLUSH_DIR", folder)
	for name, mode := range map[string]os.FileMode{"good": 0o755, "plain": 0o644, "anybodys": 0o777} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"), mode))
		require.NoError(t, os.Chmod(filepath.Join(folder, name), mode))
	}
	for program, why := range map[string]string{
		filepath.Join(folder, "good"):     "",
		filepath.Join(folder, "plain"):    "it is no program that may be run (chmod +x)",
		filepath.Join(folder, "anybodys"): "may change it",
		filepath.Join(folder, "gone"):     "it is not there",
		folder + "/.":                     "it is no program that may be run",
		"/bin/sh":                         "a worker runs what lies in",
	} {
		rows := checkFlush(map[string]door.Settings{"mail": {Flush: &door.Flush{Command: []string{program}}}, "other": {}, "hook": {Flush: &door.Flush{URL: "https://x.example.org/"}}})
		require.Len(t, rows, 1)
		require.Equal(t, why == "", rows[0].OK, program)
		require.Contains(t, rows[0].Detail, why)
	}
}
