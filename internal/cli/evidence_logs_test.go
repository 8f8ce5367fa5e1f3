package cli

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/evidence"
	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
	"rollcall/internal/evidence/logs"
	"rollcall/internal/ledger"
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
	roll, _ := rollForEvidence(&credential.Roll{Credentials: []credential.Credential{{ID: "corp/1", Subject: "1", Name: dn, Short: "svc-bk", Authority: "corp", Kind: credential.ADPassword}}})
	require.Equal(t, []judge.Account{{Form: event.Login, Name: "svc-bk"}}, logins(roll))
	state := &ledger.State{Credentials: []*ledger.CredentialState{{ID: "corp/1", Name: dn, Authority: "corp", Kind: credential.ADPassword}}}
	of, _ := ledgerForEvidence(state, map[string]evidence.Domain{"corp": {}})
	require.Equal(t, []judge.Account{{Form: event.Login, Name: "backup", Guess: true}}, logins(of))
	of, _ = ledgerForEvidence(state, nil)
	require.Equal(t, []judge.Account{{Form: event.Login, Name: "backup"}}, logins(of), "that is how others log in")
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
