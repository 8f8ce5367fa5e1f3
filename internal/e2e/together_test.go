package e2e

import (
	"io"
	"os"
	"os/exec"
	login "os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault"
)

// operator is somebody with a machine of his own: another name of the host,
// another user, a login and a state folder that are his.
type operator struct {
	*user
	name string // as the ledger has him
}

// person gives one who may do what an operator may.
func (c *cluster) person(account, host string) *operator {
	c.t.Helper()
	as, err := login.Lookup(account)
	require.NoError(c.t, err)
	uid, err := strconv.Atoi(as.Uid)
	require.NoError(c.t, err)
	home := filepath.Join(c.e.Dir, host)
	require.NoError(c.t, os.Mkdir(home, 0o755))
	machine := filepath.Join(home, "machine")
	require.NoError(c.t, os.WriteFile(machine, []byte("#!/bin/sh\necho "+host+" > /proc/sys/kernel/hostname\nexec setpriv --reuid="+account+" --regid="+as.Gid+" --clear-groups -- \"$@\"\n"), 0o755))
	secret := filepath.Join(home, "secret-id")
	env := append(c.common, c.login(vault.OperatorPolicy)...)
	text, err := os.ReadFile(filepath.Join(c.e.Dir, vault.OperatorPolicy+".secret-id"))
	require.NoError(c.t, err)
	require.NoError(c.t, os.WriteFile(secret, text, 0o600))
	for _, path := range []string{home, secret} {
		require.NoError(c.t, os.Chown(path, uid, uid))
	}
	u := *c.user
	u.env, u.under, u.state = append(env, "HOME="+home, "ROLLCALL_SECRET_ID_FILE="+secret), []string{"unshare", "--uts", machine}, filepath.Join(home, "state")
	return &operator{&u, account + "@" + host}
}

// asked runs a command on a terminal of its own, and waits until it asks.
func (o *operator) asked(args ...string) (cmd *exec.Cmd, said *transcript, typed io.Writer) {
	o.t.Helper()
	var words []string
	for _, w := range o.command(args...).Args {
		words = append(words, "'"+w+"'")
	}
	plain := o.command()
	cmd, said = exec.Command("script", "-qec", strings.Join(words, " "), "/dev/null"), &transcript{}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = plain.Dir, append(plain.Env, "SHELL=/bin/sh"), said, said
	typed, err := cmd.StdinPipe()
	require.NoError(o.t, err)
	require.NoError(o.t, cmd.Start())
	o.t.Cleanup(func() { _ = cmd.Process.Kill() })
	requireSoon(o.t, "it asks", said, func() bool { return strings.Contains(said.String(), "to go on, anything else to leave it: ") })
	return cmd, said, typed
}

// together has two commands run at the same time.
func together(one, two func() ran) (a, b ran) {
	var both sync.WaitGroup
	both.Go(func() { a = one() })
	both.Go(func() { b = two() })
	both.Wait()
	return a, b
}

