package rotation

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/kind/ldappassword"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// addAlso makes one more live path, and the account accepts what it holds
// beside the rest, until it is set.
func (w *world) addAlso(name, value string) {
	w.addPath(name, value)
	for _, s := range w.servers {
		e, bare := s.entries[subject], variants(secret(value))[0].Reveal()
		e.also, e.history = append(e.also, bare), append([]string{bare}, e.history...)
	}
	w.own = append(w.own, w.cred.Paths[len(w.cred.Paths)-1])
}

// several has an account that accepts three values, two stale paths between
// theirs.
func several(servers int) *world {
	w := newWorld(servers, "P0")
	w.addPath("stale", "stale")
	w.addAlso("second", "P1")
	w.addForeign("foreign", "theirs")
	w.addAlso("third", "P2\n")
	w.stolen = append(w.stolen, "P2")
	return w
}

// TestEachPathThatTheAccountAcceptsTakesPart in one look, with each wrong login
// between two good ones, so that the second one in a row may lock.
func TestEachPathThatTheAccountAcceptsTakesPart(t *testing.T) {
	for _, locks := range []int{0, 2, 3, 5} {
		for name, story := range map[string]func() *world{
			"a server": func() *world { return several(1) }, "several servers": func() *world { return several(3) },
			"one that is stale is offered first": func() *world {
				w := newWorld(1, "P0")
				w.secrets["kv/app"].versions[0].fields["password"] = "stale"
				w.addPath("second", "P0")
				w.addAlso("third", "P1")
				return w
			},
			"one that may be read in two ways": func() *world {
				w := newWorld(1, "P0")
				w.addAlso("second", "P1")
				f := w.secrets["kv/second"].versions[0].fields
				f["password"], f["other"] = "part", "P1"
				return w
			},
		} {
			if locks == 2 && name == "one that is stale is offered first" {
				continue // nothing more is offered then
			}
			t.Run(fmt.Sprintf("%s, %d lock", name, locks), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := story()
					if w.maxFails = 3; locks > 0 {
						w.counts(locks)
					}
					var a Applied
					var dead bool
					for range 3 {
						if a, dead = w.pass(false); dead {
							break
						}
						<-time.After(pause)
					}
					require.True(t, dead, "%+v\n%s", a.Stop, w.story())
					require.Equal(t, protocol.ProofBind, a.Proof)
					require.Zero(t, w.lockouts, w.story())
					w.ended()
					w.kept(t, name)
					for _, p := range append(w.own, w.cred.Paths[len(w.cred.Paths)-1]) {
						require.Equal(t, w.write().inForce(), w.at(p), w.story())
					}
				})
			})
		}
	}
}

// TestNoFailureHasAPathLeftThatTheAccountAccepts where a few wrong logins lock
// it, and each moves the mark of an account whose password is older than what
// keeps when it was set.
func TestNoFailureHasAPathLeftThatTheAccountAccepts(t *testing.T) {
	for name, story := range map[string]func() *world{
		"one value, and a stale path": func() *world {
			w := newWorld(1, "P0")
			w.addPath("second", "stale")
			return w
		},
		"three values": func() *world { return several(1) },
	} {
		for _, locks := range []int{2, 3} {
			at := func(call int, f fault) *world {
				w := story().counts(locks)
				w.own = append(w.own, w.cred.Paths[0])
				w.write().mark = "/" + w.csn(0)
				w.faults[call] = f
				if _, dead := w.run(false); dead {
					w.ended()
				} else if w.write().inForce() != "P0" {
					w.fail("it was set, and is not at its end")
				}
				return w
			}
			synctest.Test(t, func(t *testing.T) {
				for call := range at(0, none).calls {
					for _, f := range allFaults {
						w := at(call+1, f)
						what := fmt.Sprintf("%s, the login number %d locks, call %d: %s", name, locks, call+1, f)
						require.Zero(t, w.lockouts, "%s\n%s", what, w.story())
						w.kept(t, what)
					}
				}
			})
		}
	}
}

// TestAPathThatWasNotAskedAboutIsNotLeftForStale, beside one that takes part
// whatever the account says.
func TestAPathThatWasNotAskedAboutIsNotLeftForStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, "P0").counts(1)
		w.cred.Confirmed = w.cred.Paths[:1]
		w.addAlso("second", "P1")
		a, _ := w.pass(false)
		require.NotNil(t, a.Stop, w.story())
		require.Equal(t, protocol.ReasonNearLock, a.Stop.Reason)
		require.Contains(t, a.Stop.Detail, "path 2 of 2")
		require.Equal(t, "P0", w.write().inForce())

		w.cred.Confirmed = w.cred.Paths
		a, dead := w.pass(false)
		require.True(t, dead, "%+v\n%s", a.Stop, w.story())
		require.Zero(t, w.lockouts)
		require.Equal(t, w.write().inForce(), w.live(1))
	})
}

