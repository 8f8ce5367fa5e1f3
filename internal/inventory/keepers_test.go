package inventory

import (
	"slices"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault"
	"rollcall/internal/vault/setup"
)

// What Vault's engine for directories gives is the password as Vault set it
// last: one that is set from here cuts off whoever reads it there.
func TestAnAccountWhosePasswordVaultKeepsIsOpenUntilItIsRotatedThere(t *testing.T) {
	servers(t)
	for _, at := range []string{"keeps", "keeps-elsewhere"} {
		write(t, "sys/mounts/"+at, map[string]any{"type": "ldap"})
		t.Cleanup(func() { require.NoError(t, realVault.Client().Sys().Unmount(at)) })
	}
	settings := map[string]any{"binddn": slapd.BinderDN, "bindpass": slapd.BinderPassword, "url": slapd.LDAPS(), "certificate": slapd.CA, "userdn": slapd.PeopleDN(), "userattr": "uid"}
	write(t, "keeps/config", settings)
	// No password of the shared directory is changed: Vault is only told whose
	// it keeps.
	role := func(at string, body map[string]any) {
		body["skip_import_rotation"], body["rotation_period"] = true, "24h"
		write(t, at, body)
	}
	role("keeps/static-role/one", map[string]any{"dn": " UID=alice, ou=People,dc=example,dc=org", "username": "alice"})
	role("keeps/static-role/mail/site-a/two", map[string]any{"username": "Bob"})
	settings["url"], settings["userdn"] = "ldaps://192.0.2.1", "dc=other,dc=org"
	write(t, "keeps-elsewhere/config", settings)
	role("keeps-elsewhere/static-role/three", map[string]any{"username": "carol"})

	var now map[string][]credential.Problem
	list := func(token string, accept ...config.Accept) (map[string]credential.Credential, *credential.Roll) {
		c := campaign()
		c.Directories["corp"] = corp()
		c.Accept = accept
		c.Sources = []config.Source{manifestSource("account", "alice", "bob", "carol")}
		used, err := UsedByVault(t.Context(), c, Authorities{Directories: openDirectory(t, corp())}, openVault(t, token), "corp")
		require.NoError(t, err)
		now = used
		roll, _, err := listIn(t.Context(), c, openDirectory(t, corp()), openVault(t, token), "c", time.Now())
		require.NoError(t, err)
		return byName(roll), roll
	}
	root := realVault.RootToken().Reveal()
	got, roll := list(root)
	require.Len(t, now, 3, "the look before Set sees what the listing does, and the one with which the engine binds")
	for _, name := range []string{"alice", "bob"} {
		require.Equal(t, []credential.Problem{credential.KeptByVault}, now[got[slapd.AccountDN(name)].ID])
	}
	alice, bob := got[slapd.AccountDN("alice")], got[slapd.AccountDN("bob")]
	require.Equal(t, credential.KeptByVault, alice.Problem)
	require.Equal(t, credential.KeptByVault, bob.Problem, "by the name alone, in a folder of roles")
	require.Empty(t, got[slapd.AccountDN("carol")].Problem, "that engine is another directory's")
	require.Contains(t, details(roll, alice.ID, credential.FindingKeptByVault), "vault write -f keeps/rotate-role/one")
	require.Contains(t, details(roll, bob.ID, credential.FindingKeptByVault), "vault write -f keeps/rotate-role/mail/site-a/two")

	got, _ = list(root, config.Accept{Account: "alice", Problem: credential.KeptByVault, Reason: "nothing reads it there any more"})
	require.Empty(t, got[slapd.AccountDN("alice")].Problem)
	require.Equal(t, []credential.Problem{credential.KeptByVault}, got[slapd.AccountDN("alice")].Accepted)

	// A check-out set has its accounts' passwords in the same way.
	write(t, "keeps/library/pool", map[string]any{"service_account_names": []string{"carol"}})
	spec := campaign()
	spec.Vault = config.Vault{Mount: "rollcall", Adopt: "kv/rollcall/{directory}/{account}#password"}
	spec.Directories["corp"] = corp()
	places, err := setup.EnginePlaces(t.Context(), openVault(t, root))
	require.NoError(t, err)
	for _, p := range setup.Policies(spec, nil, places...) {
		if p.Name == vault.LedgerPolicy {
			continue
		}
		require.NoError(t, realVault.Client().Sys().PutPolicy("sees-keepers", p.HCL))
		token, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"sees-keepers"}})
		require.NoError(t, err)
		got, roll = list(token.Auth.ClientToken)
		for _, name := range []string{"alice", "bob", "carol"} {
			require.Equal(t, credential.KeptByVault, got[slapd.AccountDN(name)].Problem, p.Name+" "+name)
		}
		require.Empty(t, roll.Warnings)
		require.Len(t, now, 4)
	}
	require.Contains(t, details(roll, got[slapd.AccountDN("carol")].ID, credential.FindingKeptByVault), "keeps/library/pool/check-out")

	// Who may not read it says so, also of an engine that was made after init.
	auths := slices.DeleteFunc(places, func(at string) bool { return !strings.HasPrefix(at, "auth/") })
	for _, p := range setup.Policies(spec, nil, auths...) {
		if p.Name != vault.WorkerPolicy {
			continue
		}
		require.NoError(t, realVault.Client().Sys().PutPolicy("sees-no-keepers", p.HCL))
		token, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"sees-no-keepers"}})
		require.NoError(t, err)
		_, roll = list(token.Auth.ClientToken)
		require.Empty(t, now)
		require.Len(t, roll.Warnings, 2, "one of each engine")
		require.Contains(t, roll.Warnings[1].Detail, "keeps/config, keeps/static-role, keeps/library")
		require.Equal(t, 2, roll.Incomplete(), "it is not rotated as if nothing were the matter")
		// A person who looked there with another login answers by the engine's
		// name.
		_, roll = list(token.Auth.ClientToken, config.Accept{Vault: "keeps", Reason: "none of the device's"}, config.Accept{Vault: "keeps-elsewhere", Reason: "another directory's"})
		require.Zero(t, roll.Incomplete())
		require.Equal(t, credential.FindingAccepted, roll.Warnings[0].Code)
		require.Contains(t, roll.Warnings[0].Detail, "the campaign file accepts that: none of the device's")
	}
}
