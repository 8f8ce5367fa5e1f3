package mail

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/conn"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// office is a directory and a mail server in front of it.
type office struct {
	doortest.Office
	mail *lab.Dovecot
}

// The accounts of an office, by their numbers, that no server lets in as it
// does the others.
const locked, mustChange, expired = 3, 4, 5

func newOffice(t *testing.T, o lab.DovecotOptions) *office {
	t.Helper()
	accounts := lab.SeedAccounts("svc-", 20)
	accounts[locked-1].Attrs = map[string][]string{"pwdAccountLockedTime": {"000001010000Z"}}
	accounts[mustChange-1].Attrs = map[string][]string{"pwdReset": {"TRUE"}}
	s := &office{Office: doortest.NewOffice(t, lab.SlapdOptions{Accounts: accounts, Policy: lab.SlapdPolicy{MaxFailure: 100, MustChange: true}})}
	o.Dir, o.CA, o.Directory = t.TempDir(), s.CA, s.Directory
	s.mail = doortest.Start(t, lab.StartDovecot, o)
	return s
}

func (s *office) settings(kind string) door.Settings {
	d := door.Settings{Type: kind, Address: s.mail.Address(kind), TLS: door.Types[kind].TLS[0], CA: string(s.CA.PEM), Timeout: 30 * time.Second}
	return d
}

// Each cell of the tables of IMAP and POP3, in both ways of securing them.
func TestWhatAMailServersAnswersMean(t *testing.T) {
	t.Parallel()
	s := newOffice(t, lab.DovecotOptions{AtOnce: true})
	right := func(uid string) credential.Secret { return credential.NewSecret(s.Directory.SeededPassword(uid)) }
	wrong := credential.NewSecret("not-" + s.Directory.SeededPassword("svc-0001"))
	s.Change("svc-0002", "title", "closed") // the field nologin
	kinds := []string{"imap", "imaps", "pop3", "pop3s"}
	uid := func(n int) string { return fmt.Sprintf("svc-%04d", n) }
	askWithin := func(t *testing.T, kind, login string, value credential.Secret, within time.Duration) protocol.Reply {
		at := s.settings(kind)
		at.Timeout = within
		var d door.Door = OpenIMAP(at)
		if kind[:3] == "pop" {
			d = OpenPOP3(at)
		}
		r := d.Ask(t.Context(), login, value)
		t.Logf("%s: %s", login, r.Code)
		if within < 30*time.Second {
			require.Equal(t, conn.Silence, r.Code)
		}
		return r.Reply
	}
	ask := func(t *testing.T, kind, login string, value credential.Secret) protocol.Reply {
		return askWithin(t, kind, login, value, 30*time.Second)
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
	s.Expire(uid(expired))
	for _, kind := range kinds {
		for _, n := range []int{locked, expired} {
			require.Equal(t, protocol.Refused, ask(t, kind, uid(n), right(uid(n))), "a bind that is refused: the same as wrong, so it is the new value that gives a refusal its meaning")
			require.Equal(t, protocol.Refused, ask(t, kind, uid(n), wrong))
		}
		require.Equal(t, protocol.Accepted, ask(t, kind, uid(mustChange), right(uid(mustChange))), "a bind alone does not show it")
		require.Equal(t, protocol.Refused, ask(t, kind, uid(mustChange), wrong))
	}

	s.Directory.Process().Pause()
	for _, kind := range kinds {
		require.Equal(t, protocol.Unreachable, askWithin(t, kind, uid(1), right(uid(1)), time.Second), "its directory hangs: %s", kind)
		require.Equal(t, protocol.Unreachable, askWithin(t, kind, uid(1), wrong, time.Second), "its directory hangs: %s", kind)
	}
	s.Directory.Process().Resume()
	require.NoError(t, s.Directory.Stop(t.Context()))
	for _, kind := range kinds {
		require.Equal(t, protocol.Unreachable, ask(t, kind, "svc-0001", right("svc-0001")), "its directory is down: %s", kind)
		require.Equal(t, protocol.Unreachable, ask(t, kind, "svc-0001", wrong), "its directory is down: %s", kind)
	}
}
