package setup

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/vaulttest"
)

// may asks Vault what a token with a policy may do on a path.
func may(t *testing.T, policy, path string) []string {
	t.Helper()
	token := vaulttest.TokenWith(t, policy)
	got, err := server.Client().Sys().CapabilitiesWithContext(t.Context(), token.Reveal(), path)
	require.NoError(t, err)
	return got
}

func TestInitForAnotherDeviceAddsToTheRolesAndTakesNothing(t *testing.T) {
	first := vaulttest.NewCampaign()
	first.Device = "mail-" + first.Vault.Mount
	first.Sources = []config.Source{{Type: "vault-kv", Prefix: "kv/apps/" + first.Device}}
	first.Directories = map[string]config.Directory{"corp": {Bind: config.Bind{
		DN: "cn=rollcall,dc=example,dc=org", Password: credential.Path{Mount: "kv", Path: "apps/vpn/rollcall", Field: "password"}}}}
	root := open(t, first, server.Address(), server.RootToken())
	_, err := Run(t.Context(), root, first, vaulttest.NewRoll("c", 2).Credentials)
	require.NoError(t, err)
	_, err = server.Client().Logical().WriteWithContext(t.Context(), "auth/approle/role/"+vault.WorkerPolicy,
		map[string]any{"token_policies": []string{vault.WorkerPolicy, "added-by-somebody"}})
	require.NoError(t, err)

	second := vaulttest.NewCampaign()
	second.Device = "VPN-" + second.Vault.Mount
	second.Sources = []config.Source{{Type: "vault-kv", Prefix: "kv/apps/vpn"}} // the first one's bind password lies below it
	done, err := Run(t.Context(), open(t, second, server.Address(), server.RootToken()), second, nil)
	require.NoError(t, err)
	require.Contains(t, done, "policy "+DevicePolicy(vault.WorkerPolicy, second.Device)+" written")

	full := []string{create, read, update}
	require.ElementsMatch(t, full, may(t, vault.WorkerPolicy, "kv/data/apps/"+first.Device+"/mta"))
	require.ElementsMatch(t, full, may(t, vault.WorkerPolicy, first.Vault.Mount+"/data/staging/corp/x"), "mounts of its own")
	require.ElementsMatch(t, full, may(t, vault.WorkerPolicy, "kv/data/apps/1"), "a single path")
	require.ElementsMatch(t, full, may(t, vault.WorkerPolicy, second.Vault.Mount+"/data/staging/corp/x"))
	require.ElementsMatch(t, full, may(t, vault.WorkerPolicy, "kv/data/apps/vpn/rollcall"),
		"what the second may write below its prefix is not narrowed by what the first one reads there")
	for _, c := range []*config.Campaign{first, second} {
		require.ElementsMatch(t, []string{update}, may(t, vault.LedgerPolicy, c.Vault.Transit+"/sign/"+ownmount.LedgerKey))
		require.ElementsMatch(t, []string{read}, may(t, vault.OperatorPolicy, c.Vault.Transit+"/keys/"+ownmount.LedgerKey))
	}
	require.ElementsMatch(t, []string{"deny"}, may(t, vault.LedgerPolicy, "kv/data/apps/"+first.Device+"/mta"))
	require.ElementsMatch(t, []string{read}, may(t, DevicePolicy(vault.WorkerPolicy, first.Device), "kv/data/apps/vpn/rollcall"), "a device's own policy is the least")
	require.ElementsMatch(t, []string{"deny"}, may(t, DevicePolicy(vault.WorkerPolicy, second.Device), "kv/data/apps/"+first.Device+"/mta"))

	role, err := server.Client().Logical().ReadWithContext(t.Context(), "auth/approle/role/"+vault.WorkerPolicy)
	require.NoError(t, err)
	require.ElementsMatch(t, []any{vault.WorkerPolicy, "added-by-somebody"}, role.Data["token_policies"])

	again, err := Run(t.Context(), root, first, vaulttest.NewRoll("c", 2).Credentials)
	require.NoError(t, err)
	for _, line := range again {
		require.NotContains(t, line, " written, ", "nothing is to be changed")
	}
}

func TestInitTakesNothingFromARunningCampaignOfItsOwnDevice(t *testing.T) {
	c := vaulttest.NewCampaign()
	c.Device = "own-" + c.Vault.Mount
	c.Sources = []config.Source{{Type: "vault-kv", Prefix: "kv/running/" + c.Device}}
	root := open(t, c, server.Address(), server.RootToken())
	_, err := Run(t.Context(), root, c, nil)
	require.NoError(t, err)
	require.NoError(t, root.OpenCampaign(t.Context(), ownmount.CampaignRecord{Campaign: "running", Device: c.Device}))

	was := "kv/data/running/" + c.Device + "/mta"
	c.Sources[0].Prefix = "kv/elsewhere/" + c.Device
	done, err := Run(t.Context(), root, c, nil)
	require.NoError(t, err)
	require.Contains(t, done[5], "campaign running may")
	require.Contains(t, may(t, vault.WorkerPolicy, was), update)
	require.Contains(t, may(t, vault.WorkerPolicy, "kv/data/elsewhere/"+c.Device+"/mta"), update)

	require.NoError(t, root.CloseCampaign(t.Context(), "running"))
	_, err = Run(t.Context(), root, c, nil)
	require.NoError(t, err)
	require.Equal(t, []string{"deny"}, may(t, vault.WorkerPolicy, was), "and after it the policy is the file's again")
}

func TestWhatARoleHadBeforeDevicesHadPoliciesIsKept(t *testing.T) {
	before := "# Lists.\n# Written by rollcall init.\n" + stanzas([]rule{{"kv/data/apps/old/*", []string{create, read, update}}, {"kv/data/apps/new/*", []string{read}}})
	devices := map[string][]rule{"new": {{"kv/data/apps/new/*", []string{create, read, update}}}, "esg": {{"kv/data/apps/*", []string{read}}}}
	text, kept := sumText("Lists.", devices, before)
	require.Equal(t, 1, kept)
	all := parseRules(text)
	require.True(t, grants(all, rule{"kv/data/apps/old/*", []string{create, read, update}}))
	require.True(t, grants(all, rule{"kv/data/apps/new/*", []string{create, read, update}}))
	again, kept := sumText("Lists.", devices, text)
	require.Equal(t, 1, kept)
	require.Equal(t, text, again)
	later, kept := sumText("Lists.", map[string][]rule{"old": parseRules(before), "new": devices["new"]}, again)
	require.Zero(t, kept)
	require.NotContains(t, later, keptFrom)
}

func TestADenialOfOneDeviceIsNotAnotherOnes(t *testing.T) {
	own := "auth/approle/role/rollcall-worker"
	sum := sumRules(map[string][]rule{
		"rotates": {{own, []string{read}}, {"auth/approle/role/rollcall-*", []string{"deny"}}},
		"lists":   {{"auth/approle/role/+", []string{read}}, {"auth/approle/role/rollcall-*", []string{"deny"}}},
	})
	require.NotContains(t, capsOn(sum, own), "deny")
	require.Contains(t, capsOn(sum, "auth/approle/role/rollcall-*"), "deny")
}
