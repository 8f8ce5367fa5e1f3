package logs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
)

// Each is a line that a server writes, and that was passed over.
func TestFormsThatServersWriteAreRead(t *testing.T) {
	const winHead, winTail = `<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Microsoft-Windows-ActiveDirectory_DomainService'/><EventID>2889</EventID><TimeCreated SystemTime='2022-10-12T10:00:00Z'/><Computer>dc1.corp.example</Computer></System><EventData>`, `</EventData></Event>`
	const vault = `{"time":"2022-10-12T10:00:00Z","type":"response","auth":{"client_token":"hmac-sha256:t"},"request":{"id":"1","path":"auth/userpass/login/anna","mount_point":"auth/userpass/","mount_type":"userpass","remote_address":"203.0.113.9"}}`
	for _, row := range []struct{ format, line, want string }{
		{"windows-xml", winHead + `<Data>203.0.113.9:5</Data><Data>CN=svc-bk,OU=svc,DC=corp,DC=example</Data>` + winTail, "CN=svc-bk,OU=svc,DC=corp,DC=example dn 203.0.113.9 unknown"},
		{"samba", `{"timestamp": "2022-10-12T10:00:00.000000+0000", "type": "Authorization", "Authorization": {"remoteAddress": "ipv4:203.0.113.9:5", "authType": "krb5", "domain": "CORP", "account": "svc-bk", "sid": "S-1-5-21-1-2-3-1104"}}`, `CORP\svc-bk login 203.0.113.9 accepted`},
		{"freeradius", `Wed Oct 12 10:00:02 2022 : Auth: (4)   Login OK: [svc-mail] (from client nas port 0 cli 203.0.113.9 via TLS tunnel)`, "svc-mail login 203.0.113.9 accepted"},
		{"freeradius", `Wed Oct 12 10:00:02 2022 : Auth: (6) Rejected in post-auth: [svc-mail] (from client nas port 0 cli 203.0.113.9)`, "svc-mail login 203.0.113.9"},
		{"freeradius", `Wed Oct 12 10:00:02 2022 : Auth: Invalid user: [svc-mail] (from client nas port 0 cli 203.0.113.9)`, "svc-mail login 203.0.113.9"},
		{"proftpd", `2022-10-12T10:00:00Z ftp proftpd[77]: ftp.example.com (ftp[203.0.113.9]) - USER svc-mail: Login successful.`, "svc-mail login 203.0.113.9 accepted"},
		{"vault-audit", "Oct 12 10:00:00 v1 vault[12]: " + vault, "userpass/anna vault-login 203.0.113.9 accepted"},
		{"vault-audit", "@cee: " + vault, "userpass/anna vault-login 203.0.113.9 accepted"},
		{"vault-audit", strings.Replace(vault, `"auth":{"client_token":"hmac-sha256:t"}`, `"response":{"auth":{"mfa_requirement":{"mfa_request_id":"x"}}}`, 1), "userpass/anna vault-login 203.0.113.9 value-right"},
	} {
		format, err := Named(row.format)
		require.NoError(t, err)
		var got []string
		p := format.New(Options{Clock: NewClock(2022, time.UTC), Event: func(e event.Event) {
			got = append(got, fmt.Sprint(e.Account, " ", e.Form, " ", e.Address, " ", e.Outcome))
		}, Note: func(event.Note, event.Place, string) {}})
		require.True(t, format.Recognises([]byte(row.line)), row.line)
		_, _, err = p.Line([]byte(row.line), event.Place{File: "x", Line: 1})
		require.NoError(t, err)
		p.Close()
		require.Len(t, got, 1, row.line)
		require.True(t, strings.HasPrefix(got[0], row.want), "%s: %s", row.line, got[0])
	}
}

func TestAnAddressOfAMappedLogMayHaveAPortOrBeOneOfSeveral(t *testing.T) {
	const said = " [address-said-by-client]"
	for text, want := range map[string]string{
		"203.0.113.9": "203.0.113.9 0 [] false []", "203.0.113.9:4444": "203.0.113.9 4444 [] false []", "[2001:db8::1]:44": "2001:db8::1 44 [] false []", "2001:db8::1": "2001:db8::1 0 [] false []",
		"unknown": "invalid IP 0 [] false []", "": "invalid IP 0 [] false []",
		"203.0.113.9, 10.0.0.1":              "203.0.113.9 0 [10.0.0.1] false" + said,
		"203.0.113.9:5 10.0.0.1,203.0.113.9": "203.0.113.9 5 [10.0.0.1] false" + said,
		"unknown, 203.0.113.9, 10.0.0.1":     "203.0.113.9 0 [10.0.0.1] true" + said,
		"x, y":                               "invalid IP 0 [] true" + said,
		`for="[2001:db8::1]:5";proto=https, For=10.0.0.1;by=10.0.0.2`: "2001:db8::1 5 [10.0.0.1] false" + said,
		strings.Repeat("1.1.1.1,", 20) + "203.0.113.9":                "1.1.1.1 0 [203.0.113.9] true" + said,
	} {
		var e event.Event
		mappedAddress(&e, text)
		require.Equal(t, want, fmt.Sprint(e.Address, " ", e.Port, " ", e.Others, " ", e.OthersUnread, " ", e.Doubts), text)
	}
}

// An audit device with log_raw writes tokens as they are.
func TestATokenThatIsNotHashedIsInNoEvent(t *testing.T) {
	var got []event.Event
	p := newVaultAudit(Options{Event: func(e event.Event) { got = append(got, e) }, Note: func(event.Note, event.Place, string) {}})
	const line = `{"time":"2022-10-12T10:00:00Z","type":"response","auth":{"client_token":"hvs.PLANTED","display_name":"userpass-anna","metadata":{"username":"anna"}},"request":{"id":"1","client_token":"hvs.PLANTED","path":"kv/data/x","mount_point":"kv/","remote_address":"203.0.113.9"}}`
	_, _, err := p.Line([]byte(line), event.Place{File: "x", Line: 1})
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.NotContains(t, fmt.Sprintf("%+v", got), "PLANTED")
}