// Two people sit at one campaign, each at a machine of his own. Each act is
// done once and is in the ledger under the name of who did it; whoever was
// second is told who was first.
func TestTwoPeopleWorkOnOneCampaignAtOnce(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 3, Replica: true})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 10m}\naccept:\n  - {directory: corp, finding: replicators-not-shown, reason: jo looked}\n")
	require.NoError(t, err)
	for _, open := range []string{filepath.Dir(binary), filepath.Dir(e.Dir), e.Dir} {
		require.NoError(t, os.Chmod(open, 0o755))
	}
	for _, kind := range []string{"*.yaml", "*.csv", "*.pem"} {
		files, err := filepath.Glob(filepath.Join(e.Dir, kind))
		require.NoError(t, err)
		for _, f := range files {
			require.NoError(t, os.Chmod(f, 0o644))
		}
	}
	c := startCluster(t, e, file)
	at := freeAddress(t)
	c.ledgers = filepath.Join(e.Dir, "far", "ledger")
	c.serve(append(c.common, c.login(vault.LedgerPolicy)...), binary, "worker", "--role", "ledger", "--ledger-dir", c.ledgers, "--serve", at, "--serve-as", "https://"+at)
	c.worker()
	alice, bob := c.person("daemon", "alices-laptop"), c.person("games", "bobs-laptop")
	newest := func() *ledger.State {
		folders, err := filepath.Glob(filepath.Join(c.ledgers, "*", "checkpoint"))
		require.NoError(t, err)
		return c.state(filepath.Base(filepath.Dir(folders[len(folders)-1])))
	}
	lagging := func() bool {
		folders, _ := filepath.Glob(filepath.Join(c.ledgers, "*", "checkpoint"))
		if len(folders) == 0 {
			return false
		}
		n := 0
		for _, l := range newest().Credentials {
			if l.Reason == protocol.ReasonLagging {
				n++
			}
		}
		return n == 3
	}
	said := func(s *ledger.State, e ledger.Event) (who []string) {
		for _, a := range s.Actions {
			if a.Event == e {
				who = append(who, a.Who)
			}
		}
		return who
	}

	// Whose it is, is the first thing that the second one hears.
	e.Replica.PauseReplication()
	hers, saidToHer := alice.begin("run")
	requireSoon(t, "all wait for the replica", saidToHer, lagging)
	campaign := newest().Campaign
	whose := "campaign " + campaign + ", started by " + alice.name + " at "
	his, saidToHim := bob.begin("run")
	requireSoon(t, "he is told whose it is", saidToHim, func() bool { return strings.Contains(saidToHim.String(), "rejoining "+whose) })
	bob.refuses(whose, "start")
	bob.refuses(whose, "run", "--limit", "1")
	watching, saidWatching := bob.begin("watch")

	// One pauses while the other resumes, again and again.
	acts := map[string]int{}
	for range 4 {
		paused, resumed := together(func() ran { return bob.run("pause") }, func() ran { return alice.run("resume") })
		for name, r := range map[string]ran{bob.name + " paused": paused, alice.name + " resumed": resumed} {
			if r.code == 0 {
				acts[name]++
				continue
			}
			require.Regexp(t, `cannot (pause: the campaign is paused already, by `+bob.name+`|resume: the campaign is not paused(: it was resumed already, by `+alice.name+`)?)\n`, r.err)
		}
	}
	s := newest()
	require.Len(t, said(s, ledger.CampaignPaused), acts[bob.name+" paused"])
	require.Len(t, said(s, ledger.CampaignResumed), acts[alice.name+" resumed"])
	for _, who := range said(s, ledger.CampaignPaused) {
		require.Equal(t, bob.name, who)
	}
	for _, who := range said(s, ledger.CampaignResumed) {
		require.Equal(t, alice.name, who)
	}
	last := ledger.CampaignResumed
	for _, a := range s.Actions {
		if a.Event == ledger.CampaignPaused || a.Event == ledger.CampaignResumed {
			require.NotEqual(t, last, a.Event, "the ledger has them in turn, as they were done")
			last = a.Event
		}
	}
	if s.Phase == ledger.Paused {
		alice.must("resume")
	} else {
		bob.must("pause")
		alice.must("resume")
	}

	// Both leave the same server out.
	gone := e.Replica.LDAPS()
	leave := func(o *operator, why string) func() ran {
		return func() ran { return o.run("leave-out", "--server", gone, "--reason", why) }
	}
	a, b := together(leave(alice, "it burnt"), leave(bob, "it is in the river"))
	require.Equal(t, 1, a.code+b.code, "one of them: %s%s", a.err, b.err)
	first, why, second := alice, "it burnt", b
	if b.code == 0 {
		first, why, second = bob, "it is in the river", a
	}
	require.Contains(t, second.err, gone+" is left out already, by "+first.name)
	for cmd, said := range map[*exec.Cmd]*transcript{hers: saidToHer, his: saidToHim, watching: saidWatching} {
		_ = cmd.Wait()
		require.Equal(t, 2, cmd.ProcessState.ExitCode(), said.String())
		require.Contains(t, said.String(), "3 dead on some")
	}
	s = newest()
	require.Equal(t, alice.name, s.Actor)
	require.Len(t, s.LeftOut, 1)
	require.Equal(t, first.name, s.LeftOut[0].Actor)
	require.Equal(t, why, s.LeftOut[0].Reason)
	alice.must("ledger", "verify")
	report := strings.Join(strings.Fields(bob.must("report")), " ")
	for _, name := range []string{alice.name, bob.name} {
		require.Contains(t, report, name)
	}

	// He is asked whether to begin one; she begins it meanwhile, and he hears
	// whose he follows.
	run, saidRun, types := bob.asked("run")
	started := strings.TrimSpace(alice.must("start"))
	requireSoon(t, "all wait for the replica", saidRun, func() bool { return newest().Campaign == started && lagging() })
	_, err = io.WriteString(types, "esg-01\n")
	require.NoError(t, err)
	requireSoon(t, "he follows hers", saidRun, func() bool {
		return strings.Contains(strings.Join(strings.Fields(saidRun.String()), " "), "rejoining campaign "+started+", started by "+alice.name)
	})
	alice.oncePassed(saidRun, "relist") // nobody closes what was not tried
	// Both close it.
	shut := func(o *operator) func() ran {
		return func() ran { return o.run("close", "--reason", "nobody is there", "--owner", o.name) }
	}
	a, b = together(shut(alice), shut(bob))
	require.Equal(t, 1, a.code+b.code, "one of them: %s%s", a.err, b.err)
	first, second = alice, b
	if b.code == 0 {
		first, second = bob, a
	}
	require.Regexp(t, `the campaign is being closed, by `+first.name+`|the campaign has ended|no campaign is running for device esg-01`, second.err)
	_ = run.Wait()
	require.Equal(t, 2, run.ProcessState.ExitCode(), saidRun.String())
	s = newest()
	require.Equal(t, []string{first.name}, said(s, ledger.OpenAccepted))
	require.Equal(t, first.name, s.OpenAccepted.Owner)
	alice.must("ledger", "verify")

	// He thinks about an answer; she aborts.
	ends := strings.TrimSpace(bob.must("start"))
	requireSoon(t, "all wait for the replica", saidRun, func() bool { return newest().Campaign == ends && lagging() })
	asked, saidAsked, types := bob.asked("leave-out", "--server", gone, "--reason", "it does not follow")
	require.Contains(t, alice.must("abort"), "aborting: campaign "+ends)
	_, err = io.WriteString(types, "esg-01\n")
	require.NoError(t, err)
	_ = asked.Wait()
	require.Equal(t, 1, asked.ProcessState.ExitCode(), saidAsked.String())
	require.Regexp(t, `cannot leave-out: (the campaign is being aborted, by `+alice.name+`|the campaign has ended|no campaign is running for device esg-01)`, strings.Join(strings.Fields(saidAsked.String()), " "))
	require.Eventually(t, func() bool { return newest().Phase == ledger.Closed }, patience, 50*time.Millisecond)
	s = newest()
	require.Equal(t, bob.name, s.Actor)
	require.Equal(t, []string{alice.name}, said(s, ledger.CampaignAborted))
	require.Empty(t, s.LeftOut)
	alice.must("ledger", "verify")
	require.NoError(t, e.Replica.ResumeReplication(t.Context()))
	requireConsumersServed(t, e)
}
