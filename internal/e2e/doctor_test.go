package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/vault"
)

// diagnosis is a line of doctor -o json.
type diagnosis struct {
	Where, What string
	OK          bool
	Detail, Do  string
}

// diagnose returns what doctor finds wrong, and its exit code.
func diagnose(t *testing.T, u *user) (wrong []diagnosis, code int) {
	t.Helper()
	r := u.run("doctor", "-o", "json")
	for _, d := range decode[[]diagnosis](t, r.out) {
		require.NotEmpty(t, d.What)
		require.NotEmpty(t, d.Detail)
		if d.OK {
			require.Empty(t, d.Do)
			continue
		}
		require.NotEmpty(t, d.Do, "%v says not what to do", d)
		wrong = append(wrong, d)
	}
	return wrong, r.code
}

func TestDoctorFindsEachThingThatIsWrongAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 4, AppRoles: 1, Replica: true})
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	c := startCluster(t, e, file)
	// Not root: that would have every right. Both policies, as for a run on one
	// machine.
	token, err := e.Vault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{vault.WorkerPolicy, vault.LedgerPolicy}, TTL: "1h"})
	require.NoError(t, err)
	u := c.admin.with("VAULT_TOKEN=" + token.Auth.ClientToken)

	t.Run("nobody to do the work", func(t *testing.T) {
		wrong, code := diagnose(t, u)
		require.Equal(t, 1, code)
		require.Len(t, wrong, 1, "%v", wrong)
		require.Equal(t, "workers", wrong[0].What)
		require.Equal(t, "start `rollcall worker` and `rollcall worker --role ledger`", wrong[0].Do)
	})
	c.worker()
	c.ledgerWorker()
	require.Eventually(t, func() bool { return u.run("doctor").code == 0 }, patience, tick)
	t.Run("nothing on a good estate", func(t *testing.T) {
		wrong, code := diagnose(t, u)
		require.Empty(t, wrong)
		require.Zero(t, code)
		text := u.must("doctor")
		for _, looked := range []string{"campaign file", "vault unsealed", "vault clock", "vault rights", e.Servers()[0], e.Servers()[1], "certificate", "temporal"} {
			require.Contains(t, text, looked)
		}
		require.Contains(t, text, "0 wrong")
		var rows []map[string]any
		var unseen []any
		require.NoError(t, json.Unmarshal([]byte(u.must("doctor", "-o", "json")), &rows))
		for _, row := range rows {
			for key := range row {
				require.Contains(t, []string{"where", "what", "ok", "detail", "do", "not_checked"}, key)
			}
			if row["not_checked"] == true {
				unseen = append(unseen, row["what"])
			}
		}
		require.Equal(t, []any{"who resets", "folder"}, unseen, "olcAccess is shown to nobody, and the ledger is another machine's")
	})

	for _, role := range []struct{ as, policy string }{{"worker", vault.WorkerPolicy}, {"ledger", vault.LedgerPolicy}, {"operator", vault.OperatorPolicy}} {
		t.Run("what the policy of the "+role.as+" allows", func(t *testing.T) {
			text := c.admin.must("doctor", "--as", role.as)
			require.Contains(t, text, "0 wrong")
			require.Contains(t, text, role.policy+" allows all that its role needs")
		})
	}

	t.Run("nothing for the operator, whose login is no worker's", func(t *testing.T) {
		text := c.user.must("doctor")
		require.Contains(t, text, "0 wrong")
		require.Regexp(t, "not checked +vault rights +what rollcall-worker needs was not looked at", text)
	})

	other, err := lab.NewCA()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "other.pem"), other.PEM, 0o600))
	replica := e.Replica.LDAPS()
	for _, row := range []struct {
		name                    string
		u                       *user
		where, what, detail, do string
		n                       int
	}{
		{"a CA that did not sign", u.edited("ca.pem", "other.pem"), "corp " + e.Servers()[0], "connect", "certificate is not trusted", "ca_file", 2},
		{"a replica out of reach", u.edited(replica, "ldaps://127.0.0.1:1"), "corp ldaps://127.0.0.1:1", "connect", "does not answer", "address", 1},
		{"a wrong base", u.edited("base: dc=example,dc=org", "base: ou=nowhere,dc=example,dc=org"), "corp " + e.Servers()[0], "base", "", "correct base", 3},
		{"a wrong Temporal address", u.with("TEMPORAL_ADDRESS=127.0.0.1:1"), "temporal", "connect", "127.0.0.1:1", "TEMPORAL_", 1},
		{"a token that is no good", u.with("VAULT_TOKEN=hvs.none"), "vault", "vault login", "expired or revoked", "log in afresh", 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			wrong, code := diagnose(t, row.u)
			require.Equal(t, 1, code)
			require.Len(t, wrong, row.n, "%v", wrong)
			require.Equal(t, row.where, wrong[0].Where)
			require.Equal(t, row.what, wrong[0].What)
			require.Contains(t, wrong[0].Detail, row.detail)
			require.Contains(t, wrong[0].Do, row.do)
			text := row.u.run("doctor").out
			require.Contains(t, text, "WRONG")
			require.Contains(t, text, "-> "+wrong[0].Do)
		})
	}
	t.Run("a list that cannot be read", func(t *testing.T) {
		require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "bad.csv"), []byte("Konto;Pfad\nsvc-a;kv/a#p\n"), 0o600))
		wrong, code := diagnose(t, u.edited("sources:\n", "sources:\n  - {name: list, type: manifest, file: bad.csv}\n"))
		require.Equal(t, 1, code)
		require.Len(t, wrong, 1, "%v", wrong)
		require.Equal(t, "listing", wrong[0].What)
		require.Contains(t, wrong[0].Detail, "bad.csv:1: no column of the header is known")
	})
	t.Run("a wrong bind password", func(t *testing.T) {
		ctx := t.Context()
		require.NoError(t, e.Vault.SeedKV(ctx, map[string]map[string]any{"infra/rollcall-bind": {"password": "not-the-one"}}))
		wrong, code := diagnose(t, u)
		require.NoError(t, e.Vault.SeedKV(ctx, map[string]map[string]any{"infra/rollcall-bind": {"password": e.Slapd.BinderPassword}}))
		require.Equal(t, 1, code)
		require.Len(t, wrong, 2, "one for each server: %v", wrong)
		require.Equal(t, "bind", wrong[0].What)
		require.Contains(t, wrong[0].Do, "put the right password of bind.dn into Vault")
	})
	t.Run("a missing capability", func(t *testing.T) {
		limit(t, e, vault.WorkerPolicy, `path "kv/data/apps/esg-01/*" { capabilities = ["create", "read", "update"] }`, `path "kv/data/apps/esg-01/*" { capabilities = ["read", "update"] }`)
		defer c.admin.must("init")
		wrong, code := diagnose(t, u)
		require.Equal(t, 1, code)
		require.Len(t, wrong, 1, "%v", wrong)
		require.Equal(t, "vault rights", wrong[0].What)
		require.True(t, strings.HasPrefix(wrong[0].Detail, "create is missing on kv/data/apps/esg-01/"), wrong[0].Detail)
		require.Contains(t, wrong[0].Do, "rollcall init")
	})
	t.Run("a sealed Vault", func(t *testing.T) {
		require.NoError(t, e.Vault.Seal(t.Context()))
		wrong, code := diagnose(t, u)
		require.NoError(t, e.Vault.Unseal(t.Context()))
		require.Equal(t, 1, code)
		require.Equal(t, "vault unsealed", wrong[0].What)
		require.Equal(t, "vault operator unseal", wrong[0].Do)
	})
	wrong, code := diagnose(t, u)
	require.Empty(t, wrong)
	require.Zero(t, code)
	requireUntouched(t, e)
}
