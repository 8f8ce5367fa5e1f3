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
	for path, code := range map[string]credential.FindingCode{
		"kv/hardcoded/ldap#password": "",
		"kv/hardcoded/ldap":          "",
		"kv/hardcoded/ldap#url":      "", // a field beside
		"kv/hardcoded/ldap#pasword":  credential.FindingExcludeMistyped,
		"kv/hardcoded/ldap#Password": credential.FindingExcludeMistyped,
		"kv/hardcoded/ldp#password":  credential.FindingExcludeMistyped,
		"kv/hardcoded/ldap#token":    credential.FindingExcludeNothing,
		"kv/hardcoded":               credential.FindingExcludeNothing,
	} {
		c := campaign()
		c.Directories["corp"] = corp()
		c.Sources = []config.Source{{Name: "kv", Type: config.VaultKV, Prefix: "kv/hardcoded"}}
		c.Exclude = []config.Exclude{{Path: path, Reason: "it is burnt into a machine"}}
		roll, warnings, err := List(t.Context(), c, Authorities{Directories: openDirectory(t, corp())}, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
		require.NoError(t, err)
		said := slices.IndexFunc(warnings, func(w Warning) bool {
			return w.Code == credential.FindingExcludeNothing || w.Code == credential.FindingExcludeMistyped
		})
		if code == "" {
			require.Negative(t, said, "%s: %v", path, warnings)
			continue
		}
		require.GreaterOrEqual(t, said, 0, path)
		require.Equal(t, code, warnings[said].Code, path)
		require.Positive(t, roll.Incomplete(), path)
		require.Contains(t, warnings[said].Detail, path)
	}
}

func TestANameIsLikeAnotherByASlipAndNotByItsNumber(t *testing.T) {
	for _, row := range []struct {
		a, b string
		like bool
	}{
		{"svc-mail", "svc-mial", true}, {"svc-mail", "SVC-MAIL", true}, {"svc-esg-002", "svc-esg-0002", true}, {"kv/apps/ldap#pasword", "kv/apps/ldap#password", true},
		{"svc-esg-0002", "svc-esg-0003", false}, {"svc-7", "svc-17", false}, {"a", "b", false}, {"", "", false}, {"svc-mail", "svc-fax", false},
	} {
		require.Equal(t, row.like, likeName(row.a, row.b), "%s %s", row.a, row.b)
	}
}
