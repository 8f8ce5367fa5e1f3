package inventory

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/taken"
	"rollcall/internal/vault/ownmount"
)

// inLogs is what a log has of an account that the device used.
func inLogs(account string) Candidate {
	return Candidate{Kind: credential.LDAPPassword, Authority: "corp", Account: account, Reason: credential.Reason{Source: "logs", Type: config.FromEvidence, Detail: "seen"}}
}

// Whoever can write a line of a log names any account there, and would choose
// whom a campaign cuts off.
func TestWhatLogsAloneNameIsSetByNobodyUntilAPersonSaysSo(t *testing.T) {
	aliceIs := person("alice")
	alice := aliceIs.Name
	for name, row := range map[string]struct {
		found []Candidate
		file  func(*config.Campaign)
		left  []ownmount.Leftover
		want  string
	}{
		"logs alone": {[]Candidate{inLogs("alice")}, nil, nil, alice + " [] (logs) PROBLEM only-in-logs FINDING only-in-logs"},
		"several logs, by several names": {[]Candidate{inLogs("ALICE"), inLogs(alice), inLogs(uuidOf("alice"))}, nil, nil,
			alice + " [] (logs) PROBLEM only-in-logs FINDING only-in-logs"},
		"a person's list names it too":          {[]Candidate{inLogs("alice"), from(t, "list alice -")}, nil, nil, alice + " [kv/rollcall/corp/alice#password] (list logs) adopted"},
		"and where it lies":                     {[]Candidate{inLogs("alice"), from(t, "list alice kv/a#password")}, nil, nil, alice + " [kv/a#password] (list logs)"},
		"a secret's own word is tried as it is": {[]Candidate{inLogs("alice"), fromVault("alice", "a")}, nil, nil, alice + " [kv/a#password] (logs vault)"},
		"a person accepts it": {[]Candidate{inLogs("alice")}, func(c *config.Campaign) {
			c.Accept = []config.Accept{{Account: alice, Problem: credential.OnlyInLogs, Reason: "it is in its configuration"}}
		}, nil, alice + " [kv/rollcall/corp/alice#password] (logs) adopted FINDING only-in-logs"},
		"a person says where it lies": {[]Candidate{inLogs("alice")}, func(c *config.Campaign) {
			c.Confirm = []config.Confirm{{Account: alice, Path: credential.Path{Mount: "kv", Path: "a", Field: "password"}, Reason: "asked"}}
		}, nil, alice + " [kv/a#password] (campaign file logs)"},
		"another campaign's place for it is no person's word": {[]Candidate{inLogs("alice"), {Kind: credential.LDAPPassword, Authority: "corp", Account: "alice", Found: &aliceIs, Earlier: true,
			Path: &credential.Path{Mount: "kv", Path: "other", Field: "password"}, Reason: credential.Reason{Source: "rollcall", Type: "earlier"}}}, nil, nil,
			alice + " [kv/other#password] (logs) PROBLEM only-in-logs FINDING only-in-logs"},
		"what is staged for it may be in force": {[]Candidate{inLogs("alice")}, nil, []ownmount.Leftover{{ID: "corp/" + uuidOf("alice"), Campaign: "esg-01-1", Device: "esg-01"}},
			alice + " [kv/rollcall/corp/alice#password] (logs) adopted FINDING only-in-logs"},
		"it means two": {[]Candidate{inLogs("svc")}, nil, nil, "svc [] (logs) PROBLEM ambiguous FINDING ambiguous-account"},
		"it is gone":   {[]Candidate{inLogs("uid=gone," + base)}, nil, nil, "uid=gone," + base + " [] (logs) PROBLEM no-account FINDING path-without-account"},
	} {
		t.Run(name, func(t *testing.T) {
			backward := slices.Clone(row.found)
			slices.Reverse(backward)
			slices.SortStableFunc(backward, func(a, b Candidate) int { // what earlier campaigns left comes last
				return map[bool]int{true: 1}[a.Earlier] - map[bool]int{true: 1}[b.Earlier]
			})
			for _, found := range [][]Candidate{row.found, backward} {
				c := campaign()
				if row.file != nil {
					row.file(c)
				}
				roll, _, err := mergeAll(c, found, people(), nil, unfound{past: past{leftovers: row.left}})
				require.NoError(t, err)
				require.Len(t, roll.Credentials, 1)
				require.Equal(t, row.want, shown(roll, roll.Credentials[0]))
				require.Equal(t, roll.Credentials[0].Problem == credential.OnlyInLogs, roll.Credentials[0].Hearsay && !strings.Contains(row.want, "vault"))
			}
		})
	}
}

