package rotation

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/door"
	"rollcall/internal/door/ldapbind"
	"rollcall/internal/door/opened"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// countedDoor is a door whose logins are counted.
type countedDoor struct {
	door.Door
	asked int
}

func (c *countedDoor) Ask(ctx context.Context, login string, value credential.Secret) door.Said {
	c.asked++
	return c.Door.Ask(ctx, login, value)
}

// keeping is a real door whose cache takes the old value and refuses the new
// one, with what ends that.
type keeping struct {
	*real
	c     credential.Credential
	at    map[string]door.Settings
	doors map[string]*countedDoor
	old   credential.Secret
	ends  func()
	notes *vaultNotes
	now   time.Time
	// flushed is when a worker that was killed noted that its flush was done.
	flushed time.Time
	stopped bool // the worker is
}

func newKeeping(r *real, at door.Settings) *keeping {
	k := &keeping{real: r, c: r.credential(0), at: map[string]door.Settings{}, doors: map[string]*countedDoor{},
		old: credential.NewSecret(r.accounts[0].Password), notes: &vaultNotes{}, now: time.Now()}
	k.notes.now = func() time.Time { return k.now }
	k.add("there", at)
	return k
}

func (k *keeping) add(name string, at door.Settings) {
	k.Helper()
	at.TLS, at.CA, at.Timeout = door.Types[at.Type].TLS[0], string(k.ca.PEM), time.Minute
	var doors opened.Doors
	d, err := doors.Open(at)
	require.NoError(k, err)
	k.at[name], k.doors[name] = at, &countedDoor{Door: d.Door}
	login := k.accounts[0].UID
	if strings.HasPrefix(at.Type, "ldap") {
		login = k.c.Name
	}
	k.c.Doors = append(k.c.Doors, credential.DoorLogin{Door: name, Login: login})
}

// offer logs in as somebody else would.
func (k *keeping) offer(value credential.Secret) protocol.Reply {
	return k.doors["there"].Door.Ask(k.Context(), k.c.Doors[0].Login, value).Reply
}

// pass is one by a worker of its own. flush is what the file has for the door.
func (k *keeping) pass(flush func() *credential.Finding) Applied {
	k.Helper()
	k.real.settings = func(name string) door.Settings { return k.at[name] }
	rot := k.rotator()
	rot.Refusals = &Refusals{Notes: k.notes}
	rot.LookUp(k.Context(), []credential.Credential{k.c})
	prepared := rot.Prepare(k.Context(), k.c)
	out := rot.Apply(k.Context(), k.c, prepared.Attempt, prepared.Fresh)
	v := []Verdict{{k.c, &out}}
	ask := DoorAsker{Settings: k.real.settings, Now: func() time.Time { return k.now }, Campaign: us, Refusals: rot.Refusals,
		Open: func(name string) (*opened.Door, error) { return &opened.Door{Door: k.doors[name]}, nil }}
	if flush != nil {
		ask.Flush = func(context.Context, credential.Credential, credential.DoorLogin) *credential.Finding { return flush() }
	}
	rot.Now = ask.Now
	ask.Flushed = func(context.Context, string, string) time.Time { return k.flushed }
	rot.AskDoors(k.Context(), v, ask, func() bool { return k.stopped })
	return out
}

