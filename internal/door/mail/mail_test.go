package mail

import (
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

// office is a directory and a mail server in front of it.
type office struct {
	doortest.Office
	mail *lab.Dovecot
}

func newOffice(t *testing.T, o lab.DovecotOptions) *office {
	t.Helper()
	s := &office{Office: doortest.NewOffice(t, lab.SlapdOptions{Accounts: lab.SeedAccounts("svc-", 20)})}
	o.Dir, o.CA, o.Directory = t.TempDir(), s.CA, s.Directory
	s.mail = doortest.Start(t, lab.StartDovecot, o)
	return s
}

func (s *office) settings(kind string) door.Settings {
	d := door.Settings{Type: kind, Address: s.mail.Address(kind), TLS: door.Types[kind].TLS[0], CA: string(s.CA.PEM), Timeout: 30 * time.Second}
	return d
}

func (s *office) change(t *testing.T, uid, attribute string, values ...string) {
	t.Helper()
	c, err := s.Directory.AdminConn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	m := ldap.NewModifyRequest(s.Directory.AccountDN(uid), nil)
	m.Replace(attribute, values)
	require.NoError(t, c.Modify(m))
}

// Each cell of the tables of IMAP and POP3, in both ways of securing them.
func TestWhatAMailServersAnswersMean(t *testing.T) {
	t.Parallel()
	s := newOffice(t, lab.DovecotOptions{AtOnce: true})
	right := func(uid string) credential.Secret { return credential.NewSecret(s.Directory.SeededPassword(uid)) }
	wrong := credential.NewSecret("not-" + s.Directory.SeededPassword("svc-0001"))
	s.change(t, "svc-0002", "title", "closed") // the field nologin
	kinds := []string{"imap", "imaps", "pop3", "pop3s"}
	ask := func(t *testing.T, kind, login string, value credential.Secret) protocol.Reply {
		at := s.settings(kind)
		var d door.Door = OpenIMAP(at)
		if kind[:3] == "pop" {
			d = OpenPOP3(at)
		}
		r := d.Ask(t.Context(), login, value)
		t.Logf("%s: %s", login, r.Code)
		return r.Reply
	}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			require.Equal(t, protocol.Accepted, ask(t, kind, "svc-0001", right("svc-0001")))
			require.Equal(t, protocol.Refused, ask(t, kind, "svc-0001", wrong))
			require.Equal(t, protocol.Accepted, ask(t, kind, "svc-0001", right("svc-0001")))
			require.Equal(t, protocol.Refused, ask(t, kind, "nobody-of-that-name", wrong))
			require.Equal(t, protocol.Refused, ask(t, kind, "svc-0002", wrong))
			if kind[:4] == "imap" {
				require.Equal(t, protocol.Restricted, ask(t, kind, "svc-0002", right("svc-0002")), "the value was right")
			}
		})
	}
	require.NoError(t, s.Directory.Stop(t.Context()))
	for _, kind := range kinds {
		require.Equal(t, protocol.Unreachable, ask(t, kind, "svc-0001", right("svc-0001")), "its directory is down: %s", kind)
		require.Equal(t, protocol.Unreachable, ask(t, kind, "svc-0001", wrong), "its directory is down: %s", kind)
	}
}
