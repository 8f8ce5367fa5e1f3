package logs

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/evidence/event"
	"rollcall/internal/lab"
)

func TestWhatSlapdWritesOfChangesIsReadLineForLine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Stats: true, Accounts: []lab.Account{{UID: "alice", Password: "right"}, {UID: "bob", Password: "right"}}})
	begun(t, s, err)
	connect := func(from, dn, password string) *ldap.Conn {
		c, err := ldap.DialURL(s.LDAPS(), ldap.DialWithDialer(&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}), ldap.DialWithTLSConfig(trusts(ca)))
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close() })
		require.NoError(t, c.Bind(dn, password))
		return c
	}
	alice, bob := strings.ToLower(s.AccountDN("alice")), strings.ToLower(s.AccountDN("bob"))
	binder := strings.ToLower(s.BinderDN)
	admin := connect("127.0.0.2", s.BinderDN, s.BinderPassword)
	reset := ldap.NewModifyRequest(s.AccountDN("bob"), nil)
	reset.Replace("userPassword", []string{"new"})
	require.NoError(t, admin.Modify(reset))
	_, err = admin.PasswordModify(ldap.NewPasswordModifyRequest(s.AccountDN("alice"), "", "newer"))
	require.NoError(t, err)
	_, err = connect("127.0.0.4", s.AccountDN("alice"), "newer").PasswordModify(ldap.NewPasswordModifyRequest("", "newer", "newest"))
	require.NoError(t, err)
	other := connect("127.0.0.3", s.AccountDN("bob"), "new")
	stolen := ldap.NewModifyRequest(s.AccountDN("alice"), nil)
	stolen.Replace("userPassword", []string{"mine"})
	require.Error(t, other.Modify(stolen), "nobody let bob do so")
	// A login that is refused leaves nobody, and nothing may be done as before.
	require.Error(t, other.Bind(s.AccountDN("bob"), "wrong"))
	require.Error(t, other.Modify(stolen))
	require.NoError(t, s.Stop(ctx))
	text, err := os.ReadFile(s.LogFile())
	require.NoError(t, err)
	events, notes, unreadable := readText(t, "openldap", string(text))
	require.Empty(t, unreadable)
	require.Equal(t, []done{{binder, "127.0.0.2", event.Reset, bob, ""}, {binder, "127.0.0.2", event.Reset, alice, ""}}, donesOf(events, "127.0.0.2"))
	require.Equal(t, []done{{bob, "127.0.0.3", event.Reset, alice, ""}, {"", "127.0.0.3", event.Reset, alice, ""}}, donesOf(events, "127.0.0.3"))
	require.Equal(t, []done{{alice, "127.0.0.4", event.OwnChange, alice, ""}}, donesOf(events, "127.0.0.4"))
	for _, e := range events {
		if e.Change != "" {
			require.Equal(t, map[string]event.Outcome{"127.0.0.2": event.Accepted, "127.0.0.4": event.Accepted, "127.0.0.3": event.Failed}[e.Address.String()], e.Outcome)
			require.False(t, e.Login)
		}
	}
	require.Equal(t, map[event.Note]int{event.ByUnknown: 1}, notes)
}

func TestWhatDS389WritesOfChangesIsReadLineForLine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s, err := lab.StartDS389(ctx, lab.DS389Options{Dir: t.TempDir(), CA: ca, AccessLog: true, Accounts: []lab.Account{{UID: "alice", Password: "right-Alice-1"}, {UID: "bob", Password: "right-Bob-1"}}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	c, err := ldap.DialURL(s.LDAPS(), ldap.DialWithDialer(&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.2")}}), ldap.DialWithTLSConfig(trusts(ca)))
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.Bind(s.BinderDN, s.BinderPassword))
	reset := ldap.NewModifyRequest(s.AccountDN("bob"), nil)
	reset.Replace("userPassword", []string{"New-Bob-12345"})
	require.NoError(t, c.Modify(reset))
	var text []byte
	require.Eventually(t, func() bool { // what is not written when it is stopped is lost
		text, err = os.ReadFile(s.AccessFile())
		_, after, found := strings.Cut(string(text), `MOD dn="`+s.AccountDN("bob"))
		return err == nil && found && strings.Contains(after, " tag=103 ")
	}, 20*time.Second, 20*time.Millisecond)
	events, _, unreadable := readText(t, "389ds", string(text))
	require.Empty(t, unreadable)
	require.Equal(t, []done{{strings.ToLower(s.BinderDN), "127.0.0.2", event.Modified, strings.ToLower(s.AccountDN("bob")), ""}}, donesOf(events, "127.0.0.2"))
}
