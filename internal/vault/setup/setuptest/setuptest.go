// Package setuptest gives tests a Vault on which Rollcall is set up.
package setuptest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup"
)

// Safe is a Vault with Rollcall's own mounts, as init leaves them.
type Safe struct {
	Context context.Context // of the whole test
	Vault   *lab.Vault
	Store   *ownmount.Store // with root rights
	Spec    *config.Campaign
}

// Contained is what the campaign files of tests say of their device.
var Contained = &config.Containment{How: credential.Isolated, At: time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC), By: "test"}

// New starts one. It sets the environment of the test.
func New(t *testing.T) Safe {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	server, err := lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	t.Cleanup(server.Kill)
	t.Setenv("HOME", t.TempDir())
	server.UseIn(t, server.RootToken().Reveal())
	s := Safe{Context: ctx, Vault: server, Spec: &config.Campaign{Device: "esg-01", Containment: Contained, Vault: config.Vault{Mount: "rollcall", Transit: "rollcall-transit"}}}
	s.Store, err = ownmount.Open(ctx, ownmount.Settings{Mount: s.Spec.Vault.Mount, Transit: s.Spec.Vault.Transit})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Store.Close() })
	_, err = setup.Run(ctx, s.Store, s.Spec, nil)
	require.NoError(t, err)
	return s
}
