package e2e

import (
	"context"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"

	"rollcall/internal/credential"
	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// One name, two machines: each is a server of its own, and the second one
// cannot go on taking the stolen value unseen.
func TestANameOfTwoAddressesIsTwoServersInRollLedgerAndProof(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 3, Replica: true})
	at, err := url.Parse(e.Slapd.LDAPS())
	require.NoError(t, err)
	second, err := lab.StartBalancer("127.0.0.2:"+at.Port(), e.Replica.LDAPS())
	require.NoError(t, err)
	t.Cleanup(second.Close)
	name := "ldaps://" + lab.Name + ":" + at.Port()
	write, replica := name+"@127.0.0.1", name+"@127.0.0.2"
	file, err := e.CampaignFile([]string{name}, "limits: {retry_min: 200ms, retry_max: 500ms, deadline: 10m}\n")
	require.NoError(t, err)
	u, dns := newUser(t, e, file).asking()
	dns.Host(lab.Name, [4]byte{127, 0, 0, 2}, [4]byte{127, 0, 0, 1})
	u.must("init")
	listed := u.run("list")
	require.Contains(t, listed.out, "servers of corp: "+write+" "+replica+"\n")
	require.Contains(t, listed.err, "passwords are set at 127.0.0.1")
	require.Contains(t, u.must("plan"), "2 servers")
	require.Contains(t, u.must("doctor"), "corp "+replica)

	e.Replica.PauseReplication()
	cmd, said := u.begin("run")
	requireSoon(t, "every credential waits for the second machine", said, func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Reason == protocol.ReasonLagging && l.Server == replica }) == 3
	})
	require.Zero(t, u.count(func(l *ledger.CredentialState) bool { return l.Outcome == ledger.Dead }))
	u.refuses("that name stands for several servers of corp: name one of "+write+", "+replica, "leave-out", "--server", name, "--reason", "x")
	u.refuses(write+" is the write server of corp", "leave-out", "--server", write, "--reason", "x")
	dns.Host(lab.Name, [4]byte{127, 0, 0, 1})
	require.Never(t, func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Outcome == ledger.Dead }) > 0
	}, time.Second, 100*time.Millisecond, "DNS forgot the second machine, the campaign did not")
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	require.NoError(t, cmd.Wait(), said.String())
	state := u.ledger()
	require.Equal(t, map[string][]string{"corp": {write, replica}}, state.Servers)
	for _, l := range state.Credentials {
		require.Equal(t, ledger.Dead, l.Outcome)
		require.Equal(t, []string{write, replica}, []string{l.Evidence[0].Server, l.Evidence[1].Server})
	}
	u.must("ledger", "verify")
	requireConsumersServed(t, e)

	next := u.run("run")
	require.Equal(t, 2, next.code, "the second machine may have the stolen values: %s", next.out)
	require.Contains(t, next.out, "more-servers")
	require.Equal(t, map[string][]string{"corp": {name}}, u.ledger().Servers, "the next campaign looks afresh")
	require.Contains(t, u.must("ledger", "cat"), "corp is "+name+" (127.0.0.1)", "where a name of one address was asked")
}

// Behind one address stand a replica that follows and one that stopped
// following: one pass meets the one, the next the other, and a credential is
// dead on neither.
func TestABalancerIsNoServerAndOneGoodAnswerOfItNeverBeatsABadOne(t *testing.T) {
	t.Parallel()
	const accounts = 4
	e := startEstate(t, estate.Options{Accounts: accounts, Replica: true})
	ca, dir := e.CA, t.TempDir()
	stale, err := lab.StartSlapd(t.Context(), lab.SlapdOptions{Dir: dir, CA: ca, ReplicaOf: e.Slapd, LooksLike: e.Replica})
	require.NoError(t, err)
	t.Cleanup(func() { _ = stale.Stop(context.Background()) })
	b, err := lab.StartBalancer("127.0.0.1:0", e.Replica.LDAPS(), stale.LDAPS())
	require.NoError(t, err)
	t.Cleanup(b.Close)
	address := "ldaps://" + b.Addr()
	file, err := e.CampaignFile([]string{e.Slapd.LDAPS(), address}, "limits: {retry_min: 200ms, retry_max: 500ms, deadline: 10m}\n")
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")

	stale.PauseReplication()
	conn, err := e.Slapd.AdminConn(t.Context())
	require.NoError(t, err)
	change := ldap.NewModifyRequest(e.Slapd.PeopleDN(), nil)
	change.Replace("description", []string{"people"})
	require.NoError(t, conn.Modify(change))
	require.NoError(t, conn.Close())
	require.NoError(t, e.Replica.AwaitReplication(t.Context()))
	wrong, code := diagnose(t, u)
	require.Equal(t, 1, code)
	require.Len(t, wrong, 1, "%v", wrong)
	require.Equal(t, []string{"corp " + address, "machine"}, []string{wrong[0].Where, wrong[0].What})
	refused := u.run("run")
	require.Equal(t, 1, refused.code)
	require.Contains(t, refused.err, "several machines answer at this address")
	require.Contains(t, refused.err, "nothing was started")
	require.Zero(t, u.entries(), "nothing was begun")

	// When the campaign begins, one machine answers, and lags.
	b.Behind(e.Replica.LDAPS())
	e.Replica.PauseReplication()
	cmd, said := u.begin("run")
	open := func(r protocol.Reason) func() bool {
		return func() bool {
			return u.count(func(l *ledger.CredentialState) bool { return l.Reason == r && l.Server == address }) == accounts
		}
	}
	requireSoon(t, "every credential waits for it", said, open(protocol.ReasonLagging))
	b.Behind(e.Replica.LDAPS(), stale.LDAPS())
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	requireSoon(t, "the address contradicts itself", said, open(protocol.ReasonContradicts))
	for _, s := range e.Stolen {
		require.True(t, binds(t, e, stale.LDAPS(), s.DN, credential.NewSecret(s.Password)))
	}

	// Good answers alone do not help any more, and neither does another
	// process.
	b.Behind(e.Replica.LDAPS())
	require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
	_ = cmd.Wait()
	cmd, said = u.begin("run")
	requireSoon(t, "it is rejoined", said, func() bool { return strings.Contains(said.String(), "rejoining campaign") })
	before := u.entries()
	require.Never(t, func() bool {
		return u.count(func(l *ledger.CredentialState) bool { return l.Outcome == ledger.Dead }) > 0
	}, 2*time.Second, 100*time.Millisecond)
	require.GreaterOrEqual(t, u.entries(), before)
	require.Contains(t, strings.Join(strings.Fields(u.must("report")), " "), "Several machines answer as one server")
	u.must("leave-out", "--server", address, "--reason", "the balancer goes; its machines are named in the next campaign")
	_ = cmd.Wait()
	require.Equal(t, 2, cmd.ProcessState.ExitCode(), said.String())
	for _, l := range u.ledger().Credentials {
		require.Equal(t, ledger.Dead, l.Outcome)
		require.Equal(t, []string{address}, l.LeftOut)
	}
	u.must("ledger", "verify")
	requireConsumersServed(t, e)
}
