package intruder

import (
	"context"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

func TestASessionOfAStolenRoleIsKeptUntilSomebodyEndsIt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	accounts := lab.SeedAccounts("svc-", 3)
	s, err := lab.StartPostgres(ctx, lab.PostgresOptions{Dir: t.TempDir(), CA: ca, Accounts: accounts})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	var stolen []Stolen
	for _, a := range accounts {
		stolen = append(stolen, Stolen{ID: "db/" + a.UID, Kind: Postgres, Servers: []string{s.URL()}, CAPEM: s.CA, User: a.UID, Password: a.Password})
	}
	f := startIntruder(t, stolen...)
	for _, a := range accounts {
		f.out.waitFor(t, `"id":"db/`+a.UID+`","server":"`+s.URL()+`","via":"session"`, `"to":"accepted"`)
	}

	// Of the first all is ended, of the second the password alone was changed,
	// of the third the session alone was ended.
	end := func(role string) string {
		return "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '" + role + "'"
	}
	require.NoError(t, s.Exec(ctx, `ALTER ROLE "`+accounts[0].UID+`" PASSWORD 'another'`, end(accounts[0].UID),
		`ALTER ROLE "`+accounts[1].UID+`" PASSWORD 'another'`, end(accounts[2].UID)))
	f.out.waitFor(t, `"id":"db/`+accounts[0].UID+`","server":"`+s.URL()+`","via":"session"`, `"to":"refused"`)
	f.out.waitFor(t, `"id":"db/`+accounts[2].UID+`","server":"`+s.URL()+`","via":"session"`, `"to":"refused"`)
	dead := time.Now()
	require.Eventually(t, func() bool { return time.Since(dead) > 2*time.Millisecond }, time.Minute, time.Millisecond, "results are to the millisecond")
	results, sum := f.finish()
	require.Equal(t, 3, sum.Credentials)
	require.Equal(t, 2, sum.Open)

	broken := map[string]string{}
	for _, v := range Judge(results, []Death{{"db/" + accounts[0].UID, dead}, {"db/" + accounts[1].UID, dead}, {"db/" + accounts[2].UID, dead}}) {
		require.Equal(t, GotIn, v.What)
		broken[v.ID] = v.Via
	}
	require.Equal(t, map[string]string{"db/" + accounts[1].UID: Session, "db/" + accounts[2].UID: Login}, broken)
}

// Whoever hangs up while a session is asked must not end it by that, and call
// it ended then.
func TestASessionThatIsAskedWhileItHangsUpIsASessionStill(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	a := lab.SeedAccounts("svc-", 1)[0]
	s, err := lab.StartPostgres(ctx, lab.PostgresOptions{Dir: t.TempDir(), CA: ca, Accounts: []lab.Account{a}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	d, err := newDoor(doorKey{server: s.URL(), kind: Postgres, ca: s.CA})
	require.NoError(t, err)
	defer d.sessions.end()
	o := <-d.pool
	stolen := Stolen{User: a.UID, Password: a.Password}
	got, detail, word := o.try(ctx, newTarget(stolen, s.URL(), Login))
	require.Equal(t, accepted, got, detail)
	session := newTarget(stolen, s.URL(), Session)
	session.token = word

	admin, err := s.AdminConn(ctx)
	require.NoError(t, err)
	defer admin.Close(context.Background())
	var pid int
	require.NoError(t, admin.QueryRow(ctx, "SELECT pid FROM pg_stat_activity WHERE usename = $1", a.UID).Scan(&pid))
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	asking, hangUp := context.WithTimeout(ctx, 100*time.Millisecond)
	defer hangUp()
	answered := make(chan answer, 1)
	go func() {
		got, _, _ := o.try(asking, session)
		answered <- got
	}()
	<-asking.Done()
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	require.Equal(t, accepted, <-answered)
	got, detail, _ = o.try(ctx, session)
	require.Equal(t, accepted, got, detail)
}
