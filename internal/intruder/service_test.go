package intruder

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
)

// street is a directory and the services in front of it, each of which keeps
// logins for an hour if it can.
type street struct {
	ca        *lab.CA
	directory *lab.Slapd
	services  []string // URLs
}

func newStreet(t *testing.T) *street {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	s := &street{ca: ca}
	stop := func(end func(context.Context) error) {
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			require.NoError(t, end(ctx))
		})
	}
	s.directory, err = lab.StartSlapd(ctx, lab.SlapdOptions{Dir: t.TempDir(), CA: ca, Accounts: lab.SeedAccounts("svc-", 2)})
	require.NoError(t, err)
	stop(s.directory.Stop)
	m, err := lab.StartDovecot(ctx, lab.DovecotOptions{Dir: t.TempDir(), CA: ca, Directory: s.directory, Cache: time.Hour, AtOnce: true})
	require.NoError(t, err)
	stop(m.Stop)
	f, err := lab.StartProFTPD(ctx, lab.ProFTPDOptions{Dir: t.TempDir(), CA: ca, Directory: s.directory})
	require.NoError(t, err)
	stop(f.Stop)
	w, err := lab.StartApache(ctx, lab.ApacheOptions{Dir: t.TempDir(), CA: ca, Directory: s.directory, Cache: true})
	require.NoError(t, err)
	stop(w.Stop)
	for _, name := range []string{"imap", "imaps", "pop3", "pop3s"} {
		s.services = append(s.services, name+"://"+m.Address(name))
	}
	s.services = append(s.services, "https://"+w.Address("https")+"/private", "ftp://"+f.Address("strict"), "ftps://"+f.Address("ftps"))
	t.Cleanup(func() {
		if text, _ := os.ReadFile(m.LogFile()); t.Failed() {
			t.Logf("%s", text)
		}
	})
	return s
}

func (s *street) stolen(uid string) []Stolen {
	value := s.directory.SeededPassword(uid)
	return []Stolen{
		{ID: "corp/" + uid, Kind: LDAP, Servers: []string{s.directory.LDAPS()}, CAPEM: s.directory.CA, DN: s.directory.AccountDN(uid), Password: value},
		{ID: "corp/" + uid, Kind: Service, Servers: s.services, CAPEM: string(s.ca.PEM), User: uid, Password: value},
	}
}

// login is one with a value of its own, as the owner of the account has.
func (s *street) login(t *testing.T, server, uid, value string) answer {
	t.Helper()
	d, err := newDoor(doorKey{server: server, kind: Service, ca: string(s.ca.PEM)})
	require.NoError(t, err)
	a, detail, _ := (<-d.pool).try(t.Context(), newTarget(Stolen{User: uid, Password: value}, server, Login))
	t.Logf("%s: %s %s", server, a, detail)
	return a
}

// A mail server or a web server with a cache goes on to take what the directory
// refuses, and then the owner of the account logs in with the new value.
// Whoever calls the stolen one dead by the directory alone is contradicted, at
// each service that took it.
func TestTheJudgeCatchesADeathThatWasProvedAtTheDirectoryAlone(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	const uid = "svc-0001"
	f := startIntruder(t, append(s.stolen(uid), s.stolen("svc-0002")...)...)
	for _, server := range s.services {
		f.out.waitFor(t, `"id":"corp/`+uid+`","server":"`+server+`"`, `"to":"accepted"`)
	}
	reset(t, s.directory, uid, "its-new-value")
	f.out.waitFor(t, `"id":"corp/`+uid+`","server":"`+s.directory.LDAPS()+`"`, `"to":"refused"`)
	refusedByDirectory := time.Now()
	const keep = 5 // Dovecot and Apache; ProFTPD keeps nothing
	for _, server := range s.services[keep:] {
		f.out.waitFor(t, `"id":"corp/`+uid+`","server":"`+server+`"`, `"to":"refused"`)
	}
	byService := func(results []Result) map[string]Life {
		out := map[string]Life{}
		for _, l := range Lives(results) {
			require.Equal(t, "corp/"+uid, l.ID, "the other value is in force")
			out[l.Server] = l
		}
		return out
	}
	require.Eventually(t, func() bool {
		f.send(Command{Command: Report})
		results, _, err := ReadResults(strings.NewReader(f.out.String()))
		require.NoError(t, err)
		now := byService(results)
		for _, server := range s.services[:keep] {
			if now[server].For < 100*time.Millisecond || !now[server].In {
				return false
			}
		}
		return true
	}, 2*time.Minute, 50*time.Millisecond, "it gets in at the mail server")
	for _, server := range s.services {
		require.Equal(t, accepted, s.login(t, server, uid, "its-new-value"))
	}
	for _, server := range s.services[:keep] {
		f.out.waitFor(t, `"id":"corp/`+uid+`","server":"`+server+`"`, `"to":"refused"`)
	}
	refusedByAll := time.Now()
	require.Eventually(t, func() bool { return time.Since(refusedByAll) > 2*time.Millisecond }, time.Minute, time.Millisecond, "results are to the millisecond")
	results, _ := f.finish()

	at := map[string]What{}
	for _, v := range Judge(results, []Death{{"corp/" + uid, refusedByDirectory}}) {
		at[v.Server] = v.What
	}
	require.Len(t, at, keep)
	for _, server := range s.services[:keep] {
		require.Equal(t, GotIn, at[server], server)
	}
	require.Empty(t, Judge(results, []Death{{"corp/" + uid, refusedByAll}}))
	last := byService(results)
	for i, server := range s.services {
		require.False(t, last[server].In, server)
		require.True(t, i >= keep || last[server].For >= 100*time.Millisecond, "%s: %s", server, last[server].For)
	}
}

