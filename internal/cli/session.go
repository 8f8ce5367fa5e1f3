package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/worker"

	"rollcall/activities"
	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/engine"
	"rollcall/internal/kind/registry"
	"rollcall/internal/ledger"
	"rollcall/internal/vault"
	"rollcall/workflows"
)

// session is one command's connections.
type session struct {
	*app
	cfg    *config.Campaign
	store  *vault.Store
	kinds  *registry.Registry
	engine *engine.Engine
}

// openVault loads the campaign file and logs in to Vault. The caller closes.
func (a *app) openVault(ctx context.Context) (*session, error) {
	cfg, err := config.Load(a.file)
	if err != nil {
		return nil, err
	}
	a.warnInsecure(cfg)
	store, err := vault.Open(ctx, vault.Settings{Mount: cfg.Vault.Mount, Transit: cfg.Vault.Transit})
	if err != nil {
		return nil, err
	}
	return &session{app: a, cfg: cfg, store: store, kinds: registry.New(store)}, nil
}

func (a *app) warnInsecure(cfg *config.Campaign) {
	for _, name := range cfg.Authorities() {
		if cfg.Authority(name).ClearText() {
			a.say("WARNING: %s is marked insecure: passwords cross the network in clear text", cfg.Called(name))
		}
	}
}

// connect reaches Temporal. mayStart allows starting the local engine.
func (s *session) connect(ctx context.Context, mayStart bool) error {
	e, err := s.app.connect(ctx, s.store, s.cfg.Device, mayStart)
	s.engine = e
	return err
}

func (a *app) connect(ctx context.Context, store *vault.Store, device string, mayStart bool) (*engine.Engine, error) {
	key, err := payloadKey(ctx, store)
	if err != nil {
		return nil, err
	}
	return engine.Connect(ctx, engine.Options{StateDir: a.stateDir, Device: device, PayloadKey: key, Logger: a.logger(), Metrics: a.metrics.Temporal(), MayStart: mayStart})
}

// payloadKey reads the key that seals Temporal payloads, if one is asked for.
func payloadKey(ctx context.Context, store *vault.Store) (credential.Secret, error) {
	ref := os.Getenv("ROLLCALL_PAYLOAD_KEY")
	if ref == "" {
		return credential.Secret{}, nil
	}
	p, err := credential.ParsePath(ref)
	if err != nil {
		// Not its value: it may be the key itself.
		return credential.Secret{}, errors.New("ROLLCALL_PAYLOAD_KEY is no place in Vault: write mount/path#field, never the key itself")
	}
	live, err := store.ReadLive(ctx, p, 0)
	if err == nil && !live.Found {
		err = fmt.Errorf("ROLLCALL_PAYLOAD_KEY: Vault holds nothing at %s; put 32 random bytes in base64 there", p)
	}
	return live.Value, err
}

func (s *session) close() {
	if s.engine != nil {
		_ = s.engine.Stop()
	}
	_ = s.kinds.Close()
	_ = s.store.Close()
}

// work serves the queues until the returned function is called, which lets
// the credentials in hand finish.
func (a *app) work(e *engine.Engine, store *vault.Store, kinds *registry.Registry, ledgerDir string, rotation, records bool) (stop func() error, err error) {
	if records {
		if err := refuseLedgerItself(ledgerDir); err != nil {
			return nil, err
		}
	}
	tuneMemory()
	// Otherwise the SDK hashes the whole program at every start.
	worker.SetBinaryChecksum("rollcall")
	var workers []worker.Worker
	recorder := &activities.Ledger{Store: store, Dir: ledgerDir}
	if rotation {
		w := worker.New(e.Client, activities.RotationQueue, workerOptions(rotation && records))
		workflows.Register(w)
		rotations := activities.NewRotation(store, kinds)
		rotations.Metrics = a.metrics
		w.RegisterActivity(rotations)
		workers = append(workers, w)
	}
	if records {
		w := worker.New(e.Client, activities.LedgerQueue, workerOptions(rotation && records))
		w.RegisterActivity(recorder)
		workers = append(workers, w)
	}
	stop = func() error {
		for _, w := range workers {
			w.Stop()
		}
		return activities.Shut(recorder)
	}
	for _, w := range workers {
		if err := w.Start(); err != nil {
			_ = stop()
			return nil, fmt.Errorf("starting the worker: %w", err)
		}
	}
	return stop, nil
}

