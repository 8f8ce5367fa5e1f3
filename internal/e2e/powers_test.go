package e2e

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
)

// With a stolen login its thief enabled an audit device that keeps values, and
// made himself a secret-id of a role that no source lists. Both outlive the
// login.
func TestWhatAStolenLoginMadeBeforeTheCampaignIsToldAndAnswered(t *testing.T) {
	e := startEstate(t, estate.Options{Accounts: 2, AppRoles: 1})
	api := e.Vault.Client()
	policy := func(name, rules string) { require.NoError(t, api.Sys().PutPolicy(name, rules)) }
	write := func(c *vaultapi.Client, at string, body map[string]any) *vaultapi.Secret {
		got, err := c.Logical().Write(at, body)
		require.NoError(t, err, at)
		return got
	}
	const readsOwn = `path "kv/data/apps/esg-01/*" { capabilities = ["read"] }`
	policy("kvall", `path "kv/*" { capabilities = ["read"] }`)
	write(api, "auth/approle/role/backup", map[string]any{"token_policies": "kvall"})
	policy("esg-01-read", readsOwn+`
path "auth/approle/role/backup/secret-id" { capabilities = ["create","update"] }
path "auth/approle/role/backup/role-id" { capabilities = ["read"] }
path "sys/audit/*" { capabilities = ["create","update","sudo"] }`)
	as := func(role, secret any) *vaultapi.Client {
		c, err := api.Clone()
		require.NoError(t, err)
		c.ClearToken()
		c.SetToken(write(c, "auth/approle/login", map[string]any{"role_id": role, "secret_id": secret}).Auth.ClientToken)
		return c
	}
	var thief *vaultapi.Client
	for _, s := range e.Stolen {
		if s.RoleID != "" {
			thief = as(s.RoleID, s.Password)
		}
	}
	log := filepath.Join(e.Dir, "evil.log")
	write(thief, "sys/audit/evil", map[string]any{"type": "file", "options": map[string]string{"file_path": log, "log_raw": "true"}})
	made := write(thief, "auth/approle/role/backup/secret-id", nil)
	id, err := thief.Logical().Read("auth/approle/role/backup/role-id")
	require.NoError(t, err)

	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	inForce := func() (values []string) {
		for _, id := range slices.Sorted(maps.Keys(e.Live)) {
			at := e.Live[id]
			got, err := api.Logical().Read("kv/data/" + at.Path)
			require.NoError(t, err)
			values = append(values, got.Data["data"].(map[string]any)[at.Field].(string))
		}
		return values
	}
	before := inForce()
	for _, step := range []string{"doctor", "plan", "run"} {
		r := u.run(step)
		require.Equal(t, 1, r.code, "%s: %s%s", step, r.out, r.err)
		require.Contains(t, flat(r.out+r.err), "the audit device sys/audit/evil (file) keeps values as they are (log_raw)", step)
		require.Contains(t, flat(r.out+r.err), "vault audit disable evil", step)
	}
	require.Equal(t, before, inForce(), "nothing was changed")
	require.NoError(t, api.Sys().DisableAudit("evil"))

	const warned = "may-have-made: auth/approle/role/backup: by the policies of approle/esg-01-login-1"
	list := u.run("list")
	require.Equal(t, 2, list.code)
	require.Contains(t, list.err, warned)
	require.Contains(t, list.err, "of its 1 secret-id 0 were made while the device was exposed")
	plan := u.run("plan")
	require.Equal(t, 2, plan.code)
	require.Contains(t, flat(plan.out), "approle/esg-01-login-1 could read 3 of 3 new values where they go (its own among them): it may")
	ran := u.run("run")
	require.Equal(t, 2, ran.code, ran.out)
	for _, line := range u.ledger().Credentials {
		require.Equal(t, "within-reach", string(line.Reason), line.Name)
	}
	require.Equal(t, before, inForce(), "nothing was changed")

	// The right is taken away, as the reason says; what was made with it is
	// there still, and told again.
	policy("esg-01-read", readsOwn)
	ran = u.run("run")
	require.Equal(t, 2, ran.code, ran.out+ran.err)
	require.Contains(t, ran.err+ran.out, "auth/approle/role/backup: (said by campaign ")
	for _, line := range u.ledger().Credentials {
		require.Equal(t, "dead", string(line.Outcome), line.Name)
	}
	values := inForce()
	got, err := os.ReadFile(log)
	require.NoError(t, err)
	for i, v := range values {
		require.NotEqual(t, before[i], v)
		require.NotContains(t, string(got), v)
	}
	as(id.Data["role_id"], made.Data["secret_id"]) // it logs in: exit code 0 would be a lie

	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, []byte(strings.Replace(string(text), "\nsources:\n", "\naccept:\n  - {vault: auth/approle/role/backup, on: "+time.Now().Format(time.RFC3339)+", reason: its owner made it anew}\n\nsources:\n", 1)), 0o600))
	list = u.run("list")
	require.Equal(t, 0, list.code, list.err)
	require.Contains(t, list.err, "what logins of the roll may have made there before ")
	require.Contains(t, list.err, " is accepted by the campaign file: its owner made it anew")
	require.False(t, credential.FindingAccepted.Incomplete())
}

// flat is a screen's text in one line.
func flat(text string) string { return strings.Join(strings.Fields(text), " ") }
