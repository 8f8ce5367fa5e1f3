package smb

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

func TestWhatADomainControllersAnswersMean(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s := doortest.Start(t, lab.StartSamba, lab.SambaOptions{Dir: t.TempDir(), CA: ca, Accounts: lab.SeedAccounts("svc", 7), Files: true})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer near.Close()
				far, err := s.DialSMB()
				if err != nil {
					return
				}
				defer far.Close()
				go func() { _, _ = io.Copy(far, near) }()
				_, _ = io.Copy(near, far)
			}()
		}
	}()
	at := door.Settings{Type: "smb", Address: l.Addr().String(), TLS: door.Itself, Timeout: 30 * time.Second}
	ask := func(uid string, value credential.Secret) protocol.Reply {
		t.Helper()
		return doortest.Ask(t, Open(at), uid, value)
	}
	right := func(uid string) credential.Secret { return credential.NewSecret(s.SeededPassword(uid)) }
	admin, err := s.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	change := func(uid, attribute, value string) {
		m := ldap.NewModifyRequest(s.AccountDN(uid), nil)
		m.Replace(attribute, []string{value})
		require.NoError(t, admin.Modify(m))
	}
	require.Eventually(t, func() bool { return ask("svc0001", right("svc0001")) == protocol.Accepted }, 2*time.Minute, 500*time.Millisecond, "its file server has not come up")
	change("svc0002", "userAccountControl", "514")
	change("svc0003", "userAccountControl", "512") // its password may expire
	change("svc0003", "pwdLastSet", "0")
	change("svc0004", "accountExpires", "116444736000000000")
	change("svc0005", "userWorkstations", "another")
	for range 3 {
		require.Equal(t, protocol.Refused, ask("svc0006", wrong))
	}
	for uid, row := range map[string]struct {
		right, wrong protocol.Reply
		why          string
	}{
		"svc0001": {protocol.Accepted, protocol.Refused, "right and wrong"},
		"svc0002": {protocol.Restricted, protocol.Refused, "disabled"},
		"svc0003": {protocol.MustChange, protocol.Refused, "must change"},
		"svc0004": {protocol.Restricted, protocol.Refused, "its account has expired"},
		"svc0005": {protocol.Restricted, protocol.Refused, "from another workstation alone"},
		"svc0006": {protocol.Locked, protocol.Locked, "locked, whatever the value"},
	} {
		require.Equal(t, row.right, ask(uid, right(uid)), row.why)
		require.Equal(t, row.wrong, ask(uid, wrong), row.why)
	}
	require.Equal(t, protocol.Refused, ask("nobody-of-that-name", wrong), "the same as wrong")

	// The password before the last is taken for an hour, and no good login with
	// the last one ends that: a second reset does.
	before := right("svc0007")
	reset := func() credential.Secret {
		is, err := s.ResetOnce(t.Context(), "svc0007")
		require.NoError(t, err)
		return credential.NewSecret(is)
	}
	first := reset()
	require.Equal(t, protocol.Accepted, ask("svc0007", first))
	require.Equal(t, protocol.Accepted, ask("svc0007", before))
	last := reset()
	require.Equal(t, protocol.Refused, ask("svc0007", before))
	require.Equal(t, protocol.Accepted, ask("svc0007", first))
	require.Equal(t, protocol.Accepted, ask("svc0007", last))

	require.NoError(t, s.Stop(t.Context()))
	require.Equal(t, protocol.Unreachable, ask("svc0001", right("svc0001")))
}
