package e2e

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
)

// One name, two machines: each is a server of its own, and the second one cannot go on taking
// the stolen value unseen.
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
		return u.count(func(l *ledger.Line) bool { return l.Reason == protocol.ReasonLagging && l.Server == replica }) == 3
	})
	require.Zero(t, u.count(func(l *ledger.Line) bool { return l.Outcome == ledger.Dead }))
	u.refuses("that name stands for several servers of corp: name one of "+write+", "+replica, "leave-out", "--server", name, "--reason", "x")
	u.refuses(write+" is the write server of corp", "leave-out", "--server", write, "--reason", "x")
	dns.Host(lab.Name, [4]byte{127, 0, 0, 1})
	require.Never(t, func() bool {
		return u.count(func(l *ledger.Line) bool { return l.Outcome == ledger.Dead }) > 0
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

	u.must("run")
	require.Equal(t, map[string][]string{"corp": {name}}, u.ledger().Servers, "the next campaign looks afresh")
	require.Contains(t, u.must("ledger", "cat"), "corp is "+name+" (127.0.0.1)", "where a name of one address was asked")
}
