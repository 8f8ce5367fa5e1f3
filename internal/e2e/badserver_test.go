package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/vault"
)

// requireUntouched: every stolen value is still in force, and Vault holds what
// it held.
func requireUntouched(t *testing.T, e *estate.Estate) {
	t.Helper()
	for id, p := range e.Live {
		require.Equal(t, 1, versions(t, e.Vault.Client(), p), id)
	}
	for _, s := range e.Stolen {
		if s.Kind == intruder.LDAP {
			require.True(t, binds(t, e, e.Slapd.LDAPS(), s.DN, credential.NewSecret(s.Password)), s.DN)
			continue
		}
		api := e.Vault.Client()
		_, err := api.Logical().Write("auth/approle/login", map[string]any{"role_id": s.RoleID, "secret_id": s.Password})
		require.NoError(t, err, s.ID)
	}
	require.True(t, nothingStaged(t, e))
	requireBystandersUntouched(t, e)
}

// edited is the user with another campaign file.
func (u *user) edited(old, new string) *user {
	u.t.Helper()
	text, err := os.ReadFile(u.file)
	require.NoError(u.t, err)
	require.Contains(u.t, string(text), old)
	v := *u
	f, err := os.CreateTemp(u.e.Dir, "edited-*.yaml") // beside the files that it names
	require.NoError(u.t, err)
	defer f.Close()
	_, err = f.WriteString(strings.Replace(string(text), old, new, 1))
	require.NoError(u.t, err)
	v.file = f.Name()
	return &v
}

// with is the user in another environment.
func (u *user) with(env ...string) *user {
	v := *u
	v.env = append(append([]string{}, u.env...), env...)
	return &v
}

