package e2e

import (
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
	"rollcall/internal/evidence/judge"
)

// The device used an account that no source lists, and slapd's own log shows
// it. It comes onto the roll by that log, and nothing is set of it until a
// person says that it is the device's: a log is text, and whoever can write a
// line of it would choose whom a campaign cuts off.
func TestWhatTheDeviceUsedAndNoSourceListsIsTakenUpFromSlapdsLogAndDiesByAPersonsWord(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 3, AppRoles: 1, Bystanders: 3, Logs: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 5m}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	bind := func(address, dn string, password credential.Secret) error {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(e.Slapd.CA))
		c, err := ldap.DialURL(e.Slapd.LDAPS(), ldap.DialWithDialer(from(address)), ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}))
		require.NoError(t, err)
		defer c.Close()
		return c.Bind(dn, password.Reveal())
	}
	var others []string
	for dn := range e.Bystanders {
		if strings.HasSuffix(dn, e.Slapd.BaseDN()) {
			others = append(others, dn)
		}
	}
	slices.Sort(others)
	require.GreaterOrEqual(t, len(others), 3)
	used, forged, tried := others[0], others[1], others[2]

	began := time.Now().UTC().Truncate(time.Second).Add(-time.Second)
	require.NoError(t, bind("127.0.0.2", strings.ToUpper(used), e.Bystanders[used])) // the device
	require.Error(t, bind("127.0.0.2", tried, credential.NewSecret("not this one")))
	require.NoError(t, bind("127.0.0.66", forged, e.Bystanders[forged])) // its own consumer
	logged(t, e, "127.0.0.2", 2)
	logged(t, e, "127.0.0.66", 1)
	u = u.edited("{from: 2022-10-10, to: 2023-06-08}", "{from: "+began.Format(time.RFC3339)+"}").
		edited("containment: "+estate.Contained, "containment: {how: isolated, at: "+time.Now().UTC().Format(time.RFC3339Nano)+"}")

	// Somebody sends a line to the syslog: the other account, from the device.
	text, err := os.ReadFile(e.Slapd.LogFile())
	require.NoError(t, err)
	require.Contains(t, string(text), "127.0.0.66")
	log := filepath.Join(e.Dir, "as-it-came.log")
	require.NoError(t, os.WriteFile(log, []byte(strings.ReplaceAll(string(text), "127.0.0.66", "127.0.0.2")), 0o600))

	got := u.run("evidence", "--device", "127.0.0.2", log)
	require.Equal(t, 2, got.code, got.err)
	require.Contains(t, got.err, "2 accounts were used from the device and not on the roll")
	require.Contains(t, got.err, "sources: - {type: evidence, file: evidence-esg-01.json, addresses: [127.0.0.2]}")
	got = u.run("evidence", "--device", "127.0.0.2", "-o", "json", log)
	require.Equal(t, 2, got.code, got.err)
	require.NotContains(t, got.out, e.Bystanders[used].Reveal())
	found := filepath.Join(e.Dir, "evidence-esg-01.json")
	require.NoError(t, os.WriteFile(found, []byte(got.out), 0o600))
	var r judge.Result
	require.NoError(t, json.Unmarshal([]byte(got.out), &r))
	require.Len(t, r.FromDevice, 3)

	with := u.edited("sources:\n", "sources:\n  - {type: evidence, file: evidence-esg-01.json, addresses: [127.0.0.2]}\n")
	got = with.run("list", "-o", "json")
	require.Equal(t, 1, got.code, got.err)
	require.Contains(t, got.err, "(only-in-logs)")
	require.Contains(t, got.err, "warning: tried-from-device: source evidence: 1 account was tried from the device and refused each time")
	var roll credential.Roll
	require.NoError(t, json.Unmarshal([]byte(got.out), &roll))
	byDN := map[string]credential.Credential{}
	for _, c := range roll.Credentials {
		byDN[c.Name] = c
	}
	require.NotContains(t, byDN, tried)
	for _, dn := range []string{used, forged} {
		c := byDN[dn]
		require.Equal(t, credential.OnlyInLogs, c.Problem, dn)
		require.Empty(t, c.Paths)
		require.Len(t, c.Reasons, 1)
		require.Regexp(t, `^let in from the device 127\.0\.0\.2 at \S+Z, `+log+`:\d+ \(confirmed: let-in-from-device\)$`, c.Reasons[0].Detail)
	}

	// It found no person yet: nothing of either is set.
	got = with.run("run")
	require.Equal(t, 2, got.code, got.err)
	require.NoError(t, bind("127.0.0.1", used, e.Bystanders[used]))
	require.NoError(t, bind("127.0.0.1", forged, e.Bystanders[forged]))
	open := map[string]string{}
	for _, c := range with.ledger().Credentials {
		open[c.Name] = string(c.Reason)
	}
	require.Equal(t, "only-in-logs", open[used])
	require.Equal(t, "only-in-logs", open[forged])

	// Who takes the source out has not said that they are the device's, and
	// not that they are not.
	got = u.run("list")
	require.Equal(t, 1, got.code, got.err)
	require.Contains(t, got.err, used+" (no-longer-named)")

	said := with.edited("\nlimits:", fmt.Sprintf("\naccept:\n  - {account: %q, problem: only-in-logs, reason: it is in the device's configuration}\nexclude:\n  - {account: %q, reason: the other one's}\nlimits:", used, forged))
	said.must("run")
	require.Error(t, bind("127.0.0.1", used, e.Bystanders[used]), "the stolen value is dead")
	require.NoError(t, bind("127.0.0.1", forged, e.Bystanders[forged]), "and nobody was cut off whom a line named")
	delete(e.Bystanders, used)
	require.NoError(t, e.CheckBystanders(t.Context()))

	// It is made again while the campaign file names it: what is on the roll by
	// now is in it as before.
	got = said.run("evidence", "--device", "127.0.0.2", "-o", "json", "--campaign", "latest", log)
	require.Equal(t, 2, got.code, got.err)
	require.NoError(t, json.Unmarshal([]byte(got.out), &r))
	require.Len(t, r.FromDevice, 3)
	require.NoError(t, os.WriteFile(found, nil, 0o600))
	require.Equal(t, 2, said.run("evidence", "--device", "127.0.0.2", "-o", "json", log).code, "a shell has emptied it before it began")
	got = said.run("list")
	require.Equal(t, 1, got.code)
	require.Contains(t, got.err, "evidence-esg-01.json: is empty")
}
