package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"html"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/intruder"
)

// from is a dialer whose connections come from an address of this machine.
func from(address string) *net.Dialer {
	return &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}, Timeout: time.Minute}
}

// logged waits until slapd has written how each login from an address ended: it
// answers first.
func logged(t *testing.T, e *estate.Estate, address string, logins int) {
	t.Helper()
	accepted := regexp.MustCompile(` (conn=\d+) fd=\d+ ACCEPT from IP=` + regexp.QuoteMeta(address) + `:`)
	require.Eventually(t, func() bool {
		text, ended := readFile(t, e.Slapd.LogFile()), 0
		for _, c := range accepted.FindAllStringSubmatch(text, -1) {
			if regexp.MustCompile(` ` + c[1] + ` op=\d+ RESULT tag=97 .*\n`).MatchString(text) {
				ended++
			}
		}
		return ended == logins
	}, patience, tick, "%d logins from %s", logins, address)
}

// The intruder really uses what he took, before the campaign and after it; the
// logs that slapd and Vault write of that show him, with place and time.
func TestWhoUsedWhatWasStolenIsShownByTheLogsBeforeAndAfterItsRotation(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 3, AppRoles: 1, Bystanders: 1, Logs: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 5m}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	start := time.Now().Truncate(time.Second).Add(-time.Second)
	pick := func(kind string) intruder.Stolen {
		i := slices.IndexFunc(e.Stolen, func(s intruder.Stolen) bool { return s.Kind == kind })
		require.GreaterOrEqual(t, i, 0)
		return e.Stolen[i]
	}
	account, role := pick(intruder.LDAP), pick(intruder.AppRole)
	bind := func(address string) error {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(e.Slapd.CA))
		c, err := ldap.DialURL(e.Slapd.LDAPS(), ldap.DialWithDialer(from(address)), ldap.DialWithTLSConfig(&tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}))
		require.NoError(t, err)
		defer c.Close()
		return c.Bind(account.DN, account.Password)
	}
	logIn := func(roleID, secretID string) int {
		client := &http.Client{Transport: &http.Transport{DialContext: from("127.0.0.66").DialContext}}
		body, err := json.Marshal(map[string]string{"role_id": roleID, "secret_id": secretID})
		require.NoError(t, err)
		got, err := client.Post(e.Vault.Address()+"/v1/auth/approle/login", "application/json", strings.NewReader(string(body)))
		require.NoError(t, err)
		require.NoError(t, got.Body.Close())
		return got.StatusCode
	}
	require.NoError(t, bind("127.0.0.2"))  // the device
	require.NoError(t, bind("127.0.0.66")) // the intruder
	require.Equal(t, 200, logIn(role.RoleID, role.Password))
	require.Equal(t, 400, logIn("somebody-else", account.Password)) // one value, as another account
	logged(t, e, "127.0.0.2", 1)
	logged(t, e, "127.0.0.66", 1)

	look := func(more ...string) (r judge.Result, all []string) {
		got := u.run(append([]string{"evidence", "-o", "json", "--window", start.Format(time.RFC3339) + "..", "--device", "127.0.0.2", "--usual", "127.0.0.1",
			e.Slapd.LogFile(), e.Vault.AuditFile()}, more...)...)
		require.Equal(t, 2, got.code, got.err)
		require.NoError(t, json.Unmarshal([]byte(got.out), &r))
		for _, f := range r.Findings {
			require.NotContains(t, got.out, account.Password)
			require.NotContains(t, got.out, role.Password)
			if f.Address == "127.0.0.66" {
				all = append(all, string(f.Grade)+" "+string(f.Code)+" "+f.Credential+f.ValueOf)
			}
			require.WithinDuration(t, time.Now(), f.Last, 30*time.Minute)
		}
		return r, all
	}
	r, all := look("--audit-device", "file")
	require.ElementsMatch(t, []string{"probable used-elsewhere " + account.ID, "probable used-elsewhere " + role.ID, "confirmed value-tried " + account.ID}, all)
	for _, use := range r.Uses {
		if use.Credential == account.ID {
			require.Equal(t, 1, use.Device.Count, "the device's own use is no finding, and is told")
			require.Equal(t, 1, use.Elsewhere.Count)
		}
	}
	require.Empty(t, r.Missing)

	u.must("run")
	require.Error(t, bind("127.0.0.66"))
	logged(t, e, "127.0.0.66", 2)
	require.Equal(t, 400, logIn(role.RoleID, role.Password))
	r, all = look("--campaign", "latest")
	require.Contains(t, all, "probable tried-after-rotation "+account.ID)
	require.Contains(t, all, "probable used-elsewhere "+account.ID)
	_, all = look("--campaign", "latest", "--audit-device", "file")
	require.Contains(t, all, "probable tried-after-rotation "+role.ID, "by its role-id")
	for _, s := range r.Sources {
		require.Zero(t, s.Unreadable, "%+v", s)
	}

	// The page draws it all: who used what, when it died, and that it is tried.
	page := filepath.Join(t.TempDir(), "evidence.html")
	look("--campaign", "latest", "--html", page)
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	shown := html.UnescapeString(string(text))
	for _, want := range []string{"probable sign of use", "× used from elsewhere (probable)", "× tried after its death (probable)", "× let in: by the device, when it should be out of use (confirmed)", "× from a usual place", "× stolen value dead", account.DN, "127.0.0.66", e.Slapd.LogFile()} {
		require.True(t, strings.Contains(shown, want), "the page does not say %q", want)
	}
	require.NotContains(t, shown, account.Password)
	require.NotContains(t, shown, role.Password)
}
