package e2e

import (
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/faultproxy"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/report"
)

// hold stops a rotation at the first request of a step, until released.
type hold struct {
	step     protocol.Step
	reached  chan struct{}
	released chan struct{}

	mu        sync.Mutex
	listed    bool // the roll was written
	set       bool // a password was set
	activated bool // a new value was made readable
	fired     bool
}

var livePath = regexp.MustCompile(`^/v1/kv/data/(apps|mail)/`)

// is reports whether a request is the first of the step. The order of a
// rotation: look at the account, read live, stage, set, bind with the new
// value, activate, bind with the old value, look at the versions, destroy. What
// is read before the roll is written, the listing reads.
func (h *hold) is(r faultproxy.Request) bool {
	person := r.Kind == "bind" && strings.HasPrefix(r.Detail, "uid=")
	live, write := livePath.MatchString(r.Detail), r.Kind == "PUT" || r.Kind == "POST"
	defer func() {
		h.listed = h.listed || write && strings.HasPrefix(r.Detail, "/v1/rollcall/data/rolls/")
		h.set = h.set || r.Detail == passwordModify
		h.activated = h.activated || live && write
	}()
	switch h.step {
	case listing:
		return r.Kind == "LIST" && strings.Contains(r.Detail, "kv/metadata/")
	case protocol.Precheck:
		return h.listed && (live && r.Kind == "GET" || r.Kind == "search") // the first pass has the paths from the listing
	case protocol.Stage:
		return write && strings.HasPrefix(r.Detail, "/v1/rollcall/data/staging/")
	case protocol.Set:
		return r.Detail == passwordModify
	case protocol.Verify:
		return person && h.set
	case protocol.Activate:
		return live && write
	case protocol.Prove:
		return person && h.activated
	case protocol.Clean:
		return h.activated && r.Kind == "GET" && strings.HasPrefix(r.Detail, "/v1/kv/metadata/")
	}
	return false
}

const (
	listing        protocol.Step = "listing"
	passwordModify string        = "1.3.6.1.4.1.4203.1.11.1" // RFC 3062
)

func (h *hold) see(r faultproxy.Request) {
	h.mu.Lock()
	now := !h.fired && h.is(r)
	h.fired = h.fired || now
	// The next batch is begun while one is cleaned, and another credential
	// beside one that is activated: they must not end meanwhile.
	held := now || h.fired && (h.step == protocol.Clean || h.step == protocol.Activate)
	h.mu.Unlock()
	if now {
		close(h.reached)
	}
	if held {
		<-h.released
	}
}

// controlled is a cluster with one worker whose every request can be held.
// Batches are of two credentials, one batch and one credential at a time.
type controlled struct {
	*cluster
	directory, store *faultproxy.Proxy
}

const accounts = 6

func startControlled(t *testing.T) *controlled {
	t.Helper()
	e := startEstate(t, estate.Options{Accounts: accounts, Bystanders: 1})
	e.Directory = waitsLong
	c := &controlled{}
	c.directory, c.store = proxied(t, e)
	file, err := e.CampaignFile([]string{c.directory.URL()}, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 5m, batch: 2, parallel: 1, concurrency: 1}\n")
	require.NoError(t, err)
	c.cluster = startCluster(t, e, file)
	c.ledgerWorker()
	c.worker("VAULT_ADDR="+c.store.URL(), vaultWaitsLong)
	return c
}

// What a worker asks may be held for as long as several commands take: it must
// not be given up meanwhile as a request without an answer.
const (
	waitsLong      = "    timeout: 10m\n" // of the directory
	vaultWaitsLong = "VAULT_CLIENT_TIMEOUT=10m"
)

// in is c in a subtest, which then fails instead of its parent.
func (c *controlled) in(t *testing.T) *controlled {
	sub, as := *c.cluster, *c.user
	as.t, sub.user = t, &as
	return &controlled{&sub, c.directory, c.store}
}

// holdAt holds the next campaign at a step.
func (c *controlled) holdAt(step protocol.Step) (reached <-chan struct{}, release func()) {
	h := &hold{step: step, reached: make(chan struct{}), released: make(chan struct{})}
	c.directory.OnRequest(h.see)
	c.store.OnRequest(h.see)
	release = sync.OnceFunc(func() {
		close(h.released)
		c.directory.OnRequest(nil)
		c.store.OnRequest(nil)
	})
	c.t.Cleanup(release)
	return h.reached, release
}

