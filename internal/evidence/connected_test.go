package evidence

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/judge"
)

// The intruder's address is met wherever a line has it: where nobody logs in,
// where the log does not name who did, and where it is another's failure.
func TestAnIndicatorIsMetWhereTheLogNamesNobody(t *testing.T) {
	const evil, name = "203.0.113.9", "host.evil.example"
	quiet := said(hour(11), "sshd[9]", "Accepted password for svc from 198.51.100.1 port 5 ssh2")
	for what, row := range map[string]struct{ lines, want string }{
		"an anonymous search": {syslog(hour(11), "ldap1", "conn=1000 fd=12 ACCEPT from IP="+evil+":40000 (IP=192.0.2.2:389)") +
			syslog(hour(11), "ldap1", `conn=1000 op=0 BIND dn="" method=128`) + syslog(hour(11), "ldap1", "conn=1000 op=0 RESULT tag=97 err=0 text=") +
			syslog(hour(11), "ldap1", `conn=1000 op=1 SRCH base="dc=x" scope=2 deref=0 filter="(uid=*)"`), "possible indicator-connected"},
		"an invalid user":               {quiet + said(hour(12), "sshd[9]", "Invalid user admin from "+evil+" port 4022"), "possible indicator-connected"},
		"a connection that closed":      {quiet + said(hour(12), "sshd[9]", "Connection closed by authenticating user root "+evil+" port 4022 [preauth]"), "possible indicator-connected"},
		"a key that was refused":        {quiet + said(hour(12), "sshd[9]", "Failed publickey for root from "+evil+" port 4022 ssh2: ED25519 SHA256:x"), "possible indicator-tried"},
		"let in without a name":         {quiet + said(hour(12), "postfix/smtpd[3]", "disconnect from unknown["+evil+"] ehlo=1 auth=1 quit=1 commands=3"), "probable indicator-let-in"},
		"a name of a host":              {quiet + said(hour(12), "postfix/smtpd[3]", "connect from "+name+"[198.51.100.7]"), "possible indicator-connected"},
		"an address of IPv6":            {quiet + said(hour(12), "sshd[9]", "Connection from ::ffff:"+evil+" port 4022 on 192.0.2.2 port 22"), "possible indicator-connected"},
		"a name that looks like it":     {quiet + said(hour(12), "sshd[9]", "Invalid user "+evil+" from 198.51.100.9 port 4022"), "possible indicator-mentioned"},
		"and like the rest of the line": {quiet + said(hour(12), "sshd[9]", "Connection closed by invalid user "+evil+" port 5 198.51.100.9 port 4022 [preauth]"), "possible indicator-mentioned"},
		"what a client says as it goes": {quiet + said(hour(12), "sshd[9]", "Received disconnect from 198.51.100.9 port 4022:11: from "+evil+" port 5"), "possible indicator-mentioned"},
		"behind what somebody typed":    {quiet + said(hour(12), "sshd[9]", "Invalid user 198.51.100.9 from "+evil+" port 4022"), "possible indicator-connected"},
		"in a name of mail":             {quiet + said(hour(12), "postfix/smtpd[3]", "NOQUEUE: reject: RCPT from unknown[198.51.100.9]: 554 5.7.1 x; helo=<["+evil+"]>"), "possible indicator-mentioned"},
		"nobody of them": {quiet + said(hour(12), "sshd[9]", "Invalid user admin from 198.51.100.9 port 4022") +
			said(hour(12), "sshd[9]", "Connection from 198.51.100.9 port 4022 on 192.0.2.2 port 22"), ""},
	} {
		o := byLogin(optionsFor(write(t, "syslog", row.lines)))
		o.Year = 2026
		o.Judge.Credentials[0].Accounts = o.Judge.Credentials[0].Accounts[:1]
		o.Judge.Indicators = &judge.Indicators{}
		require.NoError(t, o.Judge.Indicators.Read("iocs", strings.NewReader(evil+"\nevil.example\n")))
		r, err := Read(t.Context(), o)
		require.NoError(t, err, what)
		var got []string
		for _, f := range r.Findings {
			got = append(got, fmt.Sprintf("%s %s", f.Grade, f.Rule))
			require.NotContains(t, f.Words(), "%!")
			if f.Rule == "indicator-mentioned" {
				require.Contains(t, f.Words(), evil+" stands in a line about no login, where it may be what somebody typed")
			}
		}
		require.Equal(t, row.want, strings.Join(got, ", "), what)
	}
}
