package vault

import (
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
)

// kvMount makes a KV v2 mount of the test's own, with settings.
func kvMount(t *testing.T, name string, settings map[string]any) {
	t.Helper()
	require.NoError(t, server.Client().Sys().MountWithContext(t.Context(), name, &vaultapi.MountInput{Type: "kv", Options: map[string]string{"version": "2"}}))
	require.Eventually(t, func() bool { // a new mount is set up in the background
		_, err := server.Client().Logical().WriteWithContext(t.Context(), name+"/config", settings)
		return err == nil
	}, 10*time.Second, 20*time.Millisecond)
}

// What Keeping says is held against what Vault then does with a version.
func TestWhatVaultDoesByItselfIsToldBeforeItIsWritten(t *testing.T) {
	s := newStore(t)
	for i, row := range []struct {
		mount, secret any
		after         time.Duration
		byMount       bool
	}{
		{"0s", nil, 0, false},
		{"0s", "0s", 0, false},
		{"0s", "2h", 2 * time.Hour, false},
		{"1h", nil, time.Hour, true},
		{"1h", "0s", time.Hour, true}, // a secret cannot switch it off
		{"1h", "24h", time.Hour, true},
		{"24h", "1h", time.Hour, true},
		{"-1s", "1h", 0, false}, // switched off for the whole mount
		{"-24h", nil, 0, false},
	} {
		name := "keeping" + string(rune('a'+i))
		kvMount(t, name, map[string]any{"delete_version_after": row.mount, "cas_required": true})
		p := credential.Path{Mount: name, Path: "x", Field: "password"}
		if row.secret != nil {
			_, err := server.Client().Logical().WriteWithContext(t.Context(), name+"/metadata/x", map[string]any{"delete_version_after": row.secret})
			require.NoError(t, err)
		}
		k, err := s.Keeping(t.Context(), p)
		require.NoError(t, err)
		require.Empty(t, k.Unseen)
		require.Equal(t, row.after, k.After, "%v %v", row.mount, row.secret)
		require.Equal(t, row.byMount, k.ByMount, "%v %v", row.mount, row.secret)
		mount, err := s.MountKeeping(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, row.byMount, mount.Deletes())

		// A mount that wants check-and-set gets it with every write.
		live, err := s.Activate(t.Context(), p, Live{}, credential.NewSecret("new"), "")
		require.NoError(t, err)
		require.Equal(t, k.Deletes(), live.Ends, "Vault does it: %v %v", row.mount, row.secret)
	}
	_, err := server.Client().Logical().WriteWithContext(t.Context(), "kv/metadata/"+newPath().Path, map[string]any{"delete_version_after": "-1s"})
	require.ErrorContains(t, err, "negative", "a secret has no such setting")
}

// Vault takes the larger one of a secret's max_versions and its mount's.
func TestHowManyVersionsAreKeptIsBySecretAndMount(t *testing.T) {
	s := newStore(t)
	for i, row := range []struct {
		mount, secret int
		keeps         bool
	}{{0, 0, true}, {0, 1, false}, {1, 0, false}, {1, 1, false}, {5, 1, true}, {1, 5, true}} {
		name := "versions" + string(rune('a'+i))
		kvMount(t, name, map[string]any{"max_versions": row.mount})
		p := credential.Path{Mount: name, Path: "x", Field: "password"}
		_, err := server.Client().Logical().WriteWithContext(t.Context(), name+"/metadata/x", map[string]any{"max_versions": row.secret})
		require.NoError(t, err)
		k, err := s.Keeping(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, row.keeps, k.KeepsOlder(), "%+v", row)
		for _, value := range []string{"old", "new"} {
			_, err := server.Client().Logical().WriteWithContext(t.Context(), name+"/data/x", map[string]any{"data": map[string]any{"password": value}})
			require.NoError(t, err)
		}
		old, err := s.ReadLive(t.Context(), p, 1)
		require.NoError(t, err)
		require.Equal(t, k.KeepsOlder(), old.Found, "Vault does it: %+v", row)
	}
}

// The policies that init writes let a worker see the settings of the mounts;
// one whose policies are older goes on by the secrets alone, and doctor says
// what was not looked at.
func TestAMountWhoseSettingsAreNotOursToReadIsToldByDoctorAndHoldsUpNobody(t *testing.T) {
	c := newCampaign()
	p := newPath()
	known := []credential.Credential{{ID: "corp/x", Paths: []credential.Path{p}}}
	var worker, operator, ledgers string
	for _, policy := range Policies(c, known) {
		switch policy.Name {
		case WorkerPolicy:
			worker = policy.HCL
		case OperatorPolicy:
			operator = policy.HCL
		default:
			ledgers = policy.HCL
		}
	}
	const config = `path "kv/config" { capabilities = ["read"] }`
	require.Contains(t, worker, config)
	require.Contains(t, operator, config)
	require.NotContains(t, ledgers, config)

	require.NoError(t, server.Client().Sys().PutPolicyWithContext(t.Context(), "keeping-worker", strings.ReplaceAll(worker, config+"\n", "")))
	s := open(t, c, server.Address(), tokenWith(t, "keeping-worker"))
	_, err := server.Client().Logical().WriteWithContext(t.Context(), "kv/metadata/"+p.Path, map[string]any{"delete_version_after": "1h"})
	require.NoError(t, err)
	k, err := s.Keeping(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, []string{"its mount"}, k.Unseen)
	require.True(t, k.Deletes(), "the secret's own setting is seen")
	checks := s.checkKeeping(t.Context(), c, known)
	require.Len(t, checks, 1)
	require.True(t, checks[0].OK && checks[0].NotChecked, checks[0].Detail)
	require.Contains(t, checks[0].Detail, "kv/config")
}

func TestDoctorTellsOfAMountThatDeletesWhatIsWrittenToIt(t *testing.T) {
	kvMount(t, "fleeting", map[string]any{"delete_version_after": "1h"})
	c := newCampaign()
	c.Vault.Adopt = "fleeting/rollcall/{directory}/{account}#password"
	checks := newStore(t).checkKeeping(t.Context(), c, nil)
	wrong := 0
	for _, check := range checks {
		if !check.OK {
			wrong++
			require.Contains(t, check.Detail, "fleeting/ deletes what is written to it after 1h0m0s")
			require.Contains(t, check.Do, "vault write fleeting/config delete_version_after=0s")
		}
	}
	require.Equal(t, 1, wrong)
}
