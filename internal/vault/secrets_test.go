package vault

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/protocol"
	"rollcall/internal/vault/vaulttest"
)

func TestSecretsBelowAPrefixAreListedWithTheirMetadata(t *testing.T) {
	s := newClient(t)
	root := fmt.Sprintf("listing-%d", vaulttest.Mounts.Add(1))
	data := map[string]map[string]any{}
	for i := range 300 {
		data[fmt.Sprintf("%s/apps/many/%03d", root, i)] = map[string]any{"password": "x"}
	}
	for _, p := range []string{"/apps", "/apps/a", "/apps/a/b c", "/apps/deep/er/x", "/applications/bystander", "/other"} {
		data[root+p] = map[string]any{"password": "x"}
	}
	require.NoError(t, server.SeedKV(t.Context(), data))
	require.NoError(t, server.SeedMetadata(t.Context(), map[string]map[string]any{root + "/apps/a": {"directory": "corp", "account": "uid=a"}}))
	_, err := server.Client().Logical().DeleteWithContext(t.Context(), "kv/data/"+root+"/apps/many/000")
	require.NoError(t, err)

	got := map[string]SecretMeta{}
	require.NoError(t, s.ListSecrets(t.Context(), "kv/"+root+"/apps/", func(m SecretMeta) error {
		got[m.Path] = m
		return nil
	}))
	require.Len(t, got, 304)
	require.Contains(t, got, root+"/apps", "the prefix itself")
	require.Contains(t, got, root+"/apps/many/000", "deleted, with metadata left")
	require.NotContains(t, got, root+"/applications/bystander")
	_, _, read := got[root+"/apps/a"].Live("password")
	require.True(t, read, "what it holds came with its metadata")
	require.Equal(t, map[string]string{"directory": "corp", "account": "uid=a"}, got[root+"/apps/a"].Custom)
	require.Empty(t, got[root+"/apps/a/b c"].Custom)
}

func TestListingStopsAtTheCallersError(t *testing.T) {
	s := newClient(t)
	root := fmt.Sprintf("listing-%d", vaulttest.Mounts.Add(1))
	require.NoError(t, server.SeedKV(t.Context(), map[string]map[string]any{root + "/a": {"x": "y"}, root + "/b": {"x": "y"}}))
	enough, calls := errors.New("enough"), 0
	require.ErrorIs(t, s.ListSecrets(t.Context(), "kv/"+root, func(SecretMeta) error { calls++; return enough }), enough)
	require.Equal(t, 1, calls)
}

func TestAPrefixThatCannotBeListedIsAnError(t *testing.T) {
	s := newClient(t)
	old := fmt.Sprintf("kv-one-%d", vaulttest.Mounts.Add(1))
	require.NoError(t, server.Client().Sys().MountWithContext(t.Context(), old, &vaultapi.MountInput{Type: "kv"}))
	each := func(SecretMeta) error { return nil }
	require.ErrorContains(t, s.ListSecrets(t.Context(), old+"/apps", each), "KV version 2")
	err := s.ListSecrets(t.Context(), "nowhere/apps", each)
	require.ErrorContains(t, err, "no mount that this login can see serves it")
	require.NotContains(t, err.Error(), "nowhere", "it may be no path, but a secret where one belongs")
}

func TestPasswordsComeFromAVaultPolicy(t *testing.T) {
	s := newClient(t)
	_, err := server.Client().Logical().WriteWithContext(t.Context(), "sys/policies/password/rollcall-test", map[string]any{
		"policy": "length = 24\nrule \"charset\" { charset = \"abc123\" }"})
	require.NoError(t, err)
	var mu sync.Mutex
	var wg sync.WaitGroup
	seen := map[string]bool{}
	for range 8 {
		wg.Go(func() {
			v, err := s.GeneratePassword(t.Context(), "rollcall-test")
			mu.Lock()
			defer mu.Unlock()
			if err == nil && len(v.Reveal()) == 24 {
				seen[v.Reveal()] = true
			}
		})
	}
	wg.Wait()
	require.Len(t, seen, 8)
	_, err = s.GeneratePassword(t.Context(), "no-such-policy")
	var stop *protocol.Stop
	require.ErrorAs(t, err, &stop)
	require.Equal(t, protocol.ReasonNoGenerator, stop.Reason)
	require.Contains(t, stop.Detail, `no password policy "no-such-policy"`)
}
