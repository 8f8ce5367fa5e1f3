package logs

import (
	"context"
	"encoding/pem"
	"fmt"
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
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
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
	root := connect("127.0.0.5", s.AdminDN, s.AdminPassword)
	entry := "uid=made,ou=people," + s.BaseDN()
	make := ldap.NewAddRequest(entry, nil)
	make.Attribute("objectClass", []string{"inetOrgPerson"})
	make.Attribute("cn", []string{"made"})
	make.Attribute("sn", []string{"made"})
	require.NoError(t, root.Add(make))
	block, _ := pem.Decode(ca.PEM)
	both := ldap.NewModifyRequest(entry, nil)
	both.Add("userCertificate;binary", []string{string(block.Bytes)})
	both.Replace("description", []string{"x"})
	both.Replace("userPassword", []string{"theirs"})
	require.NoError(t, root.Modify(both))
	require.NoError(t, root.ModifyDN(ldap.NewModifyDNRequest(entry, "uid=moved", true, "")))
	require.NoError(t, root.Del(ldap.NewDelRequest("uid=moved,ou=people,"+s.BaseDN(), nil)))
	require.Error(t, root.Del(ldap.NewDelRequest("uid=moved,ou=people,"+s.BaseDN(), nil)), "it is gone")
	// A login that is refused leaves nobody, and nothing may be done as before.
	require.Error(t, other.Bind(s.AccountDN("bob"), "wrong"))
	require.Error(t, other.Modify(stolen))
	require.NoError(t, s.Stop(ctx))
	text, err := os.ReadFile(s.LogFile())
	require.NoError(t, err)
	events, notes, unreadable := readText(t, "openldap", string(text))
	require.Empty(t, unreadable)
	// Threads write out of order, of one connection too.
	require.ElementsMatch(t, []done{{binder, "127.0.0.2", event.Reset, bob, ""}, {binder, "127.0.0.2", event.Reset, alice, ""}}, donesOf(events, "127.0.0.2"))
	require.ElementsMatch(t, []done{{bob, "127.0.0.3", event.Reset, alice, ""}, {"", "127.0.0.3", event.Reset, alice, ""}}, donesOf(events, "127.0.0.3"))
	require.Equal(t, []done{{alice, "127.0.0.4", event.OwnChange, alice, ""}}, donesOf(events, "127.0.0.4"))
	by, moved := strings.ToLower(s.AdminDN), "uid=moved,ou=people,"+strings.ToLower(s.BaseDN())
	require.ElementsMatch(t, []done{
		{by, "127.0.0.5", event.Made, entry, ""},
		{by, "127.0.0.5", event.NewKey, entry, ""}, {by, "127.0.0.5", event.Reset, entry, ""},
		{by, "127.0.0.5", event.Renamed, entry, ""},
		{by, "127.0.0.5", event.Removed, moved, ""}, {by, "127.0.0.5", event.Removed, moved, ""},
	}, donesOf(events, "127.0.0.5"))
	for _, e := range events {
		if e.Change != "" && e.Address.String() != "127.0.0.5" {
			require.Equal(t, map[string]event.Outcome{"127.0.0.2": event.Accepted, "127.0.0.4": event.Accepted, "127.0.0.3": event.Failed}[e.Address.String()], e.Outcome)
			require.False(t, e.Login)
		}
	}
	require.Equal(t, map[event.Note]int{event.ByUnknown: 1}, notes)
}