// TestAPathThatWasWrittenAgainAndHoldsWhatIsAcceptedTakesPart after it was
// staged with a value that is not, although Vault keeps one version of it.
func TestAPathThatWasWrittenAgainAndHoldsWhatIsAcceptedTakesPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, "P0")
		w.addAlso("third", "P1")
		w.addPath("second", "stale")
		w.single = map[string]bool{"kv/second": true}
		w.events[callTryOld] = func(w *world) { w.strangerWrites(2, "P1") }
		a, dead := w.pass(false)
		require.True(t, dead, "%+v\n%s", a.Stop, w.story())
		require.Equal(t, w.write().inForce(), w.live(2), w.story())
	})
}

// twoValued is an account of which two values log in, each at a path, and a
// third path of which none is.
type twoValued struct {
	c      credential.Credential
	second string
	stale  credential.Path
}

// twoValues gives the nth account a second value, and two paths more.
func (r *real) twoValues(n int, add func(dn, value string)) twoValued {
	c := r.credential(n)
	return r.withTwo(c, add)
}

func (r *real) withTwo(c credential.Credential, add func(dn, value string)) twoValued {
	out := twoValued{second: "another-that-logs-in", stale: credential.Path{Mount: "kv", Path: "stale/" + c.Subject, Field: "password"}}
	second := credential.Path{Mount: "kv", Path: "second/" + c.Subject, Field: "password"}
	add(c.Name, out.second)
	r.store.put(out.stale, "long-gone")
	r.store.put(second, out.second)
	c.Paths = append(c.Paths, out.stale, second)
	c.Named = c.Paths
	out.c = c
	return out
}

// bothDead holds that both consumers read what logs in, and that both values
// are dead.
func (r *real) bothDead(v twoValued, a Applied, logsIn func(dn, password string) bool, first string) {
	r.Helper()
	require.True(r, a.Dead(), "%+v", a.Stop)
	require.Equal(r, protocol.ProofBind, a.Proof)
	require.Equal(r, []credential.FindingCode{credential.FindingStalePath}, codes(a.Findings))
	require.Equal(r, "path 2 of 3", a.Findings[0].Detail)
	for _, p := range []credential.Path{v.c.Paths[0], v.c.Paths[2]} {
		live, err := r.store.ReadLive(r.Context(), p, 0)
		require.NoError(r, err)
		require.True(r, logsIn(v.c.Name, live.Value.Reveal()), "who reads %s", p)
	}
	require.Equal(r, "long-gone", r.store.live[v.stale.String()].Value.Reveal())
	for _, stolen := range []string{first, v.second} {
		require.False(r, logsIn(v.c.Name, stolen))
	}
}

// An entry of OpenLDAP may hold several values of userPassword, each of which
// logs in.
func TestOnOpenLDAPBothPathsOfAnAccountWithTwoValuesGetTheNewOne(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		set string
		o   lab.SlapdOptions
	}{{"exop", lab.SlapdOptions{}}, {"replace", lab.SlapdOptions{}}, {"exop", lab.SlapdOptions{Policy: lab.SlapdPolicy{MaxFailure: 3}}}} {
		r := newReal(t, row.o)
		r.conf.Set = row.set
		v := r.twoValues(0, func(dn, value string) {
			r.admin(r.slapd, func(conn *ldap.Conn) error {
				m := ldap.NewModifyRequest(dn, nil)
				m.Add("userPassword", []string{value})
				return conn.Modify(m)
			})
		})
		logsIn := func(dn, password string) bool { return r.logsIn(r.slapd, dn, password) }
		require.True(t, logsIn(v.c.Name, v.second))
		require.True(t, logsIn(v.c.Name, r.accounts[0].Password))
		r.bothDead(v, r.run([]credential.Credential{v.c}, nothing)[0], logsIn, r.accounts[0].Password)
	}
}