// refuseLedgerItself: the ledgers of other campaigns do not belong into one.
func refuseLedgerItself(dir string) error {
	r, err := ledger.OpenReader(dir)
	if err != nil {
		return nil
	}
	return fmt.Errorf("%s is itself the ledger of campaign %s: name the folder that holds it (ledger.dir, --ledger-dir)", dir, r.Campaign())
}

// stopPatience is how long a worker that was told to stop may finish what it
// holds. An activity begins nothing new by then, and bounds each credential in hand.
const stopPatience = 3 * time.Minute

// workerOptions: alone says that this process does all the work there is.
func workerOptions(alone bool) worker.Options {
	return worker.Options{
		WorkerStopTimeout: stopPatience, DisableRegistrationAliasing: true,
		// Well below the heartbeat time-out of the activities, so that a busy
		// machine is not taken for a dead worker.
		DefaultHeartbeatThrottleInterval: time.Second, MaxHeartbeatThrottleInterval: time.Second,
		// Eager execution gives activities to the worker that has their workflow. All
		// batches of a wave are one workflow, and the other workers would get nothing.
		DisableEagerActivities: !alone,
	}
}

// errBusy: the device has a running campaign.
var errBusy = errors.New("a campaign is running")

// start makes a campaign and starts its workflow. errBusy when the device has
// one. Whatever fails before the workflow starts has changed nothing that a
// later start minds.
func (s *session) start(ctx context.Context) (string, error) {
	if err := s.preflight(ctx); err != nil {
		return "", err
	}
	spec, err := json.Marshal(s.cfg)
	if err != nil {
		return "", err
	}
	id, err := s.open(ctx, spec)
	if err != nil {
		return "", err
	}
	_, err = s.engine.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       workflows.CampaignID(s.cfg.Device),
		TaskQueue:                                activities.RotationQueue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		TypedSearchAttributes:                    workflows.SearchAttributes(s.engine.Searchable(ctx), s.cfg.Device, id),
	}, workflows.CampaignWorkflow, workflows.CampaignInput{
		Campaign: id, Device: s.cfg.Device, Actor: actor(), Settings: settings(s.cfg),
	})
	if err != nil {
		var running *serviceerror.WorkflowExecutionAlreadyStarted
		if errors.As(err, &running) {
			_ = s.store.CloseCampaign(ctx, id) // left open it would look alive for a while
			return "", s.busy()
		}
		// The record stays open, and the next campaign closes it: the workflow may
		// run although its answer was lost.
		return "", fmt.Errorf("starting the campaign: %w", err)
	}
	return id, nil
}

// newCampaign names a campaign after its device and second. A second that an
// earlier one has taken is left to it.
func newCampaign(device string, now time.Time, earlier []vault.CampaignRecord) string {
	for ; ; now = now.Add(time.Second) {
		id := device + "-" + now.Format("20060102T150405Z")
		if !slices.ContainsFunc(earlier, func(c vault.CampaignRecord) bool { return c.Campaign == id }) {
			return id
		}
	}
}

func (s *session) busy() error {
	return fmt.Errorf("%w for device %s already: follow it with `rollcall watch`, or end it with `rollcall abort`", errBusy, s.cfg.Device)
}

// preflight finds at once what would otherwise end the campaign while it
// lists: a campaign that runs already, a write server that does not answer or
// refuses the worker's identity. A replica that is down must not keep a
// campaign from starting.
func (s *session) preflight(ctx context.Context) error {
	status, err := s.workflowStatus(ctx)
	if err != nil {
		return err
	}
	if status == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return s.busy()
	}
	found, err := activities.FindServers(ctx, s.kinds, s.cfg)
	spec := found.Of(s.cfg)
	for _, name := range s.cfg.Authorities() {
		if err != nil {
			break
		}
		d, unusable := s.kinds.System(spec, name)
		if err = unusable; err == nil {
			err = d.Ready(ctx)
		}
	}
	if err == nil {
		err = activities.Fit(ctx, s.kinds, spec)
	}
	if err == nil {
		err = activities.Names(ctx, s.store, spec)
	}
	if err != nil {
		return fmt.Errorf("%w; nothing was started", err)
	}
	if m := s.ownMount(ctx); !m.OK {
		return fmt.Errorf("%s; nothing was started; %s", m.Detail, m.Do)
	}
	return s.mayStart(ctx)
}