func TestServersThatCannotServeEndARunWithOneMessageAndNothingChanged(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 6, AppRoles: 1, Bystanders: 1})
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	c := startCluster(t, e, file)
	records := c.ledgerWorker()
	c.worker()
	other, err := lab.NewCA()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "other.pem"), other.PEM, 0o600))
	require.NoError(t, e.Vault.SeedKV(t.Context(), map[string]map[string]any{"infra/wrong": {"password": "not-the-one"}}))
	require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "broken.csv"), []byte("kind,directory,account\nldap-password,corp,svc-esg-0001\nldap-password,nowhere,x\n"), 0o600))
	server, admin := e.Slapd.LDAPS(), c.admin

	for _, row := range []struct {
		name string
		u    *user
		want []string
	}{
		{"directory out of reach", admin.edited(server, "ldaps://127.0.0.1:1"), []string{"ldaps://127.0.0.1:1", "the server does not answer", "nothing was started"}},
		{"wrong certificate", admin.edited("ca_file: ca.pem", "ca_file: other.pem"), []string{server, "certificate is not trusted", "ca_file"}},
		{"wrong bind password", admin.edited("kv/infra/rollcall-bind#", "kv/infra/wrong#"), []string{server, "is refused", "kv/infra/wrong#password"}},
		{"no bind password", admin.edited("kv/infra/rollcall-bind#", "kv/infra/none#"), []string{"Vault holds no password for bind", "kv/infra/none#password"}},
		{"wrong base", admin.edited("base: dc=example,dc=org", "base: ou=nowhere,dc=example,dc=org"), []string{"ou=nowhere,dc=example,dc=org", server}},
		{"mistake in a manifest", admin.edited("file: handover.csv", "file: broken.csv"), []string{"broken.csv:3: directory: not in the campaign file"}},
		{"no such mount", admin.edited("prefix: kv/apps", "prefix: gone/apps"), []string{`"read" on gone/data/`, "permission denied", "rollcall doctor"}},
		{"Vault out of reach", admin.with("VAULT_ADDR=http://127.0.0.1:1"), []string{"http://127.0.0.1:1", "no answer", "VAULT_ADDR"}},
		{"Vault in clear text", admin.with("VAULT_ADDR=http://192.0.2.1:8200"), []string{"clear text", "https://"}},
		{"no login", admin.with("VAULT_TOKEN="), []string{"no login", "VAULT_TOKEN"}},
		{"token that never was", admin.with("VAULT_TOKEN=hvs.none"), []string{"the token is expired or revoked", "log in again"}},
		{"token that has expired", admin.with("VAULT_TOKEN=" + expiredToken(t, e)), []string{"the token is expired or revoked", "log in again"}},
		{"token without rights", admin.with("VAULT_TOKEN=" + poorToken(t, e)), []string{"permission denied", `"read" on kv/data/infra/rollcall-bind`, "init --print"}},
		{"Temporal out of reach", admin.with("TEMPORAL_ADDRESS=127.0.0.1:1"), []string{"127.0.0.1:1", "TEMPORAL_ADDRESS"}},
	} {
		t.Run(row.name, func(t *testing.T) { refused(t, row.u, row.want...) })
	}
	requireUntouched(t, e)

	for _, row := range []struct{ name, policy, rule, less, want string }{
		{"the worker may not write live secrets", vault.WorkerPolicy, `path "kv/data/apps/esg-01/*" { capabilities = ["create", "read", "update"] }`,
			`path "kv/data/apps/esg-01/*" { capabilities = ["read"] }`, "create, update is missing on kv/data/apps/esg-01/"},
		{"the worker may not destroy old versions", vault.WorkerPolicy, `path "kv/destroy/apps/esg-01/*" { capabilities = ["update"] }`, "",
			"update is missing on kv/destroy/apps/esg-01/"},
		{"the worker may not list", vault.WorkerPolicy, `path "kv/metadata/apps/esg-01/*" { capabilities = ["list", "read"] }`, "", "kv/metadata/apps/esg-01"},
		{"the ledger's worker may not sign", vault.LedgerPolicy, `path "rollcall-transit/sign/ledger" { capabilities = ["update"] }`, "", "update is missing on rollcall-transit/sign/ledger"},
	} {
		t.Run(row.name, func(t *testing.T) {
			limit(t, e, row.policy, row.rule, row.less)
			defer admin.must("init")
			refused(t, admin, row.want, "rollcall init")
		})
	}
	requireUntouched(t, e)

	t.Run("a ledger folder that is another campaign's", func(t *testing.T) {
		about, err := json.Marshal(map[string]any{"origin": ledger.Origin("another"), "verifier_key": "another+00000000+AAAA", "version": 1})
		require.NoError(t, err)
		for s := range 600 {
			folder := filepath.Join(c.ledgers, estate.Device+"-"+time.Now().UTC().Add(time.Duration(s)*time.Second).Format("20060102T150405Z"))
			if os.Mkdir(folder, 0o755) == nil {
				defer os.RemoveAll(folder)
				require.NoError(t, os.WriteFile(filepath.Join(folder, "ledger.json"), about, 0o600))
			}
		}
		refused(t, admin, "not this campaign's ledger folder", ledger.Origin("another"))
	})
	records.signal(syscall.SIGTERM)
	require.Zero(t, records.wait().code)
	for name, room := range noRoom(t) {
		t.Run(name, func(t *testing.T) {
			w := c.serve(append(c.common, c.login(vault.LedgerPolicy)...), append(room.before, binary, "worker", "--role", "ledger", "--ledger-dir", room.dir)...)
			defer w.kill()
			refused(t, admin, "no room for the ledger", room.dir, "make room")
		})
	}
	requireUntouched(t, e)

	t.Run("sealed Vault", func(t *testing.T) {
		require.NoError(t, e.Vault.Seal(t.Context()))
		refused(t, admin, "Vault is sealed; unseal it")
		require.NoError(t, e.Vault.Unseal(t.Context()))
	})
	requireUntouched(t, e)
	c.ledgerWorker()
	ended := c.run("run")
	require.Zero(t, ended.code, "all is well again: %s", ended.err)

	t.Run("a folder for ledgers that is itself a ledger", func(t *testing.T) {
		all := c.campaigns()
		w := spawn(t, e.Dir, append(c.common, c.login(vault.LedgerPolicy)...), binary, "worker", "--role", "ledger", "--ledger-dir", filepath.Join(c.ledgers, all[len(all)-1]))
		r := w.wait()
		require.Equal(t, 1, r.code)
		require.Contains(t, r.err, "is itself the ledger of campaign "+all[len(all)-1])
	})
}