// runUntil starts a campaign and returns when it is held at a step.
func (c *controlled) runUntil(step protocol.Step) (run *service, campaign string, release func()) {
	c.t.Helper()
	reached, release := c.holdAt(step)
	run = c.follow("run")
	select {
	case <-reached:
	case <-run.done:
		require.Fail(c.t, "the campaign ended before "+string(step), run.errors())
	case <-time.After(patience):
		require.Fail(c.t, "the campaign never came to "+string(step), run.errors())
	}
	require.Eventually(c.t, func() bool {
		named := campaignLine.FindStringSubmatch(run.errors())
		if named != nil {
			campaign = named[1]
		}
		return named != nil
	}, patience, tick)
	return run, campaign, release
}

var campaignLine = regexp.MustCompile(`(?m)^campaign (\S+)$`)

func (c *controlled) refuses(why string, args ...string) {
	c.t.Helper()
	r := c.run(args...)
	require.Equal(c.t, 1, r.code, "%v: %s%s", args, r.out, r.err)
	require.Equal(c.t, 1, strings.Count(r.err, "\n"), "one message: %s", r.err)
	require.Contains(c.t, r.err, why)
}

// live versions of all accounts, by ledger id.
func (c *controlled) versions() map[string]int {
	out := map[string]int{}
	for id, p := range c.e.Live {
		out[id] = versions(c.t, c.e.Vault.Client(), p)
	}
	return out
}

var steps = []protocol.Step{protocol.Precheck, protocol.Stage, protocol.Set, protocol.Verify, protocol.Activate, protocol.Prove, protocol.Clean}

func TestPauseFinishesTheBatchInHandAndBeginsNoOther(t *testing.T) {
	t.Parallel()
	c := startControlled(t)
	c.refuses("cannot pause: no campaign is running for device esg-01", "pause")
	for _, step := range steps {
		t.Run("at "+string(step), func(t *testing.T) {
			c := c.in(t)
			run, campaign, release := c.runUntil(step)
			c.refuses("cannot resume: the campaign is not paused", "resume")
			require.Equal(t, "paused: campaign "+campaign+"\n", c.must("pause"))
			c.refuses("cannot pause: the campaign is paused already", "pause")
			release()
			inHand := 2
			if step == protocol.Clean {
				inHand = 4 // a batch is cleaned beside the next one
			}
			require.Eventually(t, func() bool { return len(deaths(t, c.state(campaign))) == inHand && nothingStaged(t, c.e) }, patience, tick)
			before := c.directory.Count()
			require.Never(t, func() bool { return c.directory.Count() > before }, 400*time.Millisecond, tick, "another batch was begun")
			require.Equal(t, ledger.Paused, decode[report.Status](t, c.must("status", "-o", "json")).State)
			require.False(t, run.over())

			require.Equal(t, "resumed: campaign "+campaign+"\n", c.must("resume"))
			ended := run.wait()
			require.Zero(t, ended.code, ended.out+ended.err)
			require.Len(t, deaths(t, c.state(campaign)), accounts)
			requireConsumersServed(t, c.e)
		})
	}
	c.refuses("cannot resume: no campaign is running", "resume")
	requireBystandersUntouched(t, c.e)
}

func nothingStaged(t *testing.T, e *estate.Estate) bool {
	for id := range e.Live {
		if !staged(t, e, id).IsZero() {
			return false
		}
	}
	return true
}