// batchOf is the file's size of a batch, or 0 for the default. Under a rate limit a batch takes
// long whatever its kind, and what was done is recorded at its end: there it stays small.
func batchOf(c *config.Campaign) int {
	if c.Limits.Batch > 0 {
		return c.Limits.Batch
	}
	for _, name := range c.Authorities() {
		if c.Authority(name).Limits().RatePerSecond > 0 {
			return workflows.DefaultBatch
		}
	}
	return 0
}

func settings(c *config.Campaign) workflows.Settings {
	out := workflows.Settings{
		Batch: c.Limits.Batch, Parallel: c.Limits.Parallel, Concurrency: c.Limits.Concurrency,
		RetryMin: time.Duration(c.Limits.RetryMin), RetryMax: time.Duration(c.Limits.RetryMax), Deadline: time.Duration(c.Limits.Deadline),
	}
	out.Batch = batchOf(c)
	return out
}

// running asks the campaign of the device for its status; nil when none runs.
func (s *session) running(ctx context.Context) (*workflows.Status, error) {
	status, err := s.workflowStatus(ctx)
	if err != nil || status != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil, err
	}
	return s.query(ctx)
}

// workflowStatus is that of the device's campaign, unspecified if there never
// was one. It needs no worker.
func (s *session) workflowStatus(ctx context.Context) (enumspb.WorkflowExecutionStatus, error) {
	d, err := s.describe(ctx)
	if err != nil || d == nil {
		return enumspb.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED, err
	}
	return d.WorkflowExecutionInfo.Status, nil
}

// describe tells of the device's latest campaign on this Temporal; nil if there was none.
func (s *session) describe(ctx context.Context) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	d, err := s.engine.DescribeWorkflowExecution(ctx, workflows.CampaignID(s.cfg.Device), "")
	var none *serviceerror.NotFound
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking Temporal at %s for the campaign: %w", s.engine.Address, err)
	}
	return d, nil
}

// queryWithin is below the SDK's own limit of 10 s for a call, whose end looks
// like a broken connection.
const queryWithin = 8 * time.Second

// rejoinWithin is how long `run` waits for its own worker to answer: what a
// worker that was killed had in hand is given out again after ten seconds, and
// a busy machine needs more.
const rejoinWithin = 90 * time.Second

// query needs a live worker. The one of this process may first have to wait for
// what a killed one had in hand.
func (s *session) query(ctx context.Context) (*workflows.Status, error) {
	v, err := s.queryOnce(ctx)
	for end := time.Now().Add(rejoinWithin); err != nil && s.engine.Started && ctx.Err() == nil && time.Now().Before(end); {
		select {
		case <-time.After(200 * time.Millisecond):
			v, err = s.queryOnce(ctx)
		case <-s.engine.Gone():
			return nil, fmt.Errorf("the engine ended by itself; the same command goes on from what is on disk (its log is in %s)", s.stateDir)
		case <-ctx.Done():
		}
	}
	if err != nil {
		return nil, fmt.Errorf("asking the campaign at %s for its status: %w; only a worker can answer: start `rollcall worker`", s.engine.Address, err)
	}
	var st workflows.Status
	if err := v.Get(&st); err != nil {
		return nil, err
	}
	if st.Wave >= 0 && st.Wave < len(st.Waves) {
		s.addRunningWave(ctx, &st)
	}
	return &st, nil
}

func (s *session) queryOnce(ctx context.Context) (converter.EncodedValue, error) {
	within, cancel := context.WithTimeout(ctx, queryWithin)
	defer cancel()
	v, err := s.engine.QueryWorkflow(within, workflows.CampaignID(s.cfg.Device), "", workflows.QueryStatus)
	if err != nil && within.Err() != nil {
		err = fmt.Errorf("no answer in %s", queryWithin)
	}
	return v, err
}

// addRunningWave asks the running wave, which may end in between: then the
// campaign's own figures stand.
func (s *session) addRunningWave(ctx context.Context, st *workflows.Status) {
	v, err := s.engine.QueryWorkflow(ctx, workflows.WaveID(st.Campaign, st.Waves[st.Wave].Wave), "", workflows.QueryStatus)
	if err != nil {
		return
	}
	var w workflows.WaveStatus
	if v.Get(&w) == nil {
		st.Waves[st.Wave] = w
	}
}
