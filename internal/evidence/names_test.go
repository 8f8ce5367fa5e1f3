package evidence

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/evidence/judge"
)

// samba is a login of Samba's log.
func sambaLogin(how, address, workstation, account string) string {
	return fmt.Sprintf(`{"timestamp": "2026-01-01T12:00:00.000000+0000", "type": "Authentication", "Authentication": {"eventId": 4624, "status": "NT_STATUS_OK", "remoteAddress": %q, "authDescription": %q, "clientAccount": %q, "workstation": %q, "becameAccount": %[3]q, "becameSid": "S-1-5-21-1"}}`,
		address, how, account, workstation) + "\n"
}

// A log may have the device's name and no address of it.
func TestTheDeviceIsSeenByItsName(t *testing.T) {
	const netlogon, simple, member = "network", "simple bind", "ipv4:198.51.100.3:5"
	for name, row := range map[string]struct{ lines, want string }{
		"through a member server":    {sambaLogin(netlogon, member, "ESG-01", "other"), "probable not-on-roll 198.51.100.3 [name-said-by-client]"},
		"with backslashes":           {sambaLogin(netlogon, member, `\\esg-01`, "other"), "probable not-on-roll 198.51.100.3 [name-said-by-client]"},
		"its whole name":             {sambaLogin(netlogon, member, "esg-01.example.org", "other"), "probable not-on-roll 198.51.100.3 [name-said-by-client]"},
		"what is on the roll":        {sambaLogin(netlogon, member, "ESG-01", "svc"), ""},
		"and hides no one behind it": {sambaLogin(netlogon, "ipv4:203.0.113.9:5", "ESG-01", "svc"), "probable used-elsewhere 203.0.113.9 []"},
		"of another domain":          {sambaLogin(netlogon, member, "esg-01.evil.example", "other"), ""},
		"another":                    {sambaLogin(netlogon, member, "ESG-011", "other"), ""},
		"a simple bind's is the domain controller's own": {sambaLogin(simple, member, "ESG-01", "other"), ""},
		"no address at all":             {strings.ReplaceAll(sshd("Jan  1 12:00:00", "Accepted password for other from esg-01.example.org port 5 ssh2"), " h ", " dc1 "), "probable not-on-roll  [name-said-by-client]"},
		"a name that its address bears": {said(hour(12), "postfix/smtpd[3]", "4A: client=esg-01.example.org[198.51.100.3], sasl_method=PLAIN, sasl_username=other"), "confirmed not-on-roll 198.51.100.3 []"},
	} {
		o := byLogin(optionsFor(write(t, "a.log", row.lines)))
		o.Year = 2026
		o.Files[0].Authority, o.Files[0].Server = "corp", "dc1"
		o.Judge.DeviceNames, o.Judge.Usual = []string{"esg-01.example.org"}, []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
		r, err := Read(t.Context(), o)
		require.NoError(t, err, name)
		var got []string
		for _, f := range r.Findings {
			got = append(got, fmt.Sprint(f.Grade, " ", f.Code, " ", f.Address, " ", f.Doubts))
		}
		require.Equal(t, row.want, strings.Join(got, ", "), name)
		for _, f := range r.FromDevice {
			require.Equal(t, f.Address == "", f.Client != "", name)
		}
	}
}

// Vault says "permission denied" of a user whom it has locked, of a disabled
// entity and of an address that is not allowed.
func TestALoginThatVaultDeniesIsNoLockOutForSure(t *testing.T) {
	line := func(at time.Time, address, answer string) string {
		return fmt.Sprintf(`{"time":%q,"type":"response",%s"request":{"id":%q,"operation":"update","path":"auth/userpass/login/svc","mount_point":"auth/userpass/","remote_address":%q}}`, at.Format(time.RFC3339), answer, at.String(), address) + "\n"
	}
	o := optionsFor(write(t, "audit.log", line(hour(9), "198.51.100.1", `"auth":{"client_token":"hmac-sha256:1"},`)+line(hour(12), "203.0.113.9", `"error":"permission denied",`)))
	o.Judge.Credentials = []judge.Credential{{ID: "vault/userpass/svc", Name: "userpass/svc", Authority: "vault", Accounts: []judge.Account{{Form: event.VaultLogin, Name: "userpass/svc"}}}}
	r, err := Read(t.Context(), o)
	require.NoError(t, err)
	require.Len(t, r.Findings, 1)
	f := r.Findings[0]
	require.Equal(t, "possible locked-out lock-not-said denied", fmt.Sprint(f.Grade, " ", f.Code, " ", f.Rule, " ", f.Outcome))
	require.Contains(t, f.Words(), "userpass/svc was denied (locked, disabled or restricted, which the log does not tell apart) from 203.0.113.9")
	o.Judge.Credentials[0].Rotated = hour(10)
	r, err = Read(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, "probable tried-after-rotation", fmt.Sprint(r.Findings[0].Grade, " ", r.Findings[0].Code), "it was tried, whatever the answer")
}
