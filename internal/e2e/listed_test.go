package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/report"
)

// A source that finds nothing, and an empty roll, are on the screen, in the
// ledger and in every report, and never exit code 0, unless a person accepted
// it.
func TestASourceThatFindsNothingIsNotExitCode0AndItsWarningTravels(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 2})
	whole, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	text, err := os.ReadFile(whole)
	require.NoError(t, err)
	head, _, _ := strings.Cut(string(text), "sources:")
	with := func(sources string) *user {
		file := filepath.Join(e.Dir, "campaign-x.yaml")
		require.NoError(t, os.WriteFile(file, []byte(head+sources), 0o600))
		return newUser(t, e, file)
	}
	const good = "\nsources:\n  - {name: kv, type: vault-kv, prefix: kv/apps/esg-01}\n"
	const mistyped = "  - {name: typo, type: vault-kv, prefix: kv/apps/esg01}\n"

	u := with(good + mistyped + quick)
	u.must("init")
	r := u.run("list")
	require.Equal(t, 2, r.code, r.out+r.err)
	require.Contains(t, r.err, "source-found-nothing: source typo found nothing")
	r = u.run("run")
	require.Equal(t, 2, r.code, r.out+r.err)
	require.Contains(t, r.err, "warning: source-found-nothing: source typo found nothing", "on the screen while it runs")
	require.Contains(t, r.out, "perhaps not all: source typo found nothing", "on the last screen")
	state := u.ledger()
	require.Len(t, state.Findings, 1)
	require.Equal(t, credential.FindingSourceEmpty, state.Findings[0].Code)
	require.Len(t, state.Open(), 0)
	doc := decode[report.Document](t, u.must("report", "-o", "json"))
	require.Equal(t, state.Findings, doc.Findings)
	page := filepath.Join(e.Dir, "r.html")
	u.must("report", "--html", page)
	html, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(html), "source typo found nothing")
	require.Contains(t, string(html), "Dead, but perhaps not all")

	m, err := lab.StartTmux()
	require.NoError(t, err)
	t.Cleanup(m.Stop)
	screen := u.at(m, 80, 200, true, "run", "--yes")
	requireSoon(t, "it ends", screen, func() bool { return strings.Contains(screen.words(), "ended with 2") })
	require.Equal(t, 1, strings.Count(screen.words(), "source typo found nothing"), "once on a terminal:\n%s", screen)
	screen.whole()

	u = with("\nsources:\n" + mistyped + quick)
	r = u.run("run")
	require.Equal(t, 2, r.code, r.out+r.err)
	require.Contains(t, r.out, "0 listed")
	require.Contains(t, r.out, "perhaps not all: no source found a credential")
	require.Equal(t, 2, u.run("plan").code)

	u = with(good + mistyped + "accept:\n  - {source: typo, reason: the device has none left}\n" + quick)
	r = u.run("run")
	require.Equal(t, 0, r.code, r.out+r.err)
	require.Contains(t, r.err, "which the campaign file accepts: the device has none left")

	t.Run("what is no account with a password of its own is left as it is, and told with its reason", func(t *testing.T) {
		admin, err := e.Slapd.AdminConn(t.Context())
		require.NoError(t, err)
		defer admin.Close()
		people, before := e.Slapd.PeopleDN(), map[string]string{}
		for dn, attrs := range map[string]map[string][]string{
			"ou=odd," + people:          {"objectClass": {"organizationalUnit"}},
			"uid=certificate," + people: {"objectClass": {"inetOrgPerson"}, "cn": {"x"}, "sn": {"x"}},
			"uid=elsewhere," + people:   {"objectClass": {"inetOrgPerson"}, "cn": {"x"}, "sn": {"x"}, "userPassword": {"{SASL}elsewhere@realm"}},
			"uid=alias," + people:       {"objectClass": {"alias", "extensibleObject"}, "aliasedObjectName": {e.Slapd.AccountDN("svc-esg-0001")}},
			"uid=smb," + people:         {"objectClass": {"inetOrgPerson", "sambaSamAccount"}, "cn": {"x"}, "sn": {"x"}, "sambaSID": {"S-1-5-21-1"}, "sambaNTPassword": {"00"}, "userPassword": {"Old-smb-1"}},
		} {
			add := ldap.NewAddRequest(dn, nil)
			for name, values := range attrs {
				add.Attribute(name, values)
			}
			add.Attribute("description", []string{"odd ones"})
			require.NoError(t, admin.Add(add), dn)
			before[dn] = passwordOf(t, admin, dn)
		}
		file := func(more string) *user {
			return with("\nsources:\n  - {name: odd, type: directory, directory: corp, filter: (description=odd ones)}\n" + more + quick)
		}
		r := file("").run("plan")
		require.Equal(t, 1, r.code, r.out+r.err)
		require.Contains(t, r.err, "cannot be rotated as listed and would stay open: ")
		require.Contains(t, r.out, "stays open: alias (1): The entry is an alias of an account\n    uid=alias,")
		r = file("").run("run")
		require.Equal(t, 2, r.code, r.out+r.err)
		for _, reason := range []string{"not-an-account", "no-password", "checked-elsewhere", "alias", "second-copy"} {
			require.Contains(t, r.out, reason+" (1): ")
		}
		for dn, password := range before {
			require.Equal(t, password, passwordOf(t, admin, dn), dn)
		}
		r = file("accept:\n  - {account: smb, problem: second-copy, reason: the overlay does it}\n").run("run")
		require.Equal(t, 2, r.code, r.out+r.err)
		require.Contains(t, r.out, "5 listed · 1 dead · 4 open")
	})
}

// passwordOf is userPassword as the server keeps it.
func passwordOf(t *testing.T, admin *ldap.Conn, dn string) string {
	t.Helper()
	res, err := admin.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 1, 10, false, "(objectClass=*)", []string{"userPassword"}, nil))
	require.NoError(t, err)
	return strings.Join(res.Entries[0].GetAttributeValues("userPassword"), " ")
}
