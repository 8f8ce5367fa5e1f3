package inventory

import (
	"context"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
)

// What a stolen login may read besides the roll is stolen too: what its rules
// are about is told until a source has it or a person answers.
func TestWhatAStolenLoginReadsBesidesTheRollIsTold(t *testing.T) {
	servers(t)
	api := realVault.Client()
	for name, body := range map[string]map[string]any{"also-v1": {"type": "kv"}, "also-ssh": {"type": "ssh"}, "also-transit": {"type": "transit"}} {
		if _, err := api.Logical().WriteWithContext(t.Context(), "sys/mounts/"+name, body); err != nil {
			require.Contains(t, err.Error(), "not found in the catalog") // of the Vault of the tests
			continue
		}
		t.Cleanup(func() { require.NoError(t, api.Sys().Unmount(name)) })
	}
	for _, path := range []string{"also/own/app", "also/shared/relay", "also/shared/deep/er", "also/shared/denied", "also/one", "also/left/out"} {
		_, err := api.KVv2("kv").Put(t.Context(), path, map[string]any{"password": "x"})
		require.NoError(t, err)
	}
	write(t, "also-v1/apps/old", map[string]any{"password": "x"})
	rules := map[string]string{
		"own":      `path "kv/data/also/own/*" { capabilities = ["read"] }`,
		"shared":   `path "kv/data/also/shared/*" { capabilities = ["read", "list"] }` + "\n" + `path "kv/data/also/shared/denied" { capabilities = ["deny"] }`,
		"one":      `path "kv/data/also/one" { capabilities = ["read"] }`,
		"left":     `path "kv/data/also/left/+" { capabilities = ["read"] }`,
		"lists":    `path "kv/metadata/*" { capabilities = ["list", "read"] }`,
		"v1":       `path "also-v1/*" { capabilities = ["read"] }`,
		"nothing":  `path "kv/data/also/nothing/*" { capabilities = ["read"] }`,
		"writes":   `path "kv/data/also/shared/*" { capabilities = ["create"] }`,
		"itself":   `path "auth/token/lookup-self" { capabilities = ["read"] }` + "\n" + `path "sys/health" { capabilities = ["read"] }`,
		"template": `path "kv/data/also/shared/{{identity.entity.name}}/*" { capabilities = ["read"] }`,
	}
	c := campaign()
	c.Directories = nil
	c.Sources = []config.Source{{Name: "vault", Type: config.VaultKV, Prefix: "kv/also/own"}, {Name: "login", Type: config.VaultAppRole, Mount: "approle", Role: "also-esg"}}
	list := func(token string, of ...string) (told, roll string) {
		t.Helper()
		var text []string
		for _, name := range of {
			text = append(text, rules[name])
		}
		require.NoError(t, api.Sys().PutPolicy("also", strings.Join(text, "\n")))
		write(t, "auth/approle/role/also-esg", map[string]any{"token_policies": "also"})
		got, _, err := listIn(t.Context(), c, nil, openVault(t, token), "c", time.Now())
		require.NoError(t, err)
		var out, accepted []string
		for _, w := range got.Warnings {
			switch w.Code {
			case credential.FindingAlsoReadable:
				require.True(t, w.Code.Incomplete())
				out = append(out, w.Detail)
			case credential.FindingAccepted:
				accepted = append(accepted, w.Detail)
			}
		}
		return strings.Join(out, "\n"), strings.Join(accepted, "\n")
	}
	root := realVault.RootToken().Reveal()
	told, _ := list(root, "own", "lists", "nothing", "writes", "itself")
	require.Empty(t, told, "what the source has, and what reads nothing")
	told, _ = list(root, "shared")
	require.Contains(t, told, "kv/also/shared/*: by the policies of approle/also-esg whoever stole that login reads 2 secrets of kv/ (kv/also/shared/relay, kv/also/shared/deep/er)")
	require.NotContains(t, told, "denied", "Vault's most specific rule holds")
	told, _ = list(root, "one", "v1", "template")
	require.Contains(t, told, "reads kv/also/one, and no source lists it")
	require.Contains(t, told, "1 secret of also-v1/ (also-v1/apps/old)")
	require.Contains(t, told, "kv/also/shared/deep/er")
	require.Equal(t, 3, strings.Count(told, "accept: - "), "each rule is answered by itself")

	c.Exposure = []config.Interval{{From: time.Now().Add(-48 * time.Hour), To: time.Now().Add(-24 * time.Hour)}}
	for on, says := range map[time.Time]string{{}: "says not when somebody looked there", time.Now().Add(-30 * time.Hour): "the device was in foreign hands until"} {
		c.Accept = []config.Accept{{Vault: "kv/also/shared/*", On: on, Reason: "they were looked at"}}
		told, _ = list(root, "shared")
		require.Contains(t, told, "Of kv/also/shared/* the file accepts ")
		require.Contains(t, told, says)
	}
	c.Accept = []config.Accept{{Vault: "kv/also/shared/*", On: time.Now(), Reason: "they were looked at"}}
	c.Exclude = []config.Exclude{{Path: "kv/also/left/out#password", Reason: "nothing of the device's"}}
	told, accepted := list(root, "shared", "left")
	require.Empty(t, told)
	require.Contains(t, accepted, "they were looked at")
	c.Sources = append(c.Sources, config.Source{Name: "shared", Type: config.VaultKV, Prefix: "kv/also/shared"})
	c.Accept = nil
	told, accepted = list(root, "shared", "left")
	require.Empty(t, told+accepted, "a source lists it now")
	c.Sources = c.Sources[:2]

	// A worker's login may not list what no source names.
	require.NoError(t, api.Sys().PutPolicy("also-lister", `path "kv/+/also/own/*" { capabilities = ["list", "read"] }
path "kv/+/also/own" { capabilities = ["list", "read"] }
path "auth/approle/role/*" { capabilities = ["list", "read"] }
path "sys/policies/acl/*" { capabilities = ["read"] }
path "rollcall/*" { capabilities = ["list", "read"] }`))
	token, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"also-lister"}, NoParent: true})
	require.NoError(t, err)
	told, _ = list(token.Auth.ClientToken, "own", "shared")
	require.Contains(t, told, "reads kv/also/shared/…, where this login may not list what lies there")
}

