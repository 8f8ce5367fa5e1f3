package database

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/doortest"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

type pooler struct {
	*office
	users map[string]string
	*lab.PgBouncer
}

// newPooler starts a PgBouncer. Its file has what the server has, but for one
// whose value was changed at the server alone, and one that the server does not
// have at all.
func newPooler(t *testing.T, s *office, auth string) *pooler {
	t.Helper()
	p := &pooler{office: s, users: map[string]string{"svc0012": "of-before", "of-the-file": "of-before"}}
	for _, role := range []string{"svc0001", "svc0002", "svc0003", "svc0011"} {
		p.users[role] = s.server.SeededPassword(role)
	}
	p.PgBouncer = doortest.Start(t, lab.StartPgBouncer, lab.PgBouncerOptions{Dir: t.TempDir(), CA: s.CA, Server: s.server, Auth: auth, Users: p.users})
	return p
}

func (p *pooler) door() door.Door {
	at := p.settings("")
	at.Address = p.Address()
	return OpenPostgres(at)
}

func TestWhatAPgBouncersAnswersMean(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	before := credential.NewSecret("of-before")
	for _, auth := range []string{"scram-sha-256", "md5", "plain"} {
		p := newPooler(t, s, auth)
		// By SCRAM a client is told that its value was right before the server
		// is asked for a session.
		behind := protocol.NotThisWay
		if auth == "scram-sha-256" {
			behind = protocol.Restricted
		}
		for _, row := range []struct {
			role         string
			value        credential.Secret
			right, wrong protocol.Reply
			why          string
		}{
			{"svc0001", s.right("svc0001"), protocol.Accepted, protocol.Refused, "right and wrong"},
			{"svc0002", s.right("svc0002"), behind, protocol.Refused, "NOLOGIN at the server"},
			{"svc0003", s.right("svc0003"), behind, protocol.Refused, "no connection left for the role at the server"},
			{"svc0012", before, behind, protocol.Refused, "the pooler takes it, and the server refuses it"},
			{"svc0012", s.right("svc0012"), protocol.Refused, protocol.Refused, "the server would take it, and the pooler refuses it"},
			{"of-the-file", before, behind, protocol.Refused, "unknown to the server"},
			{"nobody", wrong, protocol.Refused, protocol.Refused, "unknown to the pooler"},
		} {
			require.Equal(t, row.right, doortest.Ask(t, p.door(), row.role, row.value), "%s: %s", auth, row.why)
			require.Equal(t, row.wrong, doortest.Ask(t, p.door(), row.role, wrong), "%s: %s", auth, row.why)
		}
		_, err := p.door().(*Postgres).Software(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, protocol.Guest, doortest.Ask(t, newPooler(t, s, "trust").door(), "svc0001", wrong), "auth_type = trust")
}

func TestAPgBouncerTakesTheOldValueUntilItsFileIsChangedAndItIsReloaded(t *testing.T) {
	t.Parallel()
	s := newOffice(t)
	for _, auth := range []string{"scram-sha-256", "md5"} {
		role := map[string]string{"scram-sha-256": "svc0001", "md5": "svc0011"}[auth]
		p := newPooler(t, s, auth)
		old, changed := s.right(role), credential.NewSecret("of-after-"+auth)
		said := func(value credential.Secret) protocol.Reply { return p.door().Ask(t.Context(), role, value).Reply }
		kept := func(why string) {
			t.Helper()
			require.Equal(t, protocol.Accepted, said(old), why)
			require.Equal(t, protocol.Refused, said(changed), why)
		}
		require.Equal(t, protocol.Accepted, said(old))
		require.NoError(t, s.server.Exec(t.Context(), fmt.Sprintf("ALTER ROLE %s PASSWORD '%s'", role, changed.Reveal())))
		require.Equal(t, protocol.Refused, doortest.Ask(t, OpenPostgres(s.settings("")), role, old))
		kept("the server has the new value")
		users := maps.Clone(p.users)
		users[role] = changed.Reveal()
		require.NoError(t, p.SetUsers(users))
		kept("its file has the new one, and it has not read it")
		p.Reload()
		require.Eventually(t, func() bool { return said(changed) == protocol.Accepted }, time.Minute, 20*time.Millisecond)
		require.Equal(t, protocol.Refused, said(old))
		require.Equal(t, protocol.Accepted, said(changed))
	}
}

func TestNothingFoulOfAPoolerIsAVerdict(t *testing.T) {
	t.Parallel()
	subject := newOffice(t)
	at := subject.settings("")
	at.TLS = door.ClearText
	refused := func(text string) string {
		body := "SFATAL\x00C08P01\x00M" + text + "\x00\x00"
		return "E\x00\x00\x00" + string(rune(len(body)+4)) + body
	}
	for says, want := range map[string]protocol.Reply{
		"R\x00\x00\x00\x08\x00\x00\x00\x03" + refused("password authentication failed"):                      protocol.Refused,
		"R\x00\x00\x00\x08\x00\x00\x00\x03" + refused("password authentication failed for user \"svc0001\""): protocol.NotThisWay,
		"R\x00\x00\x00\x08\x00\x00\x00\x03" + refused("SASL authentication failed"):                          protocol.NotThisWay,
		refused("password authentication failed"):                                                            protocol.NotThisWay,
		refused("unsupported startup parameter: search_path"):                                                protocol.NotThisWay,
	} {
		at.Address = doortest.Says(t, says)
		require.Equal(t, want, OpenPostgres(at).Ask(t.Context(), "svc0001", wrong).Reply, "%q", says)
	}
}