// dovecotThatRefuses has kept a login with the old value, and a wrong one by
// anybody after it: from then on it refuses what it does not know.
func dovecotThatRefuses(t *testing.T) *keeping {
	r := newReal(t, lab.SlapdOptions{})
	dir := t.TempDir()
	s, err := lab.StartDovecot(t.Context(), lab.DovecotOptions{Dir: dir, CA: r.ca, Directory: r.slapd, Cache: time.Hour, AtOnce: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	k := newKeeping(r, door.Settings{Type: "imaps", Address: s.Address("imaps"), Software: "dovecot", Cache: 2 * time.Minute})
	k.ends = func() {
		out, err := exec.Command("doveadm", "-c", filepath.Join(dir, "dovecot.conf"), "auth", "cache", "flush", r.accounts[0].UID).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	k.add("pop", door.Settings{Type: "pop3s", Address: s.Address("pop3s"), Software: "dovecot", Cache: 2 * time.Minute})
	require.Equal(t, protocol.Accepted, k.offer(k.old))
	require.Equal(t, protocol.Refused, k.offer(credential.NewSecret("a typing mistake")))
	return k
}

// proxyThatRefuses goes by its copy of the old value, whatever is offered.
func proxyThatRefuses(t *testing.T) *keeping {
	r := newReal(t, lab.SlapdOptions{})
	s, err := lab.StartSlapdProxy(t.Context(), lab.SlapdProxyOptions{Dir: t.TempDir(), CA: r.ca, Behind: r.slapd, Cache: time.Hour})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop(context.Background())) })
	k := newKeeping(r, door.Settings{Type: "ldaps", Address: s.Address("ldaps"), Software: "pcache", Cache: 2 * time.Minute})
	k.ends = func() { require.NoError(t, s.Restart(context.WithoutCancel(t.Context()))) }
	c, err := ldap.DialURL("ldap://" + s.Address("ldap"))
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.Bind(r.slapd.BinderDN, r.slapd.BinderPassword))
	found, err := c.Search(ldap.NewSearchRequest("ou=people,"+r.slapd.BaseDN(), ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, "(uid="+r.accounts[0].UID+")", nil, nil))
	require.NoError(t, err)
	require.Len(t, found.Entries, 1)
	soon := k.at["there"]
	soon.Timeout = 300 * time.Millisecond
	require.Eventually(t, func() bool { // it keeps what it found a moment after it has said so
		taken := k.offer(k.old)
		r.slapd.Process().Pause()
		defer r.slapd.Process().Resume()
		return taken == protocol.Accepted && ldapbind.Open(soon).Ask(t.Context(), k.c.Name, k.old).Reply == protocol.Accepted
	}, 5*time.Minute, 20*time.Millisecond)
	return k
}

// A cache may refuse the new value while it takes the old one: what ends that
// is run at its first refusal, and the door is asked again in the same pass.
func TestADoorWhoseCacheRefusesTheNewValueIsFlushedAndProved(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) *keeping{"dovecot": dovecotThatRefuses, "pcache": proxyThatRefuses} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k, flushed := start(t), 0
			got := k.pass(func() *credential.Finding {
				require.Equal(t, protocol.Accepted, k.offer(k.old), "it takes the old value meanwhile")
				flushed++
				k.ends()
				return &credential.Finding{Code: credential.FindingFlushed, Detail: "door there: its flush exit code 0"}
			})
			require.Equal(t, 1, flushed)
			require.True(t, got.Dead(), "%+v", got.Stop)
			require.Equal(t, protocol.Refused, k.offer(k.old))
			require.Len(t, got.Findings, 1)
		})
	}
}

// Without a flush the second and last try of the new value is kept for when the
// door's time is over, by whichever worker, and the reason says until when and
// what ends it there.
func TestADoorWhoseCacheRefusesTheNewValueIsAskedOnceMoreWhenItsTimeIsOver(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		start func(*testing.T) *keeping
		ends  string
	}{"dovecot": {dovecotThatRefuses, "`doveadm auth cache flush USER`"}, "pcache": {proxyThatRefuses, "restart of the proxy"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := row.start(t)
			began := k.now
			var got Applied
			for range 3 {
				got = k.pass(nil)
				require.False(t, got.Dead())
				require.Equal(t, protocol.ReasonDoorRefusesNew, got.Stop.Reason)
				require.Equal(t, "there", got.Stop.Server)
				require.Contains(t, got.Stop.Detail, row.ends)
				require.NotContains(t, got.Stop.Detail, "the next pass asks")
				require.Equal(t, began.Add(2*time.Minute).UTC().Truncate(time.Second), got.Stop.Until, "from its first refusal on")
				require.True(t, got.Stop.Wait, "the file says for how long it keeps it")
				require.Equal(t, 1, k.doors["there"].asked, "the second try is kept")
				if pop := k.doors["pop"]; pop != nil {
					require.Zero(t, pop.asked, "it may be the same cache, and refuse as well")
				}
				require.Equal(t, protocol.Accepted, k.offer(k.old), "the stolen value is let in")
				k.now = k.now.Add(30 * time.Second)
			}
			k.ends() // as its time does
			k.now = got.Stop.Until.Add(time.Second)
			got = k.pass(nil)
			require.True(t, got.Dead(), "%+v", got.Stop)
			require.Equal(t, protocol.Refused, k.offer(k.old))
		})
	}
}

