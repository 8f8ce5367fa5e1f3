package evidence

import (
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
)

// smbclient says WORKGROUP where nobody gave it a domain, Windows its own name,
// and a domain controller takes each for its own.
func TestARefusedLoginWithADomainThatClientsTypeByThemselvesIsPerhapsTheDomains(t *testing.T) {
	d := Domain{DNS: "corp.example", NetBIOS: "CORP"}
	for account, want := range map[string]event.Form{`WORKGROUP\svc-bk`: event.Login, `.\svc-bk`: event.Login, `KALI\svc-bk`: event.Login, `BRANCH\svc-bk`: event.Foreign} {
		e := event.Event{Form: event.Login, Account: account, Client: "kali", Outcome: event.Refused}
		d.ofDomain(&e)
		require.Equal(t, want, e.Form, account)
		if want == event.Login {
			require.Equal(t, []event.Doubt{event.ByDomain}, e.Doubts, account)
		}
		e = event.Event{Form: event.Login, Account: account, Client: "kali", Outcome: event.Accepted}
		d.ofDomain(&e)
		if account != `.\svc-bk` {
			require.Equal(t, event.Foreign, e.Form, "of what was let in the server says the domain: %s", account)
		}
	}
}
