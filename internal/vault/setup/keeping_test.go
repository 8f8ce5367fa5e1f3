package setup

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/vaulttest"
)

// The policies that init writes let a worker see the settings of the mounts;
// one whose policies are older goes on by the secrets alone, and doctor says
// what was not looked at.
func TestAMountWhoseSettingsAreNotOursToReadIsToldByDoctorAndHoldsUpNobody(t *testing.T) {
	c := vaulttest.NewCampaign()
	p := vaulttest.NewPath()
	known := []credential.Credential{{ID: "corp/x", Paths: []credential.Path{p}}}
	var worker, operator, ledgers string
	for _, policy := range Policies(c, known) {
		switch policy.Name {
		case vault.WorkerPolicy:
			worker = policy.HCL
		case vault.OperatorPolicy:
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
	s := open(t, c, server.Address(), vaulttest.TokenWith(t, "keeping-worker"))
	_, err := server.Client().Logical().WriteWithContext(t.Context(), "kv/metadata/"+p.Path, map[string]any{"delete_version_after": "1h"})
	require.NoError(t, err)
	k, err := s.Keeping(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, []string{"its mount"}, k.Unseen)
	require.True(t, k.Deletes(), "the secret's own setting is seen")
	checks := checkKeeping(t.Context(), s, c, known)
	require.Len(t, checks, 1)
	require.True(t, checks[0].OK && checks[0].NotChecked, checks[0].Detail)
	require.Contains(t, checks[0].Detail, "kv/config")
}

func TestDoctorTellsOfAMountThatDeletesWhatIsWrittenToIt(t *testing.T) {
	vaulttest.KVMount(t, "fleeting", map[string]any{"delete_version_after": "1h"})
	c := vaulttest.NewCampaign()
	c.Vault.Adopt = "fleeting/rollcall/{directory}/{account}#password"
	s, _ := newStoreOf(t)
	checks := checkKeeping(t.Context(), s, c, nil)
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
