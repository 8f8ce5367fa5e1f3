package inventory

import (
	"context"
	"slices"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// The account keeps its place on the roll, and what somebody wanted to keep
// would be replaced.
func TestAnExcludeThatNamesNoFieldOfASecretIsSaidAndEndsInExitCodeTwo(t *testing.T) {
	servers(t)
	api := realVault.Client()
	_, err := api.KVv2("kv").Put(t.Context(), "hardcoded/ldap", map[string]any{"password": "stolen", "url": "ldaps://ldap"})
	require.NoError(t, err)
	require.NoError(t, api.KVv2("kv").PutMetadata(t.Context(), "hardcoded/ldap", vaultapi.KVMetadataPutInput{CustomMetadata: map[string]any{"account": "bystander0003"}}))
	t.Cleanup(func() { require.NoError(t, api.KVv2("kv").DeleteMetadata(context.Background(), "hardcoded/ldap")) })
	for path, fits := range map[string]bool{
		"kv/hardcoded/ldap#password": true,
		"kv/hardcoded/ldap":          true,
		"kv/hardcoded/ldap#url":      true, // a field beside
		"kv/hardcoded/ldap#pasword":  false,
		"kv/hardcoded/ldap#Password": false,
		"kv/hardcoded/ldp#password":  false,
		"kv/hardcoded":               false,
	} {
		c := campaign()
		c.Directories["corp"] = corp()
		c.Sources = []config.Source{{Name: "kv", Type: config.VaultKV, Prefix: "kv/hardcoded"}}
		c.Exclude = []config.Exclude{{Path: path, Reason: "it is burnt into a machine"}}
		roll, warnings, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp())}, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
		require.NoError(t, err)
		said := slices.IndexFunc(warnings, func(w Warning) bool { return w.Code == credential.FindingExcludeNothing })
		require.Equal(t, fits, said < 0, "%s: %v", path, warnings)
		if !fits {
			require.Positive(t, roll.Incomplete(), path)
			require.Contains(t, warnings[said].Detail, path)
			require.Contains(t, warnings[said].Detail, "refuses it until then")
		}
	}
}
