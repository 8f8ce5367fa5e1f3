package logs

import (
	"context"
	"crypto/tls"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/lab"
)

func TestWhatSambaWritesIsReadLineForLineAndARefusalOfClearTextIsNowhere(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartSamba(ctx, lab.SambaOptions{Dir: t.TempDir(), CA: ca, Audit: true, Accounts: []lab.Account{{UID: "alice", Password: "right-Alice-1"}, {UID: "bob", Password: "right-Bob-1"}}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	connect := func(how, from, name, password string) (*ldap.Conn, error) {
		port := strings.Replace(how, "starttls", "ldap", 1)
		conn, err := s.DialFrom(from, port)
		require.NoError(t, err)
		if how == "ldaps" {
			conn = tls.Client(conn, trusts(ca))
		}
		c := ldap.NewConn(conn, how == "ldaps")
		c.Start()
		if how == "starttls" {
			require.NoError(t, c.StartTLS(trusts(ca)))
		}
		return c, c.Bind(name, password)
	}
	login := func(how, from, name, password string) error {
		c, err := connect(how, from, name, password)
		_ = c.Close()
		return err
	}
	alice := s.AccountDN("alice")
	var did []try
	for _, how := range []string{"ldaps", "starttls"} {
		require.NoError(t, login(how, "127.0.0.2", alice, "right-Alice-1"))
		require.NoError(t, login(how, "127.0.0.2", `EXAMPLE\ALICE`, "right-Alice-1"))
		require.Error(t, login(how, "127.0.0.3", s.LoginName("bob"), "wrong"))
		require.Error(t, login(how, "127.0.0.3", "hunter2", "wrong"))
		did = append(did, try{strings.ToLower(alice), "127.0.0.2", event.Accepted}, try{`example\alice`, "127.0.0.2", event.Accepted},
			try{`example\bob`, "127.0.0.3", event.Refused}, try{"hunter2", "127.0.0.3", event.Refused})
	}
	before, err := os.ReadFile(s.LogFile())
	require.NoError(t, err)
	require.Error(t, login("ldap", "127.0.0.4", alice, "right-Alice-1"), "in clear text, which it refuses")
	require.NoError(t, login("ldaps", "127.0.0.2", alice, "right-Alice-1"))
	did = append(did, try{strings.ToLower(alice), "127.0.0.2", event.Accepted})
	log, err := os.ReadFile(s.LogFile())
	require.NoError(t, err)
	lines1 := strings.Count(string(log[len(before):]), `"type": "Authentication"`)
	binder, err := connect("ldaps", "127.0.0.5", s.BinderDN, s.BinderPassword)
	require.NoError(t, err)
	defer binder.Close()
	reset := ldap.NewModifyRequest(s.AccountDN("bob"), nil)
	reset.Replace("unicodePwd", []string{inQuotes("New-Bob-12345")})
	require.NoError(t, binder.Modify(reset))
	admin, err := connect("ldaps", "127.0.0.6", s.AdminDN, s.AdminPassword)
	require.NoError(t, err)
	defer admin.Close()
	admins := "CN=Domain Admins,CN=Users," + s.BaseDN()
	member := ldap.NewModifyRequest(admins, nil)
	member.Add("member", []string{alice})
	require.NoError(t, admin.Modify(member))
	log, err = os.ReadFile(s.LogFile())
	require.NoError(t, err)
	require.Equal(t, 1, lines1, "one line for two logins")

	events, notes, unreadable := readText(t, "samba", string(log))
	require.Equal(t, did, triesOf(events, s.AdminDN, s.BinderDN), "in their order")
	require.Equal(t, []done{{`example\rollcall`, "127.0.0.5", event.Reset, strings.ToLower(s.AccountDN("bob")), ""}}, donesOf(events, "127.0.0.5"))
	require.Equal(t, []done{{`example\administrator`, "127.0.0.6", event.NewMember, strings.ToLower(alice), strings.ToLower(admins)}}, donesOf(events, "127.0.0.6"))
	require.Empty(t, unreadable)
	require.Empty(t, notes)
	lines := strings.Split(string(log), "\n")
	for _, e := range events {
		require.WithinDuration(t, time.Now(), e.At, 10*time.Minute)
		require.Contains(t, lines[e.Line-1], `"remoteAddress": "ipv4:`+e.Address.String())
		if e.Change != "" {
			continue
		}
		require.Contains(t, lines[e.Line-1], `"workstation": "DC1"`, "the domain controller's own name, whoever asks")
	}
	format, ok := Recognise([]byte(lines[events[0].Line-1]))
	require.True(t, ok)
	require.Equal(t, "samba", format.Name)
	require.Contains(t, format.CannotShow, event.ClearRefused)
}

func TestSambasLinesAreFoundBehindWhatElseItWrites(t *testing.T) {
	line := `{"timestamp": "2022-05-20T08:38:09.967130+0200", "type": "Authentication", "Authentication": {"version": {"major": 1, "minor": 2}, "eventId": 4625, "status": "NT_STATUS_ACCOUNT_LOCKED_OUT", "remoteAddress": "ipv6:2001:db8::1:56620", "authDescription": "simple bind", "clientDomain": null, "clientAccount": "EXAMPLE\\svc", "workstation": "DC01", "becameAccount": null, "mappedAccount": "svc", "mappedDomain": "EXAMPLE"}}`
	anonymous := `{"timestamp": "2022-05-20T08:38:09.967130+0200", "type": "Authentication", "Authentication": {"status": "NT_STATUS_OK", "remoteAddress": "unix:", "clientAccount": "", "becameAccount": "ANONYMOUS LOGON", "becameSid": "S-1-5-7"}}`
	events, notes, unreadable := readText(t, "samba", "[2022/05/20 08:38:09.967214,  3] ../../auth/auth_log.c:653(log_authentication_event_json)\n  JSON Authentication: "+line+"\n"+anonymous+"\n{\"timestamp\": \"cut off\n")
	require.Equal(t, []try{{`example\svc`, "2001:db8::1", event.Locked}}, triesOf(events))
	require.Equal(t, uint16(56620), events[0].Port)
	require.Equal(t, "2022-05-20T06:38:09.96713Z", events[0].At.UTC().Format(time.RFC3339Nano))
	require.Empty(t, notes)
	require.Len(t, unreadable, 1)
}

// inQuotes is the form of unicodePwd.
func inQuotes(password string) string {
	var out strings.Builder
	for _, r := range `"` + password + `"` {
		out.WriteByte(byte(r))
		out.WriteByte(0)
	}
	return out.String()
}
