package mail

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// office is a directory and a mail server in front of it.
type office struct {
	ca        *lab.CA
	directory *lab.Slapd
	mail      *lab.Dovecot
}

func newOffice(t *testing.T, o lab.DovecotOptions) *office {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s := &office{ca: ca}
	s.directory, err = lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Accounts: lab.SeedAccounts("svc-", 20)})
	require.NoError(t, err)
	t.Cleanup(stop(t, s.directory.Stop))
	o.Dir, o.CA, o.Directory = t.TempDir(), ca, s.directory
	s.mail, err = lab.StartDovecot(ctx, o)
	require.NoError(t, err)
	t.Cleanup(stop(t, s.mail.Stop))
	t.Cleanup(func() {
		if text, _ := os.ReadFile(s.mail.LogFile()); t.Failed() {
			t.Logf("%s", text)
		}
	})
	return s
}

func stop(t *testing.T, end func(context.Context) error) func() {
	return func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, end(ctx))
	}
}

func (s *office) settings(kind string) door.Settings {
	d := door.Settings{Type: kind, Address: s.mail.Address(kind), TLS: door.Types[kind].TLS[0], CA: string(s.ca.PEM), Timeout: 30 * time.Second}
	return d
}

func (s *office) change(t *testing.T, uid, attribute string, values ...string) {
	t.Helper()
	c, err := s.directory.AdminConn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	m := ldap.NewModifyRequest(s.directory.AccountDN(uid), nil)
	m.Replace(attribute, values)
	require.NoError(t, c.Modify(m))
}

// Each cell of the tables of IMAP and POP3, in both ways of securing them.
func TestWhatAMailServersAnswersMean(t *testing.T) {
	t.Parallel()
	s := newOffice(t, lab.DovecotOptions{AtOnce: true})
	right := func(uid string) credential.Secret { return credential.NewSecret(s.directory.SeededPassword(uid)) }
	wrong := credential.NewSecret("not-" + s.directory.SeededPassword("svc-0001"))
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
	require.NoError(t, s.directory.Stop(t.Context()))
	for _, kind := range kinds {
		require.Equal(t, protocol.Unreachable, ask(t, kind, "svc-0001", right("svc-0001")), "its directory is down: %s", kind)
		require.Equal(t, protocol.Unreachable, ask(t, kind, "svc-0001", wrong), "its directory is down: %s", kind)
	}
}