func TestAbortFinishesWhatIsInHandGoesNeverBackAndLeavesTheRestAlone(t *testing.T) {
	t.Parallel()
	c := startControlled(t)
	for _, step := range append([]protocol.Step{listing}, steps...) {
		t.Run("at "+string(step), func(t *testing.T) {
			c := c.in(t)
			before := c.versions()
			run, campaign, release := c.runUntil(step)
			if step == listing {
				c.refuses("cannot pause: the campaign is still listing", "pause")
			}
			require.Equal(t, "aborting: campaign "+campaign+"\n", c.must("abort"))
			c.refuses("cannot abort: the campaign is being aborted already", "abort")
			c.refuses("cannot pause: the campaign is being aborted", "pause")
			announced := 0
			if step != listing {
				for _, l := range c.state(campaign).Credentials {
					if l.Attempt > 0 {
						announced++
					}
				}
			}
			release()
			ended := run.wait()
			require.Equal(t, 2, ended.code, ended.out+ended.err)

			state := c.state(campaign)
			require.Equal(t, ledger.Closed, state.Phase)
			// The worker hears of it with its next heartbeat; until then it may
			// begin one more credential of the batch.
			least, most := 0, 0
			switch step {
			case protocol.Set, protocol.Verify, protocol.Activate, protocol.Prove:
				least, most = 1, 2
			case protocol.Clean:
				// A batch is cleaned beside the next one, of which nothing is
				// set that the ledger had not announced before the abort.
				least, most = 2, announced
			}
			dead := len(deaths(t, state))
			require.GreaterOrEqual(t, dead, least, "what is in hand is finished")
			require.LessOrEqual(t, dead, most, "and nothing else is begun")
			require.Len(t, state.Credentials, accounts)
			for _, l := range state.Credentials {
				if l.Outcome == ledger.Dead {
					require.Equal(t, before[l.ID]+1, versions(t, c.e.Vault.Client(), c.e.Live[l.ID]), "%s went back", l.Name)
					continue
				}
				require.Equal(t, ledger.IsException, l.Outcome, l.Name)
				require.Equal(t, protocol.ReasonInterrupted, l.Reason, l.Name)
				require.Equal(t, before[l.ID], versions(t, c.e.Vault.Client(), c.e.Live[l.ID]), l.Name)
			}
			requireConsumersServed(t, c.e)
		})
	}
	c.refuses("cannot abort: no campaign is running", "abort")
	c.must("run")
	require.True(t, nothingStaged(t, c.e), "what an aborted campaign staged is taken over")
	requireConsumersServed(t, c.e)
	requireBystandersUntouched(t, c.e)
}

func TestCtrlCFinishesTheCredentialInHandAndTheSameCommandGoesOn(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 12, Bystanders: 1, Policy: strict})
	e.Directory = waitsLong
	c := &controlled{cluster: &cluster{}}
	c.directory, c.store = proxied(t, e)
	file, err := e.CampaignFile([]string{c.directory.URL()}, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 5m, batch: 12, concurrency: 2}\n")
	require.NoError(t, err)
	c.user = newUser(t, e, file)
	c.user.must("init")
	c.user.env = append(c.user.env, "VAULT_ADDR="+c.store.URL(), vaultWaitsLong)
	r := startRaid(t, e)

	run, campaign, release := c.runUntil(protocol.Activate)
	run.signal(syscall.SIGINT)
	require.Eventually(t, func() bool { return run.said("detached from campaign " + campaign) }, patience, tick)
	release()
	left := run.wait()
	require.Equal(t, 3, left.code, left.err)
	require.Contains(t, left.err, "the same command goes on from here")
	requireConsumersServed(t, e)
	require.Less(t, len(deaths(t, c.user.ledger())), 12)

	// What was written into the file since takes no part: whoever wrote it must
	// not believe that it does.
	asIs, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, append(asIs, "\nexclude: [{account: svc-esg-011, reason: the plant stands still without it}]\n"...), 0o600))
	before := len(deaths(t, c.user.ledger()))
	changed := c.user.run("run")
	require.Equal(t, 1, changed.code, changed.out)
	require.Contains(t, changed.err, "campaign "+campaign+" runs with another campaign file than")
	require.Contains(t, changed.err, ": exclude.")
	require.Len(t, deaths(t, c.user.ledger()), before, "nothing went on meanwhile")

	again := c.user.run("run", "--as-started")
	require.Zero(t, again.code, again.out+again.err)
	require.Contains(t, again.err, "rejoining campaign "+campaign)
	requireAllDead(t, c.user.ledger(), r.end())
	requireConsumersServed(t, e)
	requireBystandersUntouched(t, e)
	requireClean(t, e)
}
