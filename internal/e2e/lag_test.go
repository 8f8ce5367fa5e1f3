package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
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
	file, err := e.CampaignFile(nil, patient)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	held := lag{
		far: e.Replica.LDAPS(), stolen: e.Stolen, heal: e.Replica.ResumeReplication,
		changed: func(dn string) string {
			conn, err := e.Slapd.AdminConn(context.Background())
			require.NoError(t, err)
			defer conn.Close()
			return readAttr(t, conn, dn, "pwdChangedTime")[0]
		},
	}

	e.Replica.PauseReplication()
	cmd, said := u.begin("run")
	changed := u.heldOpen(held, said)
	require.Empty(t, deaths(t, u.ledger()))
	u.healed(held, changed, cmd, said)
	requireNotLocked(t, e)
}

const patient = "limits: {retry_min: 200ms, retry_max: 500ms, deadline: 30m, batch: 6}\n"

// lag is a server that is kept from following the write server, and the stolen
// credentials that it therefore still takes.
type lag struct {
	far     string
	stolen  []intruder.Stolen
	heal    func(context.Context) error
	changed func(dn string) string // when the write server changed the password last
}

// heldOpen holds a running campaign to this: it says of each such credential
// that the far server lags, calls none of them dead, and serves their
// consumers. The intruder is the judge of what is dead.
func (u *user) heldOpen(g lag, said fmt.Stringer) (changed map[string]string) {
	t, e := u.t, u.e
	t.Helper()
	isHeld := func(l *ledger.CredentialState) bool {
		return l.Outcome != ledger.Dead && l.Reason == protocol.ReasonLagging && l.Server == g.far &&
			slices.ContainsFunc(g.stolen, func(s intruder.Stolen) bool { return s.ID == l.ID })
	}
	requireSoon(t, "every credential waits for the far server", said, func() bool { return u.count(isHeld) == len(g.stolen) })
	changed = map[string]string{}
	for _, s := range g.stolen {
		changed[s.DN] = g.changed(s.DN)
	}
	// Passes go on meanwhile.
	isDead := func(l *ledger.CredentialState) bool {
		return l.Outcome == ledger.Dead && slices.ContainsFunc(g.stolen, func(s intruder.Stolen) bool { return s.ID == l.ID })
	}
	require.Never(t, func() bool { return u.count(isDead) > 0 }, 2*time.Second, 100*time.Millisecond,
		"false dead: the far server still accepts the stolen value")
	requireSoon(t, "every credential waits for the far server still", said, func() bool { return u.count(isHeld) == len(g.stolen) })
	opened := openings(t, u)
	for _, s := range g.stolen {
		require.Contains(t, opened, s.ID)
	}
	for id, open := range opened {
		require.LessOrEqual(t, len(open), 6, "%s: %v", id, open)
		require.Len(t, slices.Compact(slices.Clone(open)), len(open), "%s: an unchanged reason is not recorded at every pass: %v", id, open)
	}
	results := startRaid(t, e).end()
	require.Empty(t, intruder.Judge(results, deaths(t, u.ledger())), "the intruder disagrees with the ledger")
	for _, s := range g.stolen {
		for _, r := range results {
			if r.ID == s.ID {
				require.Equal(t, r.Server == g.far, r.State == "accepted", "%s at %s: the far server was meant to lag, and no other", s.DN, r.Server)
			}
		}
		require.True(t, binds(t, e, s.Servers[0], s.DN, live(t, e, e.Live[s.ID])), "consumers do not wait for the far server")
	}
	for command, words := range map[string]string{"status": "has not seen the change", "report": string(protocol.ReasonLagging)} {
		text := u.must(command)
		require.Contains(t, text, words, command)
		require.Contains(t, text, g.far, command)
	}
	return changed
}

// healed lets the far server follow. Then the campaign ends with all dead, and
// what the passes did meanwhile was to look.
func (u *user) healed(g lag, changed map[string]string, cmd *exec.Cmd, said fmt.Stringer) {
	t := u.t
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute) // two domain controllers may wait for each other for one
	defer cancel()
	require.NoError(t, g.heal(ctx))
	require.NoError(t, cmd.Wait(), said.String())
	for dn, at := range changed {
		require.Equal(t, at, g.changed(dn), "%s was changed again while the far server lagged", dn)
	}
	requireConsumersServed(t, u.e)
	requireAllDead(t, u.ledger(), startRaid(t, u.e).end())
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
	require.Equal(t, 4, u.count(func(l *ledger.CredentialState) bool {
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
	require.Equal(t, protocol.ReasonLocked, state.Credential(victim.ID).Reason)
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
func (u *user) count(is func(*ledger.CredentialState) bool) int {
	s := u.ledgerSoFar()
	if s == nil {
		return 0
	}
	n := 0
	for _, l := range s.Credentials {
		if is(l) {
			n++
		}
	}
	return n
}

func requireSoon(t *testing.T, what string, said interface{ String() string }, is func() bool) {
	t.Helper()
	requireWithin(t, patience, what, said, is)
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