func TestAPersonMayTakeOffWhatALogNames(t *testing.T) {
	c := campaign()
	c.Exclude = []config.Exclude{{Account: person("alice").Name, Reason: "none of the device's"}, {Account: "uid=gone," + base, Reason: "a slip"}}
	roll, warnings, err := merge(c, []Candidate{inLogs("alice"), inLogs("uid=gone," + base)}, people(), nil)
	require.NoError(t, err)
	require.Empty(t, roll.Credentials)
	require.Empty(t, warnings)
	require.Len(t, roll.Excluded, 2)
}

// What a log says of a person's account must not make a service's of it, which
// nobody has to change at the next log-on.
func TestALogSaysNotWhetherAnAccountIsAPersons(t *testing.T) {
	c := campaign()
	c.Directories["corp"] = config.Directory{Driver: config.ActiveDirectory, Base: base}
	person := from(t, "people alice -")
	person.Kind = credential.UserPassword
	logs := inLogs("alice")
	logs.Kind = credential.ADPassword
	for _, found := range [][]Candidate{{person, logs}, {logs, person}} {
		roll, _, err := merge(c, found, people(), nil)
		require.NoError(t, err)
		require.Equal(t, credential.UserPassword, roll.Credentials[0].Kind)
		require.Empty(t, roll.Credentials[0].Problem)
		require.Empty(t, details(roll, roll.Credentials[0].ID, credential.FindingPersonAndService))
	}
}

func fromDevice(form event.Form, authority, account string) taken.Account {
	at := time.Date(2022, 11, 1, 2, 3, 4, 0, time.UTC)
	return taken.Account{Authority: authority, Form: form, Account: account, Outcome: event.Accepted, Grade: "confirmed", Rule: "let-in-from-device", Address: "192.0.2.10", Count: 1, First: at, Last: at, At: event.Place{File: "slapd.log", Line: 7}}
}

// A real directory and a real Vault say whom the names in a log mean.
func TestTheNamesOfALogMeanWhomTheAuthoritiesMeanByThem(t *testing.T) {
	servers(t)
	api := realVault.Client()
	require.NoError(t, api.Sys().EnableAuth("seen-roles", "approle", ""))
	_, err := api.Logical().Write("auth/seen-roles/role/esg", map[string]any{"token_policies": "default"})
	require.NoError(t, err)
	require.NoError(t, api.Sys().EnableAuth("seen-users", "userpass", ""))
	_, err = api.Logical().Write("auth/seen-users/users/gina", map[string]any{"password": "not used"})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, api.Sys().DisableAuth("seen-roles"))
		require.NoError(t, api.Sys().DisableAuth("seen-users"))
	})
	c := campaign()
	c.Directories["corp"] = corp()
	dn := func(uid string) string { return slapd.AccountDN(uid) }
	of := func(form event.Form, authority, account, credential string) taken.Account {
		f := fromDevice(form, authority, account)
		f.Credential = credential
		return f
	}
	c.Sources = []config.Source{{Name: "logs", Type: config.FromEvidence, File: "e.json", Seen: []taken.Account{
		fromDevice(event.DN, "corp", strings.ToUpper(dn("esg0001"))),
		fromDevice(event.Login, "corp", "esg0002"),
		fromDevice(event.Login, "", "esg0003"), // one directory: it is meant
		fromDevice(event.Login, "corp", "alice@example.org"),
		fromDevice(event.Login, "corp", "shared@example.org"),
		fromDevice(event.Login, "corp", `CORP\esg0004`),
		fromDevice(event.DN, "corp", "cn=config"),
		fromDevice(event.Login, "corp", "nobody-here"),
		fromDevice(event.Login, "corp", "*)(uid=*"),
		fromDevice(event.Foreign, "corp", `OTHER\esg0005`),
		fromDevice(event.Login, "erp", "esg0006"),
		fromDevice(event.VaultLogin, "vault", "seen-roles/esg"),
		fromDevice(event.VaultLogin, "vault", "seen-users/Gina"),
		fromDevice(event.VaultLogin, "vault", "seen-users/gone"),
		fromDevice(event.VaultLogin, "vault", "github/somebody"),
	}}}
	roll, warnings, err := listIn(t.Context(), c, openDirectory(t, c.Directories["corp"]), openVault(t, realVault.RootToken().Reveal()), "esg-01-1", time.Now())
	require.NoError(t, err)
	got := byName(roll)
	for _, name := range []string{dn("esg0001"), dn("esg0002"), dn("esg0003"), dn("alice"), "seen-roles/esg", "seen-users/gina"} {
		require.Equal(t, credential.OnlyInLogs, got[name].Problem, name)
		require.Empty(t, got[name].Paths)
		require.Equal(t, "let in from the device 192.0.2.10 at 2022-11-01T02:03:04Z, slapd.log:7 (confirmed: let-in-from-device)", got[name].Reasons[0].Detail)
	}
	require.Equal(t, credential.AppRoleSecretID, got["seen-roles/esg"].Kind)
	require.Equal(t, credential.UserpassPassword, got["seen-users/gina"].Kind)
	require.Equal(t, credential.Ambiguous, got["shared@example.org"].Problem)
	for name, says := range map[string]string{
		`CORP\esg0004`:    "is not in corp",
		"cn=config":       "is not in corp: deleted or renamed since, outside the base",
		"nobody-here":     "is not in corp",
		"*)(uid=*":        "is not in corp",
		`OTHER\esg0005`:   "is of another domain than the server whose log it is",
		"esg0006":         "is of erp, an authority that the campaign file does not have",
		"seen-users/gone": "is no login to Vault that is there",
		"github/somebody": "login to Vault",
	} {
		require.Equal(t, credential.NoAccount, got[name].Problem, name)
		require.Contains(t, details(roll, got[name].ID, credential.FindingNoAccount), says, name)
		require.Contains(t, details(roll, got[name].ID, credential.FindingNoAccount), "exclude: - {account: ", name)
	}
	require.Len(t, roll.Credentials, 15)
	require.False(t, slices.ContainsFunc(warnings, func(w Warning) bool { return w.Code == credential.FindingSourceEmpty }))

	// What was on the roll then is known by its id, whatever it is called now.
	c.Sources[0].Seen = []taken.Account{of(event.Other, "corp", "uid=called-so-then,"+base, got[dn("esg0001")].ID)}
	roll, _, err = listIn(t.Context(), c, openDirectory(t, c.Directories["corp"]), openVault(t, realVault.RootToken().Reveal()), "esg-01-1", time.Now())
	require.NoError(t, err)
	require.Len(t, roll.Credentials, 1)
	require.Equal(t, dn("esg0001"), roll.Credentials[0].Name)
}

