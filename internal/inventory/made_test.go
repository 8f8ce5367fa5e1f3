package inventory

import (
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/vault/ownmount"
)

func TestWhatLoginsMayHaveMadeIsToldByItsNameUntilAPersonAnswers(t *testing.T) {
	servers(t)
	roll := &credential.Roll{}
	login := func(name string, rules string) {
		write(t, "sys/policies/acl/made-"+name, map[string]any{"policy": rules})
		write(t, "auth/approle/role/made-"+name, map[string]any{"token_policies": "made-" + name})
		roll.Credentials = append(roll.Credentials, credential.Credential{ID: "vault/approle/made-" + name, Kind: credential.AppRoleSecretID, Authority: "vault",
			Subject: "approle/made-" + name, Name: "approle/made-" + name})
	}
	write(t, "auth/approle/role/made-backup", map[string]any{})
	began := time.Now()
	write(t, "auth/approle/role/made-backup/secret-id", map[string]any{})
	write(t, "auth/approle/role/made-backup/secret-id", map[string]any{})
	login("one", `path "auth/approle/role/made-backup/secret-id" { capabilities = ["update"] }
path "auth/approle/role/made-backup/custom-secret-id" { capabilities = ["update"] }
path "auth/approle/role/made-one/secret-id" { capabilities = ["update"] }
path "auth/approle/role/made-two/secret-id" { capabilities = ["update"] }
path "sys/remount" { capabilities = ["update", "sudo"] }`)
	login("two", `path "auth/approle/role/made-backup/secret-id" { capabilities = ["update"] }
path "auth/people/users/+/password" { capabilities = ["update"] }
path "auth/token/create/deploy" { capabilities = ["update"] }
path "sys/audit/*" { capabilities = ["create", "sudo"] }`)
	login("three", `path "kv/*" { capabilities = ["read"] }`)

	now := time.Now()
	told := func(token string, last *ownmount.LastRoll, change func(*config.Campaign)) map[string]string {
		c := campaign()
		c.Exposure = []config.Interval{{From: now.Add(-time.Hour)}}
		if change != nil {
			change(c)
		}
		l := &lister{c: c, vault: openVault(t, token), past: past{last: last}}
		require.NoError(t, l.couldHaveMade(t.Context(), roll))
		out := map[string]string{}
		for _, w := range l.warnings {
			if w.Code == credential.FindingMade {
				require.True(t, w.Code.Incomplete())
				place, text, _ := strings.Cut(w.Detail, ": ")
				require.Empty(t, out[place], "told once")
				out[place] = text
			}
		}
		return out
	}
	root := realVault.RootToken().Reveal()
	all := told(root, nil, nil)
	require.Len(t, all, 3, "nothing of its own, of the roll, nor a move of a mount, nor audit devices, which are seen: %v", all)
	backup := all["auth/approle/role/made-backup"]
	require.Contains(t, backup, "approle/made-one and 1 more login")
	require.Contains(t, backup, "of its 2 secret-ids 2 were made while the device was exposed: ")
	_, times, _ := strings.Cut(backup, "was exposed: ")
	first, err := time.Parse(time.RFC3339, times[:len(time.DateTime+"Z")])
	require.NoError(t, err)
	require.WithinRange(t, first, began.Truncate(time.Second), now)
	require.Contains(t, backup, `accept: - {vault: "auth/approle/role/made-backup", on: TIME, reason: …}`)
	require.Contains(t, all["auth/people/users/+/password"], "by the policies of approle/made-two")
	require.Contains(t, all["auth/token/create/deploy"], "tokens with other policies than its own")

	require.Contains(t, told(root, nil, func(c *config.Campaign) {
		c.Exposure = []config.Interval{{From: now.Add(-time.Hour), To: now.Add(-time.Minute)}}
	})["auth/approle/role/made-backup"], "of its 2 secret-ids 0 were made while")
	// A word about it is for what was made before it was said, and for no
	// exposure that went on.
	const backupRole, users = "auth/approle/role/made-backup", "auth/people/users/+/password"
	accepted := func(on time.Time, exposure ...config.Interval) map[string]string {
		return told(root, nil, func(c *config.Campaign) {
			c.Exposure = exposure
			c.Accept = []config.Accept{{Vault: backupRole, Reason: "made anew", On: on}, {Vault: users, Reason: "looked at", On: on}}
		})
	}
	past := config.Interval{From: now.Add(-240 * time.Hour), To: now.Add(-72 * time.Hour)}
	require.Len(t, accepted(time.Now().Add(time.Second), past), 1, "both are answered")
	require.Contains(t, accepted(time.Time{}, past)[backupRole], "The file accepts the place and says not when somebody looked there")
	require.Contains(t, accepted(now.Add(-100*time.Hour), past)[users], "The file accepts what was there on "+now.Add(-100*time.Hour).UTC().Format(time.RFC3339)+", and the device was in foreign hands until "+past.To.UTC().Format(time.RFC3339))
	later := accepted(now.Add(-time.Minute), past)
	require.Contains(t, later[backupRole], "and 2 of its secret-ids were made after that: ")
	require.NotContains(t, later, users)
	require.Contains(t, accepted(now.Add(-time.Minute), past, config.Interval{From: now.Add(-time.Second)})[users], "look again, and say when", "it happened once more")
	repeated := told(root, &ownmount.LastRoll{Campaign: "c0", Warnings: []credential.Finding{{Code: credential.FindingMade, Detail: "auth/gone/role/x: by the policies of y. The file accepts what was there; once that is done, say so: accept: - {}"}}}, nil)["auth/gone/role/x"]
	require.NotContains(t, repeated, "The file accepts", "what was said of a word before is not said again")
	require.Contains(t, repeated, "by the policies of y")

	// What the last campaign said is said again, though the right is gone;
	// once.
	write(t, "sys/policies/acl/made-one", map[string]any{"policy": `path "kv/*" { capabilities = ["read"] }`})
	write(t, "sys/policies/acl/made-two", map[string]any{"policy": `path "kv/*" { capabilities = ["read"] }`})
	before := &ownmount.LastRoll{Campaign: "c1"}
	for place, text := range all {
		before.Warnings = append(before.Warnings, credential.Finding{Code: credential.FindingMade, Detail: place + ": " + text})
	}
	again := told(root, before, nil)
	require.Len(t, again, 3)
	require.True(t, strings.HasPrefix(again["auth/token/create/deploy"], "(said by campaign c1, and nobody has answered since): by the policies of approle/made-two"))
	before = &ownmount.LastRoll{Campaign: "c2", Warnings: []credential.Finding{{Code: credential.FindingMade, Detail: "auth/token/create/deploy: " + again["auth/token/create/deploy"]}}}
	require.Equal(t, again["auth/token/create/deploy"], told(root, before, nil)["auth/token/create/deploy"])

	// Whoever may not read policies does not know.
	blind, err := realVault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"default"}})
	require.NoError(t, err)
	require.Contains(t, told(blind.Auth.ClientToken, nil, nil)["auth/approle/role/made-three"], "is not known")
}
