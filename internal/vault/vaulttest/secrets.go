package vaulttest

import (
	"fmt"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// NewPath is a path that no other test uses.
func NewPath() credential.Path {
	return credential.Path{Mount: "kv", Path: fmt.Sprintf("apps/live-%d", Mounts.Add(1)), Field: "password"}
}

// SeedLive writes a secret as a team does.
func SeedLive(t *testing.T, p credential.Path, data map[string]any) {
	t.Helper()
	require.NoError(t, server.SeedKV(t.Context(), map[string]map[string]any{p.Path: data}))
}

// RawData is what a secret holds now.
func RawData(t *testing.T, p credential.Path) map[string]any {
	t.Helper()
	got, err := server.Client().Logical().ReadWithContext(t.Context(), p.Mount+"/data/"+p.Path)
	require.NoError(t, err)
	return got.Data["data"].(map[string]any)
}

// KVMount makes a KV v2 mount of the test's own, with settings.
func KVMount(t *testing.T, name string, settings map[string]any) {
	t.Helper()
	require.NoError(t, server.Client().Sys().MountWithContext(t.Context(), name, &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	require.Eventually(t, func() bool { // a new mount is set up in the background
		_, err := server.Client().Logical().WriteWithContext(t.Context(), name+"/config", settings)
		return err == nil
	}, time.Minute, 20*time.Millisecond)
}

// NewRoll has n credentials in the order of rotation: two waves, two
// authorities in each, one kind per authority.
func NewRoll(campaign string, n int) *credential.Roll {
	r := &credential.Roll{Campaign: campaign, Device: "esg-01", Findings: map[string][]credential.Finding{}}
	for i := range n {
		c := credential.Credential{
			ID: fmt.Sprintf("corp/%08d", i), Kind: credential.LDAPPassword, Authority: "corp", Subject: fmt.Sprintf("%08d", i),
			Name:    fmt.Sprintf("uid=svc-%d,ou=people,dc=example,dc=org", i),
			Paths:   []credential.Path{{Mount: "kv", Path: fmt.Sprintf("apps/%d", i), Field: "password"}},
			Wave:    2 * i / n,
			Reasons: []credential.Reason{{Source: "apps", Type: "vault-kv", Detail: "kv/apps"}},
		}
		if 4*i/n%2 == 1 {
			c.Authority, c.Kind = credential.VaultAuthority, credential.AppRoleSecretID
		}
		r.Credentials = append(r.Credentials, c)
	}
	return r
}

// Checkpoint is one of a ledger of that size, whose signature nobody looks at.
func Checkpoint(size int, root string) []byte {
	return fmt.Appendf(nil, "rollcall.example.org/c\n%d\n%s\n\n— sig\n", size, root)
}