// A name in a log of which nobody said whose it is, in a file of several
// directories.
func TestANameOfNoAuthorityStaysOnTheRollWithWhatToDo(t *testing.T) {
	c := campaign()
	c.Directories["plant"] = config.Directory{Driver: config.OpenLDAP, Base: "dc=plant"}
	cand := inLogs("alice")
	cand.Authority, cand.Assumed, cand.Kind = "", true, ""
	roll, _, err := merge(c, []Candidate{cand}, people(), nil)
	require.NoError(t, err)
	require.Equal(t, "alice [] (logs) PROBLEM no-account FINDING path-without-account", shown(roll, roll.Credentials[0]))
	require.Contains(t, details(roll, roll.Credentials[0].ID, credential.FindingNoAccount), "say before that log whose it is (corp=FILE), and run evidence again")
}

func TestWhatIsNotTakenUpIsAWarning(t *testing.T) {
	l := &lister{c: campaign()}
	s := config.Source{Name: "logs", Type: config.FromEvidence, NotTaken: taken.Rest{Tried: 7, Names: []string{"a", "b"}, Masked: 2, More: 3, Spelt: 1}}
	require.NoError(t, l.fromLogs(t.Context(), s))
	require.Equal(t, []credential.FindingCode{credential.FindingTriedOnly, credential.FindingLogsHaveMore}, []credential.FindingCode{l.warnings[0].Code, l.warnings[1].Code})
	require.Contains(t, l.warnings[0].Detail, "7 accounts were tried from the device and refused each time, so the device had no good value of them as far as those logs go, and nothing of that is taken up: a, b and 5 more")
	require.Contains(t, l.warnings[1].Detail, "of 2 logins from the device")
	require.False(t, credential.FindingTriedOnly.Incomplete())
	require.True(t, credential.FindingLogsHaveMore.Incomplete())

	l = &lister{c: campaign()}
	l.c.Accept = []config.Accept{{Source: "logs", Reason: "all of them are typing errors"}}
	require.NoError(t, l.fromLogs(t.Context(), s))
	require.Equal(t, credential.FindingAccepted, l.warnings[1].Code)
}

// What another device's campaign began is that one's to finish, and said.
func TestWhatAnotherDeviceHasStagedIsNoWordForWhatALogNames(t *testing.T) {
	left := []ownmount.Leftover{{ID: "corp/" + uuidOf("alice"), Campaign: "vpn-01-1", Device: "vpn-01"}}
	roll, warnings, err := mergeAll(campaign(), []Candidate{inLogs("alice")}, people(), nil, unfound{past: past{leftovers: left}})
	require.NoError(t, err)
	require.Equal(t, credential.OnlyInLogs, roll.Credentials[0].Problem)
	require.Equal(t, []credential.FindingCode{credential.FindingLeftStaged}, warningCodes(warnings))
}
