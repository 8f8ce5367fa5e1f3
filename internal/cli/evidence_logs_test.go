package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/evidence"
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/logs"
	"rollcall/internal/ledger"
	"rollcall/internal/record"
)

// In a domain another account may log in by what stands first in the DN of one
// of the roll.
func TestTheFirstPartOfADNIsNoLoginsNameWhereThatIsKnown(t *testing.T) {
	const dn = "CN=backup,OU=svc,DC=x"
	logins := func(all []judge.Credential) (out []judge.Account) {
		for _, a := range all[0].Accounts {
			if a.Form == event.Login {
				out = append(out, a)
			}
		}
		return out
	}
	domains := map[string]evidence.Domain{"corp": {}}
	roll, _ := rollForEvidence(&credential.Roll{Credentials: []credential.Credential{{ID: "corp/1", Subject: "1", Name: dn, LoginNames: []string{"svc-bk"}, Authority: "corp", Kind: credential.ADPassword}}}, domains)
	require.Equal(t, []judge.Account{{Form: event.Login, Name: "svc-bk"}}, logins(roll))
	state := &ledger.State{Credentials: []*ledger.CredentialState{{ID: "corp/1", Name: dn, Authority: "corp", Kind: credential.ADPassword}}}
	of, _ := ledgerForEvidence(state, domains)
	require.Equal(t, []judge.Account{{Form: event.Login, Name: "backup", Guess: true}}, logins(of))
	of, _ = ledgerForEvidence(state, nil)
	require.Equal(t, []judge.Account{{Form: event.Login, Name: "backup"}}, logins(of), "that is how others log in")
}

// listedIn is the state of a ledger that a roll of one credential is listed in.
func listedIn(c credential.Credential, rules int) *ledger.State {
	state := ledger.NewState()
	state.Add(0, ledger.Entry{ID: "x", Event: ledger.CampaignStarted, Campaign: "c", Rules: rules})
	for i, e := range record.Listed("c", []credential.Credential{c}, nil, time.Now()) {
		state.Add(uint64(i+1), e)
	}
	return state
}

func readWindows(t *testing.T, all []judge.Credential) *judge.Result {
	const event4624 = `<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-Security-Auditing'/><EventID>4624</EventID><TimeCreated SystemTime='2022-10-12T10:01:00.1234567Z'/><Computer>dc1.corp.example</Computer></System><EventData><Data Name='TargetUserName'>svc-bk</Data><Data Name='TargetDomainName'>CORP</Data><Data Name='IpAddress'>203.0.113.1</Data><Data Name='LogonType'>3</Data></EventData></Event>` + "\n"
	path := filepath.Join(t.TempDir(), "dc1.xml")
	require.NoError(t, os.WriteFile(path, []byte(event4624), 0o600))
	at := time.Date(2022, 10, 12, 0, 0, 0, 0, time.UTC)
	result, err := evidence.Read(t.Context(), evidence.Options{
		Files: []evidence.File{{Path: path}}, Drivers: map[string]string{"corp": "active-directory"}, Domains: map[string]evidence.Domain{"corp": {DNS: "corp.example"}},
		Judge: judge.Options{Credentials: all, Windows: []judge.Window{{From: at, To: at.Add(24 * time.Hour)}}, Now: at.Add(48 * time.Hour)},
	})
	require.NoError(t, err)
	return result
}

// In a domain what stands first in the DN is the CN, and logs have the name
// that logs in.
func TestARollOfALedgerKnowsWithWhatNameAnAccountLogsIn(t *testing.T) {
	domains := map[string]evidence.Domain{"corp": {DNS: "corp.example"}}
	c := credential.Credential{ID: "corp/1", Subject: "1", Name: "CN=Mail Backup,OU=svc,DC=corp,DC=example", Authority: "corp", Kind: credential.ADPassword,
		LoginNames: []string{"mail.backup@corp.example", "svc-bk"}, Logins: []credential.VaultLogin{{Mount: "ldap", Names: []string{"svc-bk"}}}}
	all, _ := ledgerForEvidence(listedIn(c, ledger.RulesNamed), domains)
	fresh, _ := rollForEvidence(&credential.Roll{Credentials: []credential.Credential{c}}, domains)
	require.Equal(t, fresh[0].Accounts, all[0].Accounts, "a listing knows no more")
	require.Contains(t, all[0].Accounts, judge.Account{Form: event.VaultLogin, Name: "ldap/svc-bk"})
	result := readWindows(t, all)
	require.Len(t, result.Findings, 1)
	require.Equal(t, judge.UsedElsewhere, result.Findings[0].Code)
	require.Equal(t, "corp/1", result.Findings[0].Credential)
	require.NotContains(t, fmt.Sprint(result.Sources[0].Notes), event.NotNamed)
}

func TestALedgerThatDoesNotSayWithWhatNameAnAccountLogsInIsALimitOfTheResult(t *testing.T) {
	domains := map[string]evidence.Domain{"corp": {DNS: "corp.example"}}
	c := credential.Credential{ID: "corp/1", Subject: "1", Name: "CN=Mail Backup,OU=svc,DC=corp,DC=example", Authority: "corp", Kind: credential.ADPassword}
	all, _ := ledgerForEvidence(listedIn(c, ledger.RulesContained), domains)
	result := readWindows(t, all)
	require.Empty(t, result.Findings)
	i := slices.IndexFunc(result.Sources[0].Notes, func(n judge.Noted) bool { return n.Note == event.NotNamed })
	require.GreaterOrEqual(t, i, 0)
	require.Equal(t, 1, result.Sources[0].Notes[i].Count)
	require.True(t, result.Gaps(), "so the exit code says it")
	require.NotEmpty(t, evidenceNotes[string(event.NotNamed)])

	c.Name, c.Kind = "uid=svc-bk,dc=x", credential.LDAPPassword
	all, _ = ledgerForEvidence(listedIn(c, ledger.RulesContained), nil)
	require.True(t, all[0].Unnamed, "it may log in to Vault by an auth mount of type ldap")
	all, _ = ledgerForEvidence(listedIn(c, ledger.RulesNamed), nil)
	require.False(t, all[0].Unnamed, "then it does not, and its DN has its name")
}

// Else a file that the only directory of its sort wrote would be nobody's.
func TestALogIsOfADirectoryByTheDriverThatTheCampaignFileSays(t *testing.T) {
	for _, f := range logs.Formats() {
		require.Subset(t, []string{config.OpenLDAP, config.DS389, config.ActiveDirectory}, f.Drivers, f.Name)
	}
}

func TestALogOfOnesOwnIsNotCalledAsOneThatIsKnown(t *testing.T) {
	c := &config.Campaign{Logs: []config.Log{{Name: "sso", Line: 3, Type: config.LogCSV, Separator: ";"}}}
	a := &app{file: "esg.yaml"}
	out, err := a.mappedLogs(c)
	require.NoError(t, err)
	require.Equal(t, "sso", out[0].Name)
	c.Logs[0].Name = "samba"
	_, err = a.mappedLogs(c)
	require.EqualError(t, err, "esg.yaml:3: logs.samba: a format that Rollcall reads by itself is called so; choose another name")
}