var waveLine = regexp.MustCompile(`^  .*: \d+ of \d+ dead, \d+ open, pass \d+\n$`)

// refused: run ends soon with code 1 and one message. The lines of the campaign
// and of its waves are no messages: how far a campaign gets before its ledger
// is full is a matter of how its entries come together.
func refused(t *testing.T, u *user, want ...string) {
	t.Helper()
	began := time.Now()
	r := u.run("run")
	require.Equal(t, 1, r.code, "%s%s", r.out, r.err)
	require.Less(t, time.Since(began), 2*time.Minute, "whoever waits is told soon")
	var said []string
	for line := range strings.Lines(r.err) {
		of := strings.Contains(line, "campaign ") || waveLine.MatchString(line)
		if strings.HasPrefix(line, "rollcall: ") || !of {
			said = append(said, line)
		}
	}
	require.Len(t, said, 1, "one message: %s", r.err)
	for _, w := range want {
		require.Contains(t, said[0], w)
	}
	for _, noise := range []string{"activity error", "workflow execution", "scheduledEventID", "retryable", "wrapError"} {
		require.NotContains(t, r.err, noise)
	}
}

func expiredToken(t *testing.T, e *estate.Estate) string {
	t.Helper()
	made, err := e.Vault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{TTL: "1s"})
	require.NoError(t, err)
	api := e.Vault.Client()
	api.SetToken(made.Auth.ClientToken)
	require.Eventually(t, func() bool {
		_, err := api.Auth().Token().LookupSelf()
		return err != nil
	}, patience, 100*time.Millisecond)
	return made.Auth.ClientToken
}

func poorToken(t *testing.T, e *estate.Estate) string {
	t.Helper()
	made, err := e.Vault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{"default"}, TTL: "1h"})
	require.NoError(t, err)
	return made.Auth.ClientToken
}

// limit takes a rule out of a policy, or puts a lesser one in its place.
func limit(t *testing.T, e *estate.Estate, policy, rule, less string) {
	t.Helper()
	sys := e.Vault.Client().Sys()
	hcl, err := sys.GetPolicy(policy)
	require.NoError(t, err)
	require.Contains(t, hcl, rule)
	require.NoError(t, sys.PutPolicy(policy, strings.Replace(hcl, rule, less, 1)))
}

// place is a folder in which a ledger finds no room.
type place struct {
	dir    string
	before []string // of the command that meets it
}

// noRoom is a limit on the size of files, which anybody can set, and for root a
// disk that is full.
func noRoom(t *testing.T) map[string]place {
	t.Helper()
	out := map[string]place{"a limit on file size": {t.TempDir(), []string{"/bin/sh", "-c", `ulimit -f 2; exec "$@"`, "sh"}}}
	if os.Geteuid() != 0 {
		return out
	}
	disk := t.TempDir()
	if said, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Logf("only the limit on file size is tried, because this root may not mount: %s", said)
		return out
	}
	t.Cleanup(func() { require.NoError(t, exec.Command("umount", disk).Run()) })
	full := os.WriteFile(filepath.Join(disk, "filler"), make([]byte, 1<<20), 0o600)
	require.ErrorIs(t, full, syscall.ENOSPC, fmt.Sprint(full))
	out["a full disk"] = place{dir: disk}
	return out
}