// So may one of 389 Directory Server, also where the third wrong login in a row
// locks it.
func TestOn389DirectoryServerBothPathsOfAnAccountWithTwoValuesGetTheNewOne(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	ca, err := lab.NewCA()
	require.NoError(t, err)
	r := &real{T: t, ca: ca, accounts: lab.SeedAccounts("svc", 2), store: newShelf(), meddle: func(string, string) {}}
	ds, err := lab.StartDS389(ctx, lab.DS389Options{Dir: t.TempDir(), CA: ca, Accounts: r.accounts, Policy: lab.DS389Policy{MaxFailure: 3, LockoutDuration: time.Hour}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, ds.Stop(context.Background())) })
	admin, err := ds.AdminConn(ctx)
	require.NoError(t, err)
	t.Cleanup(func() { _ = admin.Close() })
	logsIn := func(dn, password string) bool {
		conn, err := ldap.DialURL(ds.LDAP())
		require.NoError(t, err)
		defer conn.Close()
		err = conn.Bind(dn, password)
		if err != nil {
			require.True(t, ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials), err)
		}
		return err == nil
	}
	for n, set := range []string{"replace", "exop"} {
		c, err := directory.Open("unix", config.Directory{
			Driver: config.DS389, Servers: []string{ds.LDAPS()}, Base: ds.BaseDN(), CA: ds.CA, Set: set, Connections: 4, Timeout: config.Duration(time.Minute),
			Bind: config.Bind{DN: ds.BinderDN, Password: credential.Path{Mount: "kv", Path: "bind", Field: "password"}},
		}, func(context.Context) (credential.Secret, error) { return credential.NewSecret(ds.BinderPassword), nil })
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, c.Close()) })
		dn, first := ds.AccountDN(r.accounts[n].UID), r.accounts[n].Password
		got, err := admin.Search(ldap.NewSearchRequest(dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", []string{"nsUniqueId"}, nil))
		require.NoError(t, err)
		id := got.Entries[0].GetEqualFoldAttributeValue("nsUniqueId")
		p := credential.Path{Mount: "kv", Path: "apps/" + r.accounts[n].UID, Field: "password"}
		r.store.put(p, first)
		v := r.withTwo(credential.Credential{ID: "unix/" + id, Kind: credential.LDAPPassword, Authority: "unix", Subject: id, Name: dn, Paths: []credential.Path{p}}, func(dn, value string) {
			m := ldap.NewModifyRequest(dn, nil)
			m.Add("userPassword", []string{value})
			require.NoError(t, admin.Modify(m))
		})
		require.True(t, logsIn(dn, first) && logsIn(dn, v.second))
		var a Applied
		for pass := 1; pass <= 3 && !a.Dead(); pass++ { // where the server is slow to take a count back
			rot := &Rotator{Store: r.store, Authority: ldappassword.New(c, config.PasswordPolicy{}, nil), Campaign: us, Pass: pass, Now: time.Now, Cache: NewPreparedCache()}
			prepared := rot.Prepare(ctx, v.c)
			require.Nil(t, prepared.Stop)
			a = rot.Apply(ctx, v.c, prepared.Attempt, prepared.Fresh)
			rot.Confirm(ctx, []Verdict{{v.c, &a}})
		}
		r.bothDead(v, a, logsIn, first)
	}
}

// An empty field beside a user's name is nobody's: the path is left, and keeps
// no account open that has another.
func TestAPathWhoseFieldIsEmptyBesideAUsersNameIsLeftAlone(t *testing.T) {
	r := newReal(t, lab.SlapdOptions{})
	v := startRealVault(t)
	c := r.credential(0)
	good, empty := v.at("kv", "apps/svc"), v.at("kv", "apps/svc-later")
	v.puts(good, r.accounts[0].Password)
	v.write("kv/data/"+empty.Path, map[string]any{"data": map[string]any{"password": "", "username": "svc"}})
	c.Paths = []credential.Path{empty, good}
	c.Named = c.Paths
	rot := r.rotator()
	rot.Store = v.store
	p := rot.Prepare(t.Context(), c)
	require.Nil(t, p.Stop)
	a := rot.Apply(t.Context(), c, p.Attempt, p.Fresh)
	require.True(t, a.Dead(), "%+v", a.Stop)
	require.Equal(t, []credential.Finding{{Code: credential.FindingStalePath, Detail: "path 1 of 2; nothing is in the field of path 1 of 2"}}, a.Findings)
	require.True(t, r.logsIn(r.slapd, c.Name, v.gets(good)))
	live, err := v.store.ReadLive(t.Context(), empty, 0)
	require.NoError(t, err)
	require.Equal(t, 1, live.Version)
}
