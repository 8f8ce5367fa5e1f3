package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
)

// goodFile is a campaign file without a mistake.
const goodFile = `device: esg-01
directories:
  corp:
    driver: openldap
    servers:
      - ldaps://ldap.example.org
    base: dc=example,dc=org
    bind:
      dn: cn=rollcall,dc=example,dc=org
      password: kv/infra/rollcall-bind#password
sources:
  - type: vault-kv
    prefix: kv/apps/esg-01
limits:
  batch: 20
  deadline: 4h
`

func TestEveryMistakeInACampaignFileIsToldWithItsLineAndNothingIsContacted(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name     string
		old, new string   // edits of the good file
		want     []string // one line each; LINE is that of the first edit
		never    string   // must not be repeated
	}{
		{"an unknown key", "limits:\n", "limits:\n  bach: 3\n", []string{"LINE+1: limits.bach: unknown key"}, ""},
		{"a duplicate key", "    base: dc=example,dc=org\n", "    base: dc=example,dc=org\n    base: dc=example,dc=com\n", []string{"LINE+1: "}, ""},
		{"a list for a word", "device: esg-01", "device: [esg-01]", []string{"LINE: device: is a list"}, ""},
		{"a word for a number", "batch: 20", "batch: twenty", []string{"LINE: limits.batch: must be a whole number from 1 to 500"}, ""},
		{"a word for a list", "    servers:\n      - ldaps://ldap.example.org\n", "    servers: ldaps://ldap.example.org\n", []string{"LINE: directories.corp.servers: "}, ""},
		{"a bad duration", "deadline: 4h", "deadline: tomorrow", []string{"LINE: limits.deadline: not a duration"}, ""},
		{"clear text", "ldaps://", "ldap://", []string{"LINE: directories.corp.servers: ldap:// sends passwords in clear text"}, ""},
		{"a secret in the file", "kv/infra/rollcall-bind#password", "Tr0ub4dor&3", []string{"LINE: password: a secret may not be written into this file"}, "Tr0ub4dor"},
		{"a secret in a URL", "ldaps://ldap.example.org", "ldaps://admin:Tr0ub4dor@ldap.example.org", []string{"a URL with a login in it"}, "Tr0ub4dor"},
		{"a file that is not there", "sources:\n", "sources:\n  - type: manifest\n    file: none.csv\n", []string{"LINE+2: sources[0].file: cannot read the file"}, ""},
		{"no YAML at all", "device: esg-01\n", "device: esg-01\n\t- x\n", []string{"campaign.yaml:"}, ""},
		{"several at once", "  batch: 20\n  deadline: 4h\n", "  batch: 0\n  deadline: 4\n  colour: red\n", []string{
			"LINE: limits.batch: ", "LINE+1: limits.deadline: ", "LINE+2: limits.colour: unknown key",
		}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			require.Equal(t, 1, strings.Count(goodFile, row.old))
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "campaign.yaml"), []byte(strings.Replace(goodFile, row.old, row.new, 1)), 0o600))
			first := 1 + strings.Count(goodFile[:strings.Index(goodFile, row.old)], "\n")
			u := &user{t: t, e: &estate.Estate{Dir: dir}, file: "campaign.yaml", state: filepath.Join(dir, "state"), env: []string{"VAULT_ADDR=http://127.0.0.1:1", "VAULT_TOKEN=x"}}
			for _, command := range []string{"run", "list", "doctor"} {
				r := u.run(command)
				require.Equal(t, 1, r.code, r.err)
				require.Empty(t, r.out)
				lines := strings.Split(strings.TrimSpace(r.err), "\n")
				require.Len(t, lines, len(row.want), r.err)
				for i, want := range row.want {
					for n := range 3 {
						want = strings.Replace(want, fmt.Sprintf("LINE+%d: ", n), fmt.Sprintf("campaign.yaml:%d: ", first+n), 1)
					}
					want = strings.Replace(want, "LINE: ", fmt.Sprintf("campaign.yaml:%d: ", first), 1)
					require.Contains(t, lines[i], want)
				}
				if row.never != "" {
					require.NotContains(t, r.err, row.never)
				}
			}
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, left, 1, "nothing was written")
		})
	}
	t.Run("no campaign file", func(t *testing.T) {
		dir := t.TempDir()
		u := &user{t: t, e: &estate.Estate{Dir: dir}, file: "campaign.yaml", state: dir}
		r := u.run("run")
		require.Equal(t, 1, r.code)
		require.Contains(t, r.err, "reading the campaign file: open campaign.yaml: no such file")
	})
}