// Whoever reads a path reads its older versions: one that held another
// account's password, and says whose, gave the thief that as well.
func TestWhomOlderVersionsOfAPathNameIsTold(t *testing.T) {
	servers(t)
	kv := realVault.Client().KVv2("kv")
	put := func(path string, versions ...map[string]any) {
		t.Cleanup(func() { require.NoError(t, kv.DeleteMetadata(context.Background(), path)) })
		for _, v := range versions {
			_, err := kv.Put(t.Context(), path, v)
			require.NoError(t, err)
		}
	}
	as := func(user, value string) map[string]any {
		return map[string]any{"username": user, "password": value + "!1Q"}
	}
	put("older/moved", as("bystander0002", "a"), as("EXAMPLE\\bystander0001", "b"), as("bystander0001@example.org", "c"))
	put("older/same", as("nobody", "a"), as("nobody", "b"))
	put("older/gone", as("bystander0003", "a"), as("bystander0001", "b"), as("bystander0001", "c"))
	require.NoError(t, kv.Destroy(t.Context(), "older/gone", []int{1}))
	put("older/deleted", as("bystander0004", "a"), as("bystander0001", "b"))
	require.NoError(t, kv.DeleteVersions(t.Context(), "older/deleted", []int{1}))
	put("older/listed", as("bystander0005", "a"), as("bystander0001", "b"))
	c := campaign()
	c.Directories["corp"] = corp()
	c.Sources = []config.Source{manifestSource("account,path", "bystander0001,kv/older/moved#password", "bystander0001,kv/older/same#password", "bystander0001,kv/older/gone#password",
		"bystander0001,kv/older/deleted#password", "bystander0001,kv/older/listed#password", "bystander0005,")}
	list := func() (told []string) {
		roll, _, err := listIn(t.Context(), c, openDirectory(t, corp()), openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
		require.NoError(t, err)
		for _, w := range roll.Warnings {
			if w.Code == credential.FindingAlsoReadable {
				told = append(told, w.Detail)
			}
		}
		return told
	}
	told := list()
	require.Len(t, told, 1, "%v", told)
	require.Contains(t, told[0], "kv/older/moved: its version 1, which whoever reads that path reads too, names corp: "+slapd.AccountDN("bystander0002")+", which is not on the roll")

	c.Accept = []config.Accept{{Vault: "kv/older/moved", On: time.Now(), Reason: "it has another password by now"}}
	require.Empty(t, list())
	c.Accept = nil
	c.Sources[0].Content = append(c.Sources[0].Content, "bystander0002,\n"...)
	require.Empty(t, list(), "it is on the roll, and rotated")
}
