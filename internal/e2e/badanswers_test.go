package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
)

// gatewayFile is a campaign of a device with a profile, whose lines are
// answered and whose manifest has a task.
const gatewayFile = `device: esg-01
profile: gateway.yaml
sources:
  - {name: people, type: manifest, file: tasks.yaml}
exclude:
  - {path: kv/apps/other#password, reason: it is another device's}
`

// What people write of the device, its profile and their tasks and that cannot
// be meant: one message each with its file and line, exit code 1, and nothing
// is begun.
func TestEachMistakeInWhatPeopleSayOfTheDeviceIsToldWithItsFileAndLine(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 1})
	api := e.Vault.Client()
	require.NoError(t, api.Sys().EnableAuthWithOptions("people", &vaultapi.EnableAuthOptions{Type: "userpass"}))
	const planted = "Pl4nted!s3cret"
	tomorrow := time.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	good := map[string]string{
		"campaign.yaml":         gatewayFile,
		"gateway.yaml":          strings.Replace(gateway, "kind: directory-bind, what: accounts for lookups", "kind: shared-secret, what: a shared secret", 1),
		"contained-esg-01.yaml": "device: esg-01\nhow: off\nat: 2023-06-08T08:00:00Z\nby: jo\n",
		"answers.yaml":          "device: esg-01\nprofile: gateway\nby: jo@desk\non: 2026-11-28\nanswers:\n  lookup: covered\n  seal: {none: no TLS}\n  users: {later: ask them, owner: jo, due: 2999-01-01}\n",
		"tasks.yaml":            "- {kind: shared-secret, name: radius, line: lookup, due: 8h, owner: people/alice}\n",
	}
	user := func(t *testing.T, files map[string]string) *user {
		mine := *e
		mine.Dir = t.TempDir()
		for name, text := range files {
			require.NoError(t, os.WriteFile(filepath.Join(mine.Dir, name), []byte(text), 0o600))
		}
		u := newUser(t, &mine, filepath.Join(mine.Dir, "campaign.yaml"))
		u.env = e.Environ()
		return u
	}
	u := user(t, good)
	u.must("init")
	(&people{u, api}).token("alice")
	require.Contains(t, u.must("answers", "check"), "3 lines, 1 covered, 1 none, 1 later, 0 unanswered")
	for name, c := range map[string]struct{ file, old, new, want string }{
		"an unknown profile":          {"campaign.yaml", "gateway.yaml", "barracuda-esq", "campaign.yaml:2: profile: no profile is called barracuda-esq; did you mean barracuda-esg?"},
		"an unknown line":             {"answers.yaml", "  seal:", "  seel:", "answers.yaml:7: profile gateway has no line seel; did you mean seal?"},
		"an unknown line of a row":    {"tasks.yaml", "line: lookup", "line: lokup", "tasks.yaml:1: line: profile gateway has no line lokup; did you mean lookup?"},
		"an unknown kind":             {"tasks.yaml", "shared-secret", "shared-sekret", "tasks.yaml:1: kind: must be"},
		"an unknown kind of line":     {"gateway.yaml", "kind: tls-key", "kind: tls-kee", "gateway.yaml:8: seal: kind: unknown word tls-kee; did you mean tls-key?"},
		"a line answered twice":       {"answers.yaml", "  seal: {none: no TLS}\n", "  seal: {none: no TLS}\n  seal: covered\n", "answers.yaml:8: seal: is answered twice, first on line 7"},
		"two answers to a line":       {"answers.yaml", "{none: no TLS}", "{none: no TLS, covered: yes it is}", "answers.yaml:7: seal: none: the line is answered twice here, as covered too"},
		"none beside credentials":     {"answers.yaml", "lookup: covered", "lookup: {none: nothing}", "answers.yaml:6: lookup (shared-secret): says none, and 1 credential of the roll answer it"},
		"covered by none":             {"answers.yaml", "{none: no TLS}", "covered", "answers.yaml:7: seal (tls-key): says covered, and no credential of the roll answers it"},
		"later without an owner":      {"answers.yaml", ", owner: jo", "", "answers.yaml:8: users: later needs an owner"},
		"later without a due date":    {"answers.yaml", ", due: 2999-01-01", "", "answers.yaml:8: users: later needs a due date"},
		"contained in the future":     {"contained-esg-01.yaml", "2023-06-08T08:00:00Z", tomorrow, "contained-esg-01.yaml:3: at: lies in the future"},
		"a value for an answer":       {"answers.yaml", "lookup: covered", "lookup: " + planted, "answers.yaml:6: lookup: must be covered, or a mapping"},
		"a value for a path":          {"campaign.yaml", "kv/apps/other#password", planted, "campaign.yaml:6: exclude[0].path: must be a Vault reference: mount/path#field"},
		"a value in a path of a task": {"tasks.yaml", "line: lookup", "path: " + planted, "tasks.yaml:1: path: must be a Vault reference"},
		"a value in a note":           {"answers.yaml", "no TLS", "'see https://jo:" + planted + "@ca'", "answers.yaml:7: seal: an address with a login in it"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			for name, text := range good {
				files[name] = text
			}
			require.Equal(t, 1, strings.Count(files[c.file], c.old), "%s of %s", c.old, c.file)
			files[c.file] = strings.Replace(files[c.file], c.old, c.new, 1)
			u := user(t, files)
			r := u.run("run")
			require.Equal(t, 1, r.code, r.out+r.err)
			require.Empty(t, r.out)
			require.Contains(t, r.err, c.want)
			require.NotContains(t, r.err, planted)
			left, err := os.ReadDir(u.e.Dir)
			require.NoError(t, err)
			for _, f := range left {
				require.True(t, files[f.Name()] != "" || f.Name() == "state", "%s was written", f.Name())
			}
			kept, err := api.Logical().List("rollcall/metadata/campaigns")
			require.NoError(t, err)
			require.Nil(t, kept, "no campaign was begun")
		})
	}
	gone := u.with("VAULT_TOKEN="+expiredToken(t, e)).run("tasks", "done", "radius", "--end", "1")
	require.Equal(t, 1, gone.code)
	require.Contains(t, gone.err, "the token is expired or revoked; log in again")
	future := u.run("contain", "--how", "off", "--at", tomorrow)
	require.Equal(t, 1, future.code)
	require.Contains(t, future.err, "--at lies in the future")
	require.Contains(t, u.run("contain", "--how", "off", "--at", "2023-06-08T08:00:00Z", "--note", "as https://jo:"+planted+"@fw says").err, "--note holds an address with a login in it")
	for flag, why := range map[string]string{"--override": "--override holds a token of Vault", "--unfit-doors": "--unfit-doors holds a token of Vault", "--unanswered": "--unanswered holds a token of Vault"} {
		r := u.run("run", flag, "hvs."+strings.Repeat("CAESIPL4", 6))
		require.Equal(t, 1, r.code, r.out+r.err)
		require.Contains(t, r.err, why)
		require.NotContains(t, r.err, "CAESIPL4")
	}
}
