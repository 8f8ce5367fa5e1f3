package rotation

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/lab"
	"rollcall/internal/protocol"
)

// during does something once, before the nth call of a sort in a batch of one.
// Its reset has been answered by then, and nothing has been asked of another
// server.
func (r *real) during(at string, nth int, cs []credential.Credential, do func()) Applied {
	done, calls := false, 0
	r.meddle = func(op, _ string) {
		if op == at {
			calls++
		}
		if calls == nth && !done {
			done = true
			do()
		}
	}
	got := r.run(cs, nothing)[0]
	require.True(r, done)
	r.meddle = func(string, string) {}
	return got
}

func (r *real) resume(servers ...*lab.Slapd) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Minute)
	defer cancel()
	for _, s := range servers {
		require.NoError(r, s.ResumeReplication(ctx))
	}
}

// followed goes on while all that is wrong is that another server lags: it may
// take up a reset only when syncrepl tries again, which a pass does not wait
// for. What the first pass found stays.
func (r *real) followed(got Applied, c credential.Credential) Applied {
	r.Helper()
	found := got.Findings
	require.Eventually(r, func() bool {
		if !got.Dead() {
			require.Equal(r, protocol.ReasonLagging, got.Stop.Reason, "%+v", got.Stop)
			got = r.run([]credential.Credential{c}, nothing)[0]
		}
		return got.Dead()
	}, 2*time.Minute, 100*time.Millisecond)
	got.Findings = found
	return got
}

func (r *real) requireDeadEverywhere(got Applied, c credential.Credential, stolen string) {
	r.Helper()
	require.True(r, got.Dead(), "%+v", got)
	require.Equal(r, protocol.ProofBind, got.Proof)
	require.Equal(r, []credential.FindingCode{credential.FindingUndone}, codes(got.Findings))
	now, _ := r.store.ReadLive(r.Context(), c.Paths[0], 0)
	for _, s := range append([]*lab.Slapd{r.slapd}, r.others...) {
		require.False(r, r.logsIn(s, c.Name, stolen))
		require.True(r, r.logsIn(s, c.Name, now.Value.Reveal()))
	}
	require.Equal(r, 2, now.Version, "consumers read one new value")
}

// One good login with the stolen value at a replica that notes logins, before
// the reset has come there: the replica keeps the stolen value, and says that
// it has everything.
func TestALoginAtAReplicaThatKeepsItsOlderEntryIsAnsweredByAnotherReset(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	replica := r.join(r.start(lab.SlapdOptions{ReplicaOf: r.slapd, CA: r.ca, LastBind: true}))
	c, stolen := r.credential(0), r.accounts[0].Password
	replica.PauseReplication()
	got := r.during("try", 1, []credential.Credential{c}, func() {
		require.Eventually(t, func() bool { // lastbind has whole seconds, and the reset is in this one
			return time.Now().Nanosecond() < int(300*time.Millisecond)
		}, time.Minute, time.Millisecond)
		require.True(t, r.logsIn(replica, c.Name, stolen))
		r.resume(replica)
	})
	r.requireDeadEverywhere(r.followed(got, c), c, stolen)
}

// One wrong login at the other provider, before the reset has come there: its
// older entry wins at both, and the stolen value is back in force.
func TestAResetThatAnotherProviderTakesBackIsMadeAgain(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{Provider: true, Policy: lab.SlapdPolicy{MaxFailure: 5}})
	other := r.join(r.start(lab.SlapdOptions{ReplicaOf: r.slapd, Provider: true, CA: r.ca}))
	for n, at := range []struct {
		op   string
		nth  int
		back bool // replication comes back while the rotation runs
	}{{"offer", 2, true}, {"try", 1, true}, {"offer", 2, false}} {
		c, stolen := r.credential(n), r.accounts[n].Password
		before := r.attribute(r.slapd, c.Name, "pwdChangedTime")
		r.slapd.PauseReplication()
		other.PauseReplication()
		got := r.during(at.op, at.nth, []credential.Credential{c}, func() {
			require.False(t, r.logsIn(other, c.Name, "a guess"))
			if !at.back {
				return // the two do not see each other until the pass is over
			}
			r.resume(other, r.slapd)
			require.Eventually(t, func() bool { return r.attribute(r.slapd, c.Name, "pwdChangedTime") == before }, time.Minute, 10*time.Millisecond)
			require.True(t, r.logsIn(r.slapd, c.Name, stolen))
		})
		if !at.back {
			require.False(t, got.Dead())
			require.Equal(t, protocol.ReasonLagging, got.Stop.Reason, "the logins of the proof came later than the guess")
			require.Empty(t, got.Findings)
			r.resume(other, r.slapd)
			got = r.run([]credential.Credential{c}, nothing)[0]
			got.Findings = append(got.Findings, credential.Finding{Code: credential.FindingUndone}) // of nobody else's change
		}
		r.requireDeadEverywhere(r.followed(got, c), c, stolen)
	}
}

// A replica that is named first and hands changes on (slapo-chain) has its own
// reset only once that has come back from the provider. Nobody has undone it.
func TestAServerThatHandsItsChangesOnOnlyLags(t *testing.T) {
	t.Parallel()
	r := newReal(t, lab.SlapdOptions{})
	replica := r.start(lab.SlapdOptions{ReplicaOf: r.slapd, CA: r.ca, RefersTo: r.slapd, Chains: true})
	r.others, r.conf.Servers = []*lab.Slapd{replica}, []string{replica.LDAPS(), r.slapd.LDAPS()}
	var cs []credential.Credential
	for n := range 5 {
		cs = append(cs, r.credential(n))
	}
	for n, got := range r.run(cs, nothing) {
		require.Empty(t, got.Findings)
		require.True(t, r.followed(got, cs[n]).Dead(), "%+v", got)
	}

	c, stolen := r.credential(5), r.accounts[5].Password
	replica.PauseReplication()
	for range 2 { // in the second pass the value is set once more
		got := r.run([]credential.Credential{c}, nothing)[0]
		require.False(t, got.Dead())
		require.Equal(t, protocol.ReasonLagging, got.Stop.Reason)
		require.Contains(t, got.Stop.Detail, "name the provider as the first of servers")
		require.Empty(t, got.Findings)
		now, _ := r.store.ReadLive(t.Context(), c.Paths[0], 0)
		require.Equal(t, stolen, now.Value.Reveal())
	}
	r.resume(replica)
	got := r.run([]credential.Credential{c}, nothing)[0]
	require.Empty(t, got.Findings)
	got = r.followed(got, c)
	require.True(t, got.Dead(), "%+v", got)
	require.Equal(t, protocol.ProofBind, got.Proof)
	require.Empty(t, got.Findings)
}
