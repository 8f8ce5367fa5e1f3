package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const completed = `device: esg-01
directories:
  corp:
    driver: openldap
    servers: [ldaps://ldap1.example.org, ldaps://ldap2.example.org]
    base: dc=example,dc=org
    bind: {dn: "cn=rollcall,dc=example,dc=org", password: kv/rollcall-bind#password}
sources:
  - {name: people, type: directory, directory: corp, filter: (objectClass=person)}
  - {name: rows, type: manifest, file: rows.csv}
waves:
  - {name: careful, account: "svc-*"}
ledger: {dir: records}
`

func TestTheShellIsOfferedWhatIsThere(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "campaign.yaml")
	require.NoError(t, os.WriteFile(file, []byte(completed), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rows.csv"), []byte("account,path\n\"uid=svc-mail,dc=example,dc=org\",kv/mail#password\nsvc-scan,kv/scan#password\n"), 0o600))
	for _, name := range []string{"esg-01-20261128T210000Z", "esg-01-20261129T080000Z", "other-20261129T080000Z", "esg-01-20261129T080000Z.html-pages", "esg-01-b-20261129T080000Z"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "records", name), 0o755))
	}
	offered := func(args ...string) []string {
		code, out, said := command(t, append([]string{"__complete", "-f", file}, args...)...)
		require.Zero(t, code, said)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		require.Equal(t, ":4", lines[len(lines)-1], "no files are offered besides")
		for i, l := range lines {
			lines[i], _, _ = strings.Cut(l, "\t")
		}
		return lines[:len(lines)-1]
	}
	campaigns := []string{"esg-01-20261128T210000Z", "esg-01-20261129T080000Z"}
	for _, command := range [][]string{{"report"}, {"status"}, {"ledger", "verify"}, {"ledger", "cat"}} {
		require.ElementsMatch(t, campaigns, offered(append(command, "")...), command)
	}
	// What logs show of the device has a ledger too, which has no status.
	for _, name := range []string{"esg-01-evidence", "other-evidence"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "records", name), 0o755))
	}
	for _, command := range [][]string{{"report"}, {"ledger", "verify"}, {"ledger", "cat"}, {"ledger", "key"}, {"ledger", "anchor"}} {
		require.Equal(t, []string{campaigns[1], campaigns[0], "esg-01-evidence"}, offered(append(command, "")...), command)
	}
	require.ElementsMatch(t, campaigns, offered("status", ""))
	require.Empty(t, offered("report", campaigns[0], ""), "it takes one")
	require.Equal(t, []string{campaigns[1]}, offered("report", "esg-01-20261129"))
	require.Equal(t, []string{"ldaps://ldap1.example.org:636", "ldaps://ldap2.example.org:636"}, offered("leave-out", "--server", ""))
	require.Equal(t, []string{"text", "json", "csv"}, offered("report", "-o", ""))
	require.Equal(t, []string{"text", "json"}, offered("status", "-o", ""))
	require.Equal(t, []string{"careful"}, offered("plan", "--wave", ""))
	require.Equal(t, []string{"people", "rows"}, offered("list", "--source", ""))
	require.Equal(t, []string{"svc-mail", "svc-scan"}, offered("list", "--only", "svc"), "by the names that people type, also before the first campaign")
	require.Equal(t, []string{"uid=svc-mail,dc=example,dc=org"}, offered("run", "--only", "uid"))
	require.Equal(t, []string{"corp"}, offered("leave-out", "--directory", ""))
	require.Empty(t, offered("leave-out", "--door", ""))
	require.Contains(t, offered("profiles", "show", ""), "barracuda-esg")
	for _, command := range []string{"show", "done"} {
		require.Empty(t, offered("tasks", command, ""), "no campaign was there, and files are no tasks")
	}
	require.Equal(t, []string{"ledger"}, offered("worker", "--role", "l"))
	require.Equal(t, []string{"debug", "info", "warn", "error"}, offered("run", "--log-level", ""))

	// A key pressed where there is no campaign file is no error.
	file = filepath.Join(dir, "none.yaml")
	require.Empty(t, offered("report", ""))
	require.Empty(t, offered("leave-out", "--server", ""))
}
