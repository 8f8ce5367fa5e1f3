package rotation

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/database"
	"rollcall/internal/door/doortest"
	"rollcall/internal/door/opened"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// passing is one door that workers ask in turn, each with what Vault has of the
// ones before.
type passing struct {
	*testing.T
	door  door.Door
	at    door.Settings
	login string
	new   credential.Secret
	old   credential.Secret
	notes *vaultNotes
	now   time.Time
	asked int
	flush int // how often it was run
}

func (p *passing) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	p.asked++
	return p.door.Ask(ctx, login, value)
}

func (p *passing) Software(context.Context) (string, error) { return "", nil }

// pass is one by a worker of its own.
func (p *passing) pass() Verdict {
	v := atServers(p.login, "there")
	v.at.new, v.at.olds = p.new, []credential.Secret{p.old}
	rot := &Rotator{Now: func() time.Time { return p.now }, Authority: willing{}, Refusals: &Refusals{Notes: p.notes}}
	rot.AskDoors(p.Context(), []Verdict{v}, DoorAsker{
		Open:     func(string) (*opened.Door, error) { return &opened.Door{Door: p}, nil },
		Settings: func(string) door.Settings { return p.at },
		Flush: func(context.Context, credential.Credential, credential.DoorLogin) *credential.Finding {
			p.flush++
			return &credential.Finding{Code: credential.FindingFlushFailed, Detail: "door there: its flush exit code 1"}
		},
		Now: rot.Now,
	}, func() bool { return false })
	return v
}

// What is no refusal of the new value is kept by no cache: nothing is flushed
// for it, and the next pass asks, whichever worker makes it.
func TestAnAnswerThatIsNoRefusalBeginsNoFlushAndHoldsNothing(t *testing.T) {
	for _, answer := range []protocol.Reply{protocol.TooMany, protocol.NotThisWay, protocol.Guest, protocol.Restricted} {
		mail := &service{answers: map[string][]protocol.Reply{"a/new": {answer, protocol.Accepted}}}
		p := &passing{T: t, door: mail, at: door.Settings{Type: "imaps", Software: "dovecot", Flush: &door.Flush{}}, login: "a",
			new: credential.NewSecret("new"), old: credential.NewSecret("old"), notes: &vaultNotes{}, now: time.Now()}
		require.False(t, p.pass().Dead(), answer)
		require.Equal(t, 1, p.asked, answer)
		v := p.pass()
		require.True(t, v.Dead(), "%s: %+v", answer, v.Stop)
		require.Zero(t, p.flush, answer)
	}
}

// What an earlier version noted may be any of these: the try is kept, and
// nothing is run for it.
func TestARefusalThatAnEarlierVersionNotedIsKeptAndBeginsNoFlush(t *testing.T) {
	p := &passing{T: t, door: &service{}, at: door.Settings{Type: "imaps", Software: "dovecot", Flush: &door.Flush{}}, login: "a",
		new: credential.NewSecret("new"), old: credential.NewSecret("old"), notes: &vaultNotes{}, now: time.Now()}
	_, err := p.notes.NoteOnce(t.Context(), us, refusedTimes(1), "there", "a")
	require.NoError(t, err)
	require.Equal(t, protocol.ReasonDoorRefusesNew, p.pass().Stop.Reason)
	require.Zero(t, p.asked)
	require.Zero(t, p.flush)
}

// A worker that is killed between the two notes of a refusal leaves the first.
func TestARefusalIsKeptWhoseWorkerWasKilledBetweenItsNotes(t *testing.T) {
	p := &passing{T: t, door: &service{}, at: door.Settings{Type: "imaps", Software: "dovecot", Flush: &door.Flush{}}, login: "a",
		new: credential.NewSecret("new"), old: credential.NewSecret("old"), notes: &vaultNotes{}, now: time.Now()}
	_, err := p.notes.NoteOnce(t.Context(), us, toldNew, "there", "a")
	require.NoError(t, err)
	require.Equal(t, protocol.ReasonDoorRefusesNew, p.pass().Stop.Reason)
	require.Zero(t, p.asked)
	require.Equal(t, 1, p.flush)
}

