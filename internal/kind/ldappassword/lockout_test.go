package ldappassword

import (
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

func TestProvingLeavesNoFailureBehind(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{MaxFailure: 3}, true)
	a := w.open(t, w.binder())
	c, old := w.credential(t)
	acc := account(t, a, c)
	next := fresh(t, a)
	require.NoError(t, a.Set(t.Context(), acc, next, old))
	require.NoError(t, w.replica.AwaitReplication(t.Context()))
	// Far more often than pwdMaxFailure allows in a row.
	for range 5 {
		for _, s := range []*lab.Slapd{w.provider, w.replica} {
			require.Equal(t, protocol.Refused, try(t, a, s.LDAPS(), acc, old))
			if s == w.provider {
				require.NotEmpty(t, w.attr(t, s, c.Name, "pwdFailureTime"), "the server counts it")
			}
			require.Equal(t, protocol.Accepted, try(t, a, s.LDAPS(), acc, next))
		}
		// The provider's count is replicated, so the replica's may come and go
		// once more.
		require.NoError(t, w.replica.AwaitReplication(t.Context()))
		for _, s := range []*lab.Slapd{w.provider, w.replica} {
			require.Eventually(t, func() bool { return w.attr(t, s, c.Name, "pwdFailureTime") == "" },
				time.Minute, 20*time.Millisecond)
		}
	}
}

// The lock is made by refused binds here, whether or not the server tells of
// it.
func TestAccountLockedByFailuresIsCalledLocked(t *testing.T) {
	for name, tell := range map[string]bool{"server is silent": false, "server tells": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, lab.SlapdPolicy{MaxFailure: 2, LockoutDuration: time.Hour, TellLocked: tell}, false)
			a := w.open(t, w.binder())
			c, inForce := w.credential(t)
			acc := account(t, a, c)
			wrong, began := fresh(t, a), time.Now()
			require.Equal(t, protocol.Refused, try(t, a, a.Servers()[0], acc, wrong))
			// The server's second refusal locks it, so it proves nothing any
			// more.
			require.Equal(t, protocol.Locked, try(t, a, a.Servers()[0], acc, wrong))
			require.Equal(t, protocol.Locked, try(t, a, a.Servers()[0], acc, wrong))
			require.Equal(t, protocol.Locked, try(t, a, a.Servers()[0], acc, inForce))
			locked := account(t, a, c)
			require.Equal(t, protocol.Locked, locked.State)
			until := time.Hour + time.Minute // and what clocks may differ
			require.WithinRange(t, locked.LockedUntil, began.Add(until-30*time.Second), time.Now().Add(until+30*time.Second))
		})
	}
}

func TestLockThatHasRunOutIsNoLock(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{MaxFailure: 2, LockoutDuration: 10 * time.Minute}, false)
	a := w.open(t, w.binder())
	c, inForce := w.credential(t)
	ago := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format("20060102150405Z") }
	w.put(t, c.Name, "pwdAccountLockedTime", ago(9*time.Minute))
	require.Equal(t, protocol.Locked, account(t, a, c).State)
	w.put(t, c.Name, "pwdAccountLockedTime", ago(20*time.Minute))
	acc := account(t, a, c)
	require.Equal(t, protocol.Accepted, acc.State)
	require.Equal(t, protocol.Refused, try(t, a, a.Servers()[0], acc, fresh(t, a)))
	require.Equal(t, protocol.Accepted, try(t, a, a.Servers()[0], acc, inForce))
}

func TestLockWhoseEndCannotBeToldCounts(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{MaxFailure: 2, LockoutDuration: time.Minute}, false)
	a := w.open(t, w.binder())
	c, _ := w.credential(t)
	admin, err := w.provider.AdminConn(t.Context())
	require.NoError(t, err)
	defer admin.Close()
	for _, name := range []string{"default", "services"} { // no policy is shown
		require.NoError(t, admin.Del(ldap.NewDelRequest("cn="+name+",ou=policies,"+w.provider.BaseDN(), nil)))
	}
	w.put(t, c.Name, "pwdAccountLockedTime", "20200101000000Z")
	locked := account(t, a, c)
	require.Equal(t, protocol.Locked, locked.State)
	require.Zero(t, locked.LockedUntil)
}

func TestLaggingReplicaStillAcceptsTheOldValue(t *testing.T) {
	w := newWorld(t, lab.SlapdPolicy{}, true)
	a := w.open(t, w.binder())
	c, old := w.credential(t)
	acc := account(t, a, c)
	next := fresh(t, a)
	w.replica.PauseReplication()
	require.NoError(t, a.Set(t.Context(), acc, next, old))
	require.Equal(t, protocol.Refused, try(t, a, w.provider.LDAPS(), acc, old))
	require.Equal(t, protocol.Accepted, try(t, a, w.replica.LDAPS(), acc, old))
	require.Equal(t, protocol.Refused, try(t, a, w.replica.LDAPS(), acc, next))
	behind, err := a.Account(t.Context(), w.replica.LDAPS(), c)
	require.NoError(t, err)
	require.Equal(t, acc.Changed, behind.Changed)

	require.NoError(t, w.replica.ResumeReplication(t.Context()))
	require.Equal(t, protocol.Refused, try(t, a, w.replica.LDAPS(), acc, old))
	require.Equal(t, protocol.Accepted, try(t, a, w.replica.LDAPS(), acc, next))
	caughtUp, err := a.Account(t.Context(), w.replica.LDAPS(), c)
	require.NoError(t, err)
	require.Equal(t, account(t, a, c).Changed, caughtUp.Changed, "marks compare between servers")
}