func TestWhatDS389WritesOfChangesIsReadLineForLine(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
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
	var text []byte
	require.Eventually(t, func() bool { // another thread writes the answer
		text, err = os.ReadFile(s.AccessFile())
		_, after, found := strings.Cut(string(text), ` from 127.0.0.2 `)
		return err == nil && found && strings.Contains(after, " tag=97 ")
	}, patience, 20*time.Millisecond)
	reset := ldap.NewModifyRequest(s.AccountDN("bob"), nil)
	reset.Replace("userPassword", []string{"New-Bob-12345"})
	require.NoError(t, c.Modify(reset))
	root, err := ldap.DialURL(s.LDAPS(), ldap.DialWithDialer(&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.3")}}), ldap.DialWithTLSConfig(trusts(ca)))
	require.NoError(t, err)
	defer root.Close()
	require.NoError(t, root.Bind(s.AdminDN, s.AdminPassword))
	entry, moved := "uid=made,ou=people,"+s.BaseDN(), "uid=moved,ou=people,"+s.BaseDN()
	make := ldap.NewAddRequest(entry, nil)
	make.Attribute("objectClass", []string{"inetOrgPerson"})
	make.Attribute("cn", []string{"made"})
	make.Attribute("sn", []string{"made"})
	require.NoError(t, root.Add(make))
	require.NoError(t, root.ModifyDN(ldap.NewModifyDNRequest(entry, "uid=moved", true, "")))
	require.NoError(t, root.Del(ldap.NewDelRequest(moved, nil)))
	require.Eventually(t, func() bool { // what is not written when it is stopped is lost
		text, err = os.ReadFile(s.AccessFile())
		all := err == nil
		for _, tag := range changeTags {
			all = all && strings.Contains(string(text), fmt.Sprintf(" tag=%d ", tag))
		}
		return all
	}, patience, 20*time.Millisecond)
	events, _, unreadable := readText(t, "389ds", string(text))
	require.Empty(t, unreadable)
	require.Equal(t, []done{{strings.ToLower(s.BinderDN), "127.0.0.2", event.Modified, strings.ToLower(s.AccountDN("bob")), ""}}, donesOf(events, "127.0.0.2"))
	by := strings.ToLower(s.AdminDN)
	// Threads write out of order.
	require.ElementsMatch(t, []done{{by, "127.0.0.3", event.Made, strings.ToLower(entry), ""}, {by, "127.0.0.3", event.Renamed, strings.ToLower(entry), ""}, {by, "127.0.0.3", event.Removed, strings.ToLower(moved), ""}}, donesOf(events, "127.0.0.3"))
}

func TestAChangeIsOfWhoWasLoggedInEvenIfTheAnswerIsWrittenLater(t *testing.T) {
	const ask, say = ` op=%d BIND dn="cn=%s" method=128 version=3`, ` op=%d RESULT err=%d tag=97 nentries=0 dn="cn=%s"`
	const change, answer = ` op=%d MOD dn="cn=x"`, ` op=%d RESULT err=0 tag=103 nentries=0`
	for name, row := range map[string]struct {
		lines []string
		by    string
	}{
		"in order":                         {[]string{fmt.Sprintf(ask, 0, "a"), fmt.Sprintf(say, 0, 0, "a"), fmt.Sprintf(change, 1), fmt.Sprintf(answer, 1)}, "cn=a"},
		"the login's answer is late":       {[]string{fmt.Sprintf(ask, 0, "a"), fmt.Sprintf(change, 1), fmt.Sprintf(say, 0, 0, "a"), fmt.Sprintf(answer, 1)}, "cn=a"},
		"as somebody else since, late":     {[]string{fmt.Sprintf(ask, 0, "a"), fmt.Sprintf(say, 0, 0, "a"), fmt.Sprintf(ask, 1, "b"), fmt.Sprintf(change, 2), fmt.Sprintf(say, 1, 0, "b"), fmt.Sprintf(answer, 2)}, "cn=b"},
		"as somebody else only afterwards": {[]string{fmt.Sprintf(ask, 0, "a"), fmt.Sprintf(say, 0, 0, "a"), fmt.Sprintf(change, 1), fmt.Sprintf(ask, 2, "b"), fmt.Sprintf(say, 2, 0, "b"), fmt.Sprintf(answer, 1)}, "cn=a"},
		"refused since":                    {[]string{fmt.Sprintf(ask, 0, "a"), fmt.Sprintf(say, 0, 0, "a"), fmt.Sprintf(ask, 1, "b"), fmt.Sprintf(say, 1, 49, ""), fmt.Sprintf(change, 2), fmt.Sprintf(answer, 2)}, ""},
		"without an answer":                {[]string{fmt.Sprintf(ask, 0, "a"), fmt.Sprintf(change, 1), fmt.Sprintf(say, 0, 0, "a")}, "cn=a"},
	} {
		log := "[29/Nov/2026:22:10:32.1 +0000] conn=5 fd=64 slot=64 connection from 192.0.2.1 to 192.0.2.2\n"
		for _, line := range row.lines {
			log += "[29/Nov/2026:22:10:32.1 +0000] conn=5" + line + "\n"
		}
		events, _, _ := readText(t, "389ds", log)
		require.Equal(t, []done{{row.by, "192.0.2.1", event.Modified, "cn=x", ""}}, donesOf(events, "192.0.2.1"), name)
	}
}