// All services ask one directory, which counts.
func TestRefusalsAtAllServicesCountForOneAccount(t *testing.T) {
	all := &failures{shared: true}
	var targets []*target
	for _, server := range []string{"imaps://a", "smtps://a", "ftps://b", "https://c"} {
		s := newTarget(Stolen{ID: "a", Kind: Service}, server, Login)
		s.wrong = all
		targets = append(targets, s)
	}
	var tried []time.Duration
	for now := noon; now.Before(noon.Add(2 * time.Hour)); now = now.Add(time.Second) {
		for i, s := range targets {
			if !s.due(now) {
				continue
			}
			if i == 0 && now.Before(noon.Add(time.Minute)) { // a cache
				s.note(accepted, "", now)
				continue
			}
			s.note(refused, "", now)
			tried = append(tried, now.Sub(noon))
		}
	}
	require.Equal(t, []time.Duration{0, 0, 0, time.Minute}, tried[:4], "each says no once, for nobody knows that it will")
	require.Greater(t, len(tried), 15, "it never gives up")
	for i := range tried[quietAfter+1:] {
		require.GreaterOrEqual(t, tried[i+quietAfter+1]-tried[i+1], quietTime)
	}
}

// Until then nothing is learnt, and each try is a login at two servers.
func TestAServiceIsTriedAtLeisureUntilItsDirectoryRefusesTheValue(t *testing.T) {
	a := &alarm{}
	at := func(kind string) *target {
		s := newTarget(Stolen{ID: "a", Kind: kind}, "imaps://m", Login)
		s.alarm = a
		return s
	}
	server, service := at(LDAP), at(Service)
	tries := func(from time.Time) (n int) {
		for now := from; now.Before(from.Add(30 * time.Second)); now = now.Add(time.Second) {
			if service.due(now) {
				service.note(accepted, "", now)
				n++
			}
		}
		return n
	}
	require.Equal(t, 30, tries(noon), "it has no directory")
	a.asked.Store(true)
	require.Equal(t, 10, tries(noon.Add(time.Minute)))
	server.note(accepted, "", noon)
	require.True(t, server.due(noon), "the directory's own servers are asked all the time")
	service.note(noAnswer, "", noon.Add(2*time.Minute))
	require.True(t, service.due(noon.Add(2*time.Minute)))
	server.note(refused, "", noon)
	require.Equal(t, 30, tries(noon.Add(3*time.Minute)))
	server.note(accepted, "", noon)
	require.Equal(t, 30, tries(noon.Add(4*time.Minute)), "a server that lags is no reason to rest again")
}

func TestALifeIsCountedFromWhenTheWholeDirectoryRefuses(t *testing.T) {
	at := func(ms int) Stamp { return Stamp{noon.Add(time.Duration(ms) * time.Millisecond)} }
	res := func(server string, refusal, success, answer Stamp) Result {
		return Result{ID: "a", Server: server, Via: Login, FirstRefusal: refusal, LastSuccess: success, LastAnswer: answer}
	}
	one := res("ldaps://one", at(100), at(90), at(900))
	for name, row := range map[string]struct {
		results []Result
		want    []Life
	}{
		"in after it":                  {[]Result{one, res("imaps://m", at(500), at(400), at(900))}, []Life{{"a", "imaps://m", 300 * time.Millisecond, false}}},
		"out before it":                {[]Result{one, res("imaps://m", at(60), at(50), at(900))}, []Life{{"a", "imaps://m", 0, false}}},
		"never in":                     {[]Result{one, res("ftp://m", at(60), Stamp{}, at(900))}, []Life{{"a", "ftp://m", 0, false}}},
		"in still":                     {[]Result{one, res("imaps://m", Stamp{}, at(900), at(900))}, []Life{{"a", "imaps://m", 800 * time.Millisecond, true}}},
		"a replica is later":           {[]Result{one, res("ldaps://two", at(300), at(250), at(900)), res("imaps://m", at(500), at(400), at(900))}, []Life{{"a", "imaps://m", 100 * time.Millisecond, false}}},
		"a server took it again":       {[]Result{res("ldaps://one", at(100), at(350), at(900)), res("imaps://m", at(500), at(400), at(900))}, []Life{{"a", "imaps://m", 50 * time.Millisecond, false}}},
		"in force at a server":         {[]Result{one, res("ldaps://two", at(100), at(900), at(900)), res("imaps://m", at(500), at(400), at(900))}, nil},
		"no directory knows it":        {[]Result{res("imaps://m", at(500), at(400), at(900))}, nil},
		"a database's is no service's": {[]Result{one, res("postgresql://m", at(500), at(400), at(900))}, nil},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, row.want, Lives(row.results)) })
	}
}