// throughAPooler is a PgBouncer in front of a server, with a role at both.
func throughAPooler(t *testing.T, auth string) (p *passing, s *lab.Postgres, b *lab.PgBouncer, users map[string]string) {
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s = doortest.Start(t, lab.StartPostgres, lab.PostgresOptions{Dir: t.TempDir(), CA: ca, Accounts: lab.SeedAccounts("svc", 1)})
	users = map[string]string{"svc0001": s.SeededPassword("svc0001")}
	b = doortest.Start(t, lab.StartPgBouncer, lab.PgBouncerOptions{Dir: t.TempDir(), CA: ca, Server: s, Auth: auth, Users: users})
	at := door.Settings{Type: "postgres", Address: b.Address(), TLS: door.StartTLS, CA: string(ca.PEM), Timeout: 30 * time.Second, Flush: &door.Flush{}}
	return &passing{T: t, door: database.OpenPostgres(at), at: at, login: "svc0001", notes: &vaultNotes{}, now: time.Now(),
		new: credential.NewSecret("of-after"), old: credential.NewSecret(users["svc0001"])}, s, b, users
}

// A pooler that has the new value, before a server that lets nobody in: the
// value is right there, and is asked about in each pass until the server does.
func TestANewValueThatAPoolerFindsRightIsNoRefusal(t *testing.T) {
	t.Parallel()
	p, s, b, users := throughAPooler(t, "scram-sha-256")
	role := func(sql string) { require.NoError(t, s.Exec(t.Context(), "ALTER ROLE svc0001 "+sql)) }
	changed := maps.Clone(users)
	changed["svc0001"] = p.new.Reveal()
	require.NoError(t, b.SetUsers(changed))
	require.Eventually(t, func() bool {
		b.Reload()
		return p.door.Ask(t.Context(), "svc0001", p.new).Verified
	}, time.Minute, 50*time.Millisecond)
	p.notes.now = func() time.Time { return p.now }
	for range 3 { // the server behind has the old one still
		v := p.pass()
		require.Equal(t, protocol.ReasonDoorSilent, v.Stop.Reason, v.Stop.Detail)
	}
	require.Equal(t, 2, p.asked, "each may be a wrong login at the server behind, whose count nothing ends")
	p.now = p.now.Add(time.Hour)
	for range 2 {
		require.True(t, p.pass().Stop.Until.IsZero())
	}
	require.Equal(t, p.now.Add(time.Hour).UTC().Truncate(time.Second), p.pass().Stop.Until)
	require.Equal(t, 4, p.asked)
	p.now = p.now.Add(time.Hour)
	role(fmt.Sprintf("PASSWORD '%s' CONNECTION LIMIT 0", p.new.Reveal()))
	require.False(t, p.pass().Dead())
	role("CONNECTION LIMIT -1")
	var v Verdict
	require.Eventually(t, func() bool { v = p.pass(); return v.Dead() }, time.Minute, 50*time.Millisecond)
	require.Zero(t, p.flush)
}

// PgBouncer shows by its answer that it refuses by what it knows itself. That
// of a server it is not: nothing is kept there, so that nothing is run and the
// next pass asks.
func TestOnlyWhatAPoolerRefusesItselfIsFlushed(t *testing.T) {
	t.Parallel()
	p, s, _, _ := throughAPooler(t, "scram-sha-256")
	v := p.pass() // the file of the pooler has the old one alone
	require.Equal(t, protocol.ReasonDoorRefusesNew, v.Stop.Reason)
	require.Equal(t, 1, p.flush)
	require.Contains(t, v.Stop.Detail, "PgBouncer")
	require.False(t, v.Stop.Until.IsZero())
	p.pass()
	require.Equal(t, 1, p.asked, "the second try is kept")

	p.at.Address = fmt.Sprintf("127.0.0.1:%d", s.Port())
	p.door, p.notes, p.asked, p.flush = database.OpenPostgres(p.at), &vaultNotes{}, 0, 0
	v = p.pass()
	require.Equal(t, protocol.ReasonDoorRefusesNew, v.Stop.Reason)
	require.NotContains(t, v.Stop.Detail, "PgBouncer")
	require.True(t, v.Stop.Until.IsZero())
	require.NoError(t, s.Exec(t.Context(), fmt.Sprintf("ALTER ROLE svc0001 PASSWORD '%s'", p.new.Reveal())))
	v = p.pass()
	require.True(t, v.Dead(), "%+v", v.Stop)
	require.Zero(t, p.flush)
}
