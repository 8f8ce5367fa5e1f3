package e2e

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/ledger"
)

// The intruder logs in with what he took, from an address of his own, and
// slapd's own log shows it. The campaign's ledger has the log's digest and that
// use, the credential goes first in its wave, and whoever has the files can
// verify it; the report says it beside the credential.
func TestWhatLogsShowIsInTheRecordAndWhatIsUsedGoesFirst(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 5, AppRoles: 1, Bystanders: 1, Logs: true})
	e.Directory = waitsLong
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 5m, batch: 1, parallel: 1}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.env = append(u.env, vaultWaitsLong)
	u.must("init")
	var plain credential.Roll
	require.NoError(t, json.Unmarshal([]byte(u.must("list", "-o", "json")), &plain))
	stolen := map[string]intruder.Stolen{}
	for _, s := range e.Stolen {
		stolen[s.ID] = s
	}
	lane := func(roll credential.Roll) (ids []string) {
		for _, c := range roll.Credentials {
			if c.Kind == credential.LDAPPassword && c.Wave == roll.Credentials[len(roll.Credentials)-1].Wave {
				ids = append(ids, c.ID)
			}
		}
		return ids
	}
	before := lane(plain)
	require.GreaterOrEqual(t, len(before), 3)
	used := stolen[before[len(before)-1]] // that would go last
	require.NotEmpty(t, used.DN)

	began := time.Now().UTC().Truncate(time.Second).Add(-time.Second)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(e.Slapd.CA))
	c, err := ldap.DialURL(e.Slapd.LDAPS(), ldap.DialWithDialer(from("127.0.0.66")), ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}))
	require.NoError(t, err)
	require.NoError(t, c.Bind(used.DN, used.Password))
	require.NoError(t, c.Close())
	logged(t, e, "127.0.0.66", 1)
	log := filepath.Join(e.Dir, "slapd-as-it-was.log")
	require.NoError(t, os.WriteFile(log, []byte(readFile(t, e.Slapd.LogFile())), 0o600))
	u = u.edited("{from: 2022-10-10, to: 2023-06-08}", "{from: "+began.Format(time.RFC3339)+"}").
		edited("containment: "+estate.Contained, "containment: {how: isolated, at: "+time.Now().UTC().Format(time.RFC3339Nano)+"}")
	got := u.run("evidence", "--device", "127.0.0.2", "--usual", "127.0.0.1", "-o", "json", log)
	require.Equal(t, 2, got.code, got.err)
	require.NoError(t, os.WriteFile(filepath.Join(e.Dir, "evidence.json"), []byte(got.out), 0o600))
	u = u.edited("sources:\n", "sources:\n  - {type: evidence, file: evidence.json, addresses: [127.0.0.2]}\n")

	got = u.run("plan")
	require.Contains(t, got.out, "first (1): signs of use by others, in logs")
	require.Contains(t, got.out, "probable, used-elsewhere, once")
	require.Contains(t, got.out, "from 127.0.0.66 (slapd-as-it-was.log:")
	got = u.run("run")
	require.Contains(t, []int{0, 2}, got.code, got.err)

	state := u.ledger()
	require.Len(t, state.Readings, 1)
	r := state.Readings[0]
	require.Equal(t, []any{1, "slapd-as-it-was.log", "openldap", sum(t, log)}, []any{len(r.Logs), r.Logs[0].Name, r.Logs[0].Format, r.Logs[0].SHA256})
	require.Equal(t, sum(t, filepath.Join(e.Dir, "evidence.json")), r.SHA256)
	is := state.Credential(used.ID)
	require.Len(t, is.Signs, 1)
	require.Equal(t, []any{"used-elsewhere", credential.Probable, []string{"127.0.0.66"}}, []any{is.Signs[0].Code, is.Signs[0].Grade, is.Signs[0].Addresses})
	for _, id := range before {
		other := state.Credential(id)
		require.Equal(t, ledger.Dead, other.Outcome, id)
		require.LessOrEqual(t, is.Announced, other.Announced, "what is used goes first: %s", id)
	}
	folders, err := filepath.Glob(filepath.Join(e.Dir, "ledger", "*", "ledger.json"))
	require.NoError(t, err)
	folder := filepath.Dir(folders[len(folders)-1])
	require.Contains(t, u.must("ledger", "verify", "--ledger", folder), "logs: reading "+r.ID+" of the file with sha256 "+r.SHA256+": 1 log, 1 sign of 1 credential")
	text := u.run("report").out
	require.Contains(t, strings.Join(strings.Fields(text), " "), "1 credential shows signs of use (1 probable); the logs cover")
	require.Contains(t, strings.Join(strings.Fields(text), " "), "No record is not \"not used\"")
	cat := u.must("ledger", "cat", "--ledger", folder)
	for dn := range e.Bystanders {
		require.False(t, slices.ContainsFunc(strings.Split(cat, "\n"), func(line string) bool { return strings.Contains(line, "evidence-") && strings.Contains(line, dn) }), dn)
	}
	require.NotContains(t, cat, e.Dir+"/slapd", "no folder of the operator's")
}

// sum is what sha256sum says of a file.
func sum(t *testing.T, file string) string {
	return fmt.Sprintf("%x", sha256.Sum256([]byte(readFile(t, file))))
}
