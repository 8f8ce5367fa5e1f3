package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/vault"
	"rollcall/internal/wire"
)

func TestTwoWorkersAndALedgerWorkerEachWithItsOwnLoginEndACampaign(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 58, AppRoles: 3, Odd: true, Bystanders: 3, Policy: strict})
	file, err := e.CampaignFile(nil, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 5m, batch: 4}\n")
	require.NoError(t, err)
	key := make([]byte, 32)
	_, err = rand.Read(key)
	require.NoError(t, err)
	c := startCluster(t, e, file, "ROLLCALL_PAYLOAD_KEY=rollcall/payload-key#key")
	c.ledgers = filepath.Join(e.Dir, "another-host")
	_, err = e.Vault.Client().Logical().Write("rollcall/data/payload-key", map[string]any{"data": map[string]any{"key": base64.StdEncoding.EncodeToString(key)}})
	require.NoError(t, err)
	r := startRaid(t, e)
	r.listening()

	campaign := strings.TrimSpace(c.must("start"))
	t.Run("a second start is an error and changes nothing", func(t *testing.T) {
		before := records(t, e)
		again := c.run("start")
		require.Equal(t, 1, again.code, again.out)
		require.Contains(t, again.err, "a campaign is running for device "+estate.Device+" already")
		require.Contains(t, again.err, "rollcall watch")
		require.Equal(t, before, records(t, e))
	})
	counting := []*service{c.countingWorker(), c.countingWorker()}
	c.ledgerWorker() // nothing goes on without it, and so not with one worker alone
	watched := c.run("watch")
	require.Equal(t, 2, watched.code, "one path has no account:\n%s%s", watched.out, watched.err)
	results := r.end()

	state := c.state(campaign)
	require.Equal(t, ledger.Closed, state.Phase)
	require.Len(t, state.Credentials, 65)
	requireAllDead(t, state, results, estate.Vanished)
	r.requireNothingOverheard(state)
	requireConsumersServed(t, e)
	requireBystandersUntouched(t, e)
	requireClean(t, e)
	folder := filepath.Join(c.ledgers, campaign)
	require.Contains(t, c.must("ledger", "verify", "--ledger", folder), "VERIFIED")
	require.Contains(t, c.must("report", "--ledger", folder), "65 listed · 64 dead · 1 open")

	counted := 0
	for _, w := range counting {
		code, said := w.health()
		require.Equal(t, "200 ok\n", fmt.Sprint(code, " ", said))
		text := w.metrics()
		require.Contains(t, text, "temporal_request_total{")
		for _, at := range regexp.MustCompile(`rollcall_credentials_dead_total\{kind="[a-z-]+"\} (\d+)`).FindAllStringSubmatch(text, -1) {
			n, err := strconv.Atoi(at[1])
			require.NoError(t, err)
			counted += n
		}
	}
	workers := map[string]int{}
	sealed, twice := 0, false
	c.histories(campaign, func(ev *historypb.HistoryEvent) {
		if s := ev.GetActivityTaskStartedEventAttributes(); s != nil {
			workers[s.Identity]++
			twice = twice || s.Attempt > 1
		}
		for _, p := range payloads(ev) {
			require.Equal(t, "binary/rollcall-aes-256-gcm", string(p.Metadata["encoding"]), ev.EventType.String())
			sealed++
		}
	})
	require.Len(t, workers, 3, "two workers and the ledger's share the activities")
	require.Greater(t, sealed, 50)
	require.GreaterOrEqual(t, counted, 64, "of both workers together")
	require.True(t, counted == 64 || twice, "%d are counted, and each was proved once", counted)
	t.Run("Temporal's database holds no readable payload", func(t *testing.T) {
		for _, name := range []string{c.engine.Database(), c.engine.Database() + "-wal"} {
			data, err := os.ReadFile(name)
			require.NoError(t, err)
			require.False(t, bytes.Contains(data, []byte("binary/zlib")), name)
			require.False(t, bytes.Contains(data, []byte(state.Credentials[0].Name)), name)
			// The ids of workflows hold the campaign's; its inputs do not show.
			require.False(t, bytes.Contains(data, []byte(`"campaign":`)), "an input of ours is in clear text")
		}
	})
	t.Run("each login can do its own work and no other", func(t *testing.T) {
		requireDenied(t, c, vault.LedgerPolicy, "kv/data/"+e.Live[e.Stolen[0].ID].Path, "rollcall/data/staging/x", "rollcall/data/specs/campaign/"+campaign+"/index", "kv/data/infra/rollcall-bind")
		requireDenied(t, c, vault.OperatorPolicy, "kv/data/"+e.Live[e.Stolen[0].ID].Path, "rollcall/data/staging/x")
		requireDenied(t, c, vault.WorkerPolicy, "rollcall-transit/keys/ledger", "rollcall/data/checkpoints/"+campaign, "auth/approle/role/rollcall-ledger/role-id")
		for _, policy := range []string{vault.WorkerPolicy, vault.OperatorPolicy} {
			_, err := as(t, c, policy).Logical().Write("rollcall-transit/sign/ledger", map[string]any{"input": "Zm9yZ2Vk"})
			require.ErrorContains(t, err, "permission denied", policy)
		}
	})
}