// Whoever answers a web hook may do the work later. A try before that would be
// wasted, and is the last one. It is made once the work had its time, and not
// when what the door keeps would be over by itself.
func TestADoorThatAWebHookFlushesIsAskedOnceThatHadItsTime(t *testing.T) {
	t.Parallel()
	k := dovecotThatRefuses(t)
	at := k.at["there"]
	at.Cache, at.Flush = 30*time.Minute, &door.Flush{URL: "https://automation.example.org/flush"}
	k.at["there"] = at
	began, flushed := k.now, 0
	hook := func() *credential.Finding {
		if flushed++; flushed > 1 {
			return nil
		}
		return &credential.Finding{Code: credential.FindingFlushed, Detail: "door there: its flush answered 202"}
	}
	var got Applied
	for range 3 {
		got = k.pass(hook)
		require.False(t, got.Dead())
		require.Equal(t, protocol.ReasonDoorRefusesNew, got.Stop.Reason)
		require.Contains(t, got.Stop.Detail, "its flush was sent, which is given 1m0s for that, and it is asked once more then")
		require.WithinDuration(t, began.Add(time.Minute), got.Stop.Until, time.Minute/2)
		require.True(t, got.Stop.Wait)
		require.Equal(t, 1, k.doors["there"].asked, "the second try is kept")
		require.Zero(t, k.doors["pop"].asked, "it is the same cache")
		k.now = k.now.Add(10 * time.Second)
	}
	require.Equal(t, 1, flushed)
	k.ends() // what the web hook began
	k.now = got.Stop.Until.Add(time.Second)
	got = k.pass(hook)
	require.True(t, got.Dead(), "%+v", got.Stop)
	require.Equal(t, protocol.Refused, k.offer(k.old))
}

// A worker may be killed when a door has refused the new value, before it has
// begun the flush. The pass after it runs that, once, and asks the door again:
// nobody waits for the time of what the door keeps.
func TestAFlushThatAKilledWorkerHadNotBegunIsRunByTheNextPass(t *testing.T) {
	t.Parallel()
	k := dovecotThatRefuses(t)
	flushed := 0
	run := func() *credential.Finding {
		if flushed++; flushed > 1 {
			return nil // it is noted that it was begun
		}
		k.ends()
		return &credential.Finding{Code: credential.FindingFlushed, Detail: "door there: its flush exit code 0"}
	}
	got := k.pass(nil) // and it was killed
	require.False(t, got.Dead())
	require.Equal(t, 1, k.doors["there"].asked)
	got = k.pass(run)
	require.Equal(t, 1, flushed)
	require.True(t, got.Dead(), "%+v", got.Stop)
	require.Len(t, got.Findings, 1)
	require.Equal(t, protocol.Refused, k.offer(k.old))

	// One that failed lifts nothing.
	k, flushed = dovecotThatRefuses(t), 0
	k.pass(nil)
	for range 2 {
		got = k.pass(func() *credential.Finding {
			if flushed++; flushed > 1 {
				return nil
			}
			return &credential.Finding{Code: credential.FindingFlushFailed, Detail: "door there: its flush exit code 1"}
		})
		require.Equal(t, protocol.ReasonDoorRefusesNew, got.Stop.Reason)
		require.Equal(t, 1, k.doors["there"].asked, "the second try is kept")
	}
}

// A worker that is stopping begins no flush.
func TestAWorkerThatStopsRunsNoFlushOfADoorThatRefusedTheNewValue(t *testing.T) {
	t.Parallel()
	k := dovecotThatRefuses(t)
	k.pass(nil) // and it was killed
	k.stopped = true
	k.pass(func() *credential.Finding {
		t.Error("it was run")
		return nil
	})
}

// A worker may be killed when its flush is done and noted, and before it is
// noted that the door may be asked again. The pass after it takes the first
// note for the second, unless the door refused the new value after that.
func TestAFlushThatAKilledWorkerHadDoneIsAsGoodAsOneOfThisPass(t *testing.T) {
	t.Parallel()
	begun := func() *credential.Finding { return nil } // it is noted that it was
	k := dovecotThatRefuses(t)
	k.pass(nil)
	k.flushed = k.now.Add(-time.Minute)
	got := k.pass(begun)
	require.Equal(t, protocol.ReasonDoorRefusesNew, got.Stop.Reason, "it came before the refusal, and ended none")
	require.Equal(t, 1, k.doors["there"].asked)
	k.ends()
	k.flushed, k.now = k.now.Add(time.Second), k.now.Add(2*time.Second)
	got = k.pass(begun)
	require.True(t, got.Dead(), "%+v", got.Stop)
	require.Equal(t, protocol.Refused, k.offer(k.old))
}
