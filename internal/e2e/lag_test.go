package e2e

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/intruder"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// A threshold of three would lock what is probed carelessly.
var locking = lab.SlapdPolicy{History: 5, MaxFailure: 3}

func TestALaggingReplicaKeepsItsCredentialsOpenUntilItCatchesUp(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 12, Replica: true, Policy: locking})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 500ms, deadline: 10m, batch: 6}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")

	e.Replica.PauseReplication()
	cmd, said := u.begin("run")
	requireSoon(t, "every credential waits for the replica", said, func() bool {
		return u.count(func(l *ledger.Line) bool { return l.Reason == protocol.ReasonLagging && l.Server == e.Replica.LDAPS() }) == 12
	})
	// Passes go on meanwhile, and none of them may call anything dead.
	held := u.entries()
	require.Never(t, func() bool {
		return u.count(func(l *ledger.Line) bool { return l.Outcome == ledger.Dead }) > 0
	}, 2*time.Second, 100*time.Millisecond, "false dead: the replica still accepts the stolen value")
	for _, s := range e.Stolen {
		require.True(t, binds(t, e, e.Replica.LDAPS(), s.DN, credential.NewSecret(s.Password)), "the replica was meant to lag")
		require.False(t, binds(t, e, e.Slapd.LDAPS(), s.DN, credential.NewSecret(s.Password)))
		require.True(t, binds(t, e, e.Slapd.LDAPS(), s.DN, live(t, e, e.Live[s.ID])), "consumers do not wait for the replica")
	}
	require.Less(t, u.entries()-held, uint64(12), "an unchanged reason is not recorded at every pass")

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(t, e.Replica.ResumeReplication(ctx))
	require.NoError(t, cmd.Wait(), said.String())
	requireNotLocked(t, e)
	requireConsumersServed(t, e)
	requireAllDead(t, u.ledger(), startRaid(t, e).end())
}

func TestAReplicaThatDoesNotAnswerKeepsItsCredentialsOpenWithItsName(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 4, Replica: true})
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	gone := e.Replica.LDAPS()
	require.NoError(t, e.Replica.Stop(context.Background()))

	r := u.run("run")
	require.Equal(t, 2, r.code, r.out+r.err)
	require.Equal(t, 4, u.count(func(l *ledger.Line) bool {
		return l.Outcome == ledger.IsException && l.Reason == protocol.ReasonUnreachable && l.Server == gone
	}), r.out)
	require.Contains(t, r.out, gone)
	requireNothingLost(t, e)
}

func TestALockedAccountIsNeverCalledDeadAndNothingIsChangedOnIt(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 3, Policy: locking})
	file, err := e.CampaignFile(nil, quick)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	victim := e.Stolen[0]
	for range locking.MaxFailure {
		require.False(t, binds(t, e, e.Slapd.LDAPS(), victim.DN, credential.NewSecret("wrong")))
	}
	r := u.run("run")
	require.Equal(t, 2, r.code, r.out+r.err)
	state := u.ledger()
	requireAllDead(t, state, deadOnly(t, u, e), victim.DN)
	require.Equal(t, protocol.ReasonLocked, state.Line(victim.ID).Reason)
	require.Equal(t, 1, versions(t, e.Vault.Client(), e.Live[victim.ID]))
	require.True(t, staged(t, e, victim.ID).IsZero(), "nothing was staged for it")
}

// deadOnly lets an intruder try what the ledger calls dead.
func deadOnly(t *testing.T, u *user, e *estate.Estate) []intruder.Result {
	t.Helper()
	claimed := map[string]bool{}
	for _, d := range deaths(t, u.ledger()) {
		claimed[d.ID] = true
	}
	only := *e
	only.Stolen = nil
	for _, s := range e.Stolen {
		if claimed[s.ID] {
			only.Stolen = append(only.Stolen, s)
		}
	}
	return startRaid(t, &only).end()
}

// count counts lines of the campaign's ledger; none before there is one.
func (u *user) count(is func(*ledger.Line) bool) int {
	if u.entries() == 0 {
		return 0
	}
	n := 0
	for _, l := range u.ledger().Credentials {
		if is(l) {
			n++
		}
	}
	return n
}

func requireSoon(t *testing.T, what string, said interface{ String() string }, is func() bool) {
	t.Helper()
	requireWithin(t, time.Minute, what, said, is)
}

func requireWithin(t *testing.T, limit time.Duration, what string, said interface{ String() string }, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		<-tick.C
		require.False(t, time.Now().After(deadline), "not in %s: %s\n%s", limit, what, said)
	}
}

// requireNotLocked: all those passes locked nobody out.
func requireNotLocked(t *testing.T, e *estate.Estate) {
	t.Helper()
	conn, err := e.Slapd.AdminConn(context.Background())
	require.NoError(t, err)
	defer conn.Close()
	for _, s := range e.Stolen {
		require.Empty(t, readAttr(t, conn, s.DN, "pwdAccountLockedTime"), s.DN)
	}
}