// records are the names of all campaigns, specifications and ledgers there are.
func records(t *testing.T, e *estate.Estate) []any {
	t.Helper()
	var out []any
	for _, folder := range []string{"campaigns", "specs/campaign", "rolls", "staging"} {
		got, err := e.Vault.Client().Logical().List("rollcall/metadata/" + folder)
		require.NoError(t, err)
		if got != nil {
			out = append(out, got.Data["keys"])
		}
	}
	return out
}

// payloads are what an event of ours carries.
func payloads(ev *historypb.HistoryEvent) []*commonpb.Payload {
	switch ev.EventType {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		return ev.GetWorkflowExecutionStartedEventAttributes().Input.GetPayloads()
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		return ev.GetActivityTaskScheduledEventAttributes().Input.GetPayloads()
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		return ev.GetActivityTaskCompletedEventAttributes().Result.GetPayloads()
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		return ev.GetWorkflowExecutionCompletedEventAttributes().Result.GetPayloads()
	}
	return nil
}

// as logs in as one of the roles.
func as(t *testing.T, c *cluster, role string) *vaultapi.Client {
	t.Helper()
	login := c.login(role)
	secret, err := os.ReadFile(strings.TrimPrefix(login[1], "ROLLCALL_SECRET_ID_FILE="))
	require.NoError(t, err)
	api := c.e.Vault.Client()
	got, err := api.Logical().Write("auth/approle/login", map[string]any{
		"role_id": strings.TrimPrefix(login[0], "ROLLCALL_ROLE_ID="), "secret_id": strings.TrimSpace(string(secret)),
	})
	require.NoError(t, err)
	api.SetToken(got.Auth.ClientToken)
	return api
}

func requireDenied(t *testing.T, c *cluster, role string, paths ...string) {
	t.Helper()
	api := as(t, c, role)
	for _, path := range paths {
		_, err := api.Logical().Read(path)
		require.ErrorContains(t, err, "permission denied", "%s may read %s", role, path)
	}
}

func TestRunOnOneMachineNeedsTheWorkersAndTheLedgersPoliciesAndNoMore(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 4, AppRoles: 1})
	file, err := e.CampaignFile(nil, unhurried)
	require.NoError(t, err)
	u := newUser(t, e, file)
	u.must("init")
	token, err := e.Vault.Client().Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: []string{vault.WorkerPolicy, vault.LedgerPolicy}, TTL: "1h"})
	require.NoError(t, err)
	u.env = append(u.env, "VAULT_TOKEN="+token.Auth.ClientToken)
	u.must("run")
	requireConsumersServed(t, e)
	require.Len(t, deaths(t, u.ledger()), 5)
}

func TestACampaignOutlivesWorkersThatAreStoppedAndKilled(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 60, Bystanders: 2, Policy: strict})
	directory, _ := proxied(t, e)
	e.Directory = waitsLong
	file, err := e.CampaignFile([]string{directory.URL()}, "limits: {retry_min: 200ms, retry_max: 1s, deadline: 5m, batch: 5, parallel: 4, concurrency: 2}\n")
	require.NoError(t, err)
	c := startCluster(t, e, file)
	r := startRaid(t, e)
	campaign := strings.TrimSpace(c.must("start"))
	c.ledgerWorker()

	paused := pauseAt(directory, 5)
	stopped := c.worker()
	await(t, paused, "five were not set") // it has others in hand, whose next answer it waits for
	stopped.signal(syscall.SIGTERM)
	require.Eventually(t, func() bool { return stopped.said("finishing what is in hand") }, patience, tick)
	directory.Resume()
	require.Zero(t, stopped.wait().code, stopped.errors())
	state := c.state(campaign)
	require.NotEqual(t, ledger.Closed, state.Phase)
	require.Less(t, len(deaths(t, state)), 60, "it began nothing new")
	requireConsumersServed(t, e)

	paused = pauseAt(directory, 10)
	killed := c.worker()
	await(t, paused, "the second worker set nothing")
	other := c.worker()
	killed.kill()
	requireNothingLost(t, e)
	directory.Resume()
	watched := c.run("watch")
	require.Zero(t, watched.code, watched.out+watched.err)
	require.False(t, other.over())
	requireAllDead(t, c.state(campaign), r.end())
	requireConsumersServed(t, e)
	requireBystandersUntouched(t, e)
	requireClean(t, e)
	other.signal(syscall.SIGTERM)
	require.Zero(t, other.wait().code)

	rotated := map[string]bool{}
	scheduled := map[int64]string{}
	c.histories(campaign, func(ev *historypb.HistoryEvent) {
		if s := ev.GetActivityTaskScheduledEventAttributes(); s != nil {
			scheduled[ev.EventId] = s.TaskQueue.Name
		}
		if s := ev.GetActivityTaskStartedEventAttributes(); s != nil && scheduled[s.ScheduledEventId] == wire.RotationQueue {
			rotated[s.Identity] = true
		}
	})
	require.Len(t, rotated, 3, "all three had a part in it")
}
