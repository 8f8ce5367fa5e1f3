package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"rollcall/activities"
	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/engine"
	"rollcall/internal/estate"
	"rollcall/internal/kind/registry"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup"
	"rollcall/internal/wire"
)

// The replay fixtures are made anew, from campaigns on real servers, by
//
//	go test ./workflows -record
//
// which runs no test. It takes a few minutes and needs what the tests of
// internal/e2e need. Do it only when a change of the workflows is meant to
// strand campaigns that run; otherwise TestEveryRecordedHistoryReplays must
// stay green with the fixtures as they are. With -scene NAME it makes the files
// of one scene and leaves the others.
var (
	recordFixtures = flag.Bool("record", false, "make the replay fixtures anew instead of testing")
	recordScene    = flag.String("scene", "", "with -record: make those of this scene alone")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if !*recordFixtures {
		// The SDK's test suite measures it by the machine's clock: whatever
		// keeps this process from running for so long would end an activity.
		heartbeat = 24 * time.Hour
		os.Exit(m.Run())
	}
	if err := recordAll(); err != nil {
		fmt.Fprintln(os.Stderr, "recording:", err)
		os.Exit(1)
	}
}

// stage is what campaigns are recorded on.
type stage struct {
	client.Client
	estate *estate.Estate
	store  *ownmount.Store
	spec   []byte
	tasks  []byte // the same, with a task of people
	// doors and doorTasks have a door, and a task that it proves.
	doors, doorTasks []byte
	twoDoors         []byte // the same, and that task has two
	office           *office
	device           *lab.Appliance
	n                int
}

const operator = "operator@example.org"

func recordAll() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "rollcall-record-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	s, stop, err := setStage(ctx, dir)
	if err != nil {
		return err
	}
	defer stop()
	if *recordScene == "" {
		if err := os.RemoveAll(fixtures); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(fixtures, 0o755); err != nil {
		return err
	}
	for _, scene := range scenes {
		if *recordScene != "" && scene.name != *recordScene {
			continue
		}
		began := time.Now()
		in := settings
		in.Batch, in.Parallel, in.Concurrency = 20, 1, 4
		in.RetryMin, in.RetryMax, in.Deadline = 200*time.Millisecond, time.Second, 2*time.Second
		if scene.settings != nil {
			scene.settings(&in)
		}
		spec := s.spec
		if scene.people {
			spec = s.tasks
		}
		if scene.doors {
			if s.office == nil {
				if s.office, err = s.openOffice(ctx, dir); s.office != nil {
					defer s.office.close(context.WithoutCancel(ctx))
				}
				if err != nil {
					return fmt.Errorf("%s: %w", scene.name, err)
				}
			}
			spec = s.doors
			if scene.people {
				spec = s.doorTasks
			}
			if scene.twoDoors {
				spec = s.twoDoors
			}
		}
		if scene.with != nil {
			if spec, err = scene.with(spec); err != nil {
				return fmt.Errorf("%s: %w", scene.name, err)
			}
		}
		if scene.before != nil {
			if err := scene.before(ctx, s); err != nil {
				return fmt.Errorf("%s: %w", scene.name, err)
			}
		}
		askOften = 10 * time.Minute
		if scene.watched {
			askOften = 3 * time.Second
			if spec, err = s.addressed(spec); err != nil {
				return fmt.Errorf("%s: %w", scene.name, err)
			}
			defer s.device.Close()
		}
		if err := s.play(ctx, in, scene.launched, spec, scene.when, scene.during); err != nil {
			return fmt.Errorf("%s: %w", scene.name, err)
		}
		n, err := s.save(ctx, scene.name, began)
		if err != nil {
			return fmt.Errorf("%s: %w", scene.name, err)
		}
		fmt.Printf("%s: %d histories, %s\n", scene.name, n, time.Since(began).Round(time.Millisecond))
	}
	return nil
}

// setStage starts every server, an engine and workers.
func setStage(ctx context.Context, dir string) (s *stage, stop func(), err error) {
	var stops []func()
	stop = func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}
	defer func() {
		if err != nil {
			stop()
		}
	}()
	s = &stage{}
	if s.estate, err = estate.Start(ctx, estate.Options{
		Dir: dir, Accounts: dispatches + 10, Replica: true, Odd: true, AppRoles: 1, Bystanders: 1,
	}); err != nil {
		return nil, stop, err
	}
	stops = append(stops, func() { s.estate.Stop(context.WithoutCancel(ctx)) })
	for _, v := range s.estate.Environ() {
		name, value, _ := strings.Cut(v, "=")
		if err := os.Setenv(name, value); err != nil {
			return nil, stop, err
		}
	}
	file, err := s.estate.CampaignFile(nil, "waves:\n  - {name: logins, kind: approle-secret-id, batch: 1}\n")
	if err != nil {
		return nil, stop, err
	}
	cfg, err := config.Load(file)
	if err != nil {
		return nil, stop, err
	}
	if s.spec, err = json.Marshal(cfg); err != nil {
		return nil, stop, err
	}
	cfg.Sources = append(cfg.Sources, config.Source{Name: "people", Type: config.Manifest, File: "tasks.yaml",
		Content: []byte("- {kind: shared-secret, name: radius, due: 9h, owner: people/alice, ends: [gateway, {name: NPS, owner: people/bob}]}\n")})
	if s.tasks, err = json.Marshal(cfg); err != nil {
		return nil, stop, err
	}
	if err = s.hire("alice", "bob"); err != nil {
		return nil, stop, err
	}
	if s.store, err = ownmount.Open(ctx, ownmount.Settings{Mount: cfg.Vault.Mount, Transit: cfg.Vault.Transit}); err != nil {
		return nil, stop, err
	}
	stops = append(stops, func() { _ = s.store.Close() })
	if _, err = setup.Run(ctx, s.store, cfg, nil); err != nil {
		return nil, stop, err
	}
	if err = s.store.SaveSpec(ctx, ownmount.ScheduleSpec("weekly"), s.spec); err != nil {
		return nil, stop, err
	}
	e, err := lab.StartEngine(ctx, lab.EngineOptions{Dir: filepath.Join(dir, "engine")})
	if err != nil {
		return nil, stop, err
	}
	stops = append(stops, func() { _ = e.Stop(context.WithoutCancel(ctx)) })
	data, failures := converters()
	s.Client, err = client.DialContext(ctx, client.Options{
		HostPort: e.Address(), Identity: "rollcall", DataConverter: data, FailureConverter: failures,
		Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		return nil, stop, err
	}
	stops = append(stops, s.Close)
	kinds := registry.New(s.store.Client)
	stops = append(stops, func() { _ = kinds.Close() })
	records := &activities.Ledger{Store: s.store, Dir: filepath.Join(dir, "ledger")}
	stops = append(stops, func() { _ = activities.Shut(records) })
	rotations := worker.New(s.Client, wire.RotationQueue, worker.Options{DisableRegistrationAliasing: true})
	Register(rotations)
	rotations.RegisterActivity(activities.NewRotation(s.store, kinds))
	ledgers := worker.New(s.Client, wire.LedgerQueue, worker.Options{DisableRegistrationAliasing: true})
	ledgers.RegisterActivity(records)
	for _, w := range []worker.Worker{rotations, ledgers} {
		if err = w.Start(); err != nil {
			return nil, stop, err
		}
		stops = append(stops, w.Stop)
	}
	return s, stop, nil
}

// addressed gives the device an address, where nothing answers yet.
func (s *stage) addressed(spec []byte) (_ []byte, err error) {
	if s.device, err = lab.StartAppliance("127.0.0.90"); err != nil {
		return nil, err
	}
	var cfg config.Campaign
	if err := json.Unmarshal(spec, &cfg); err != nil {
		return nil, err
	}
	cfg.Containment.Addresses, cfg.Containment.Ports = []string{s.device.Address}, []int{s.device.Port}
	return json.Marshal(&cfg)
}

// hire makes people with logins of their own.
func (s *stage) hire(names ...string) error {
	api := s.estate.Vault.Client()
	if err := api.Sys().EnableAuthWithOptions("people", &vaultapi.EnableAuthOptions{Type: "userpass"}); err != nil {
		return err
	}
	for _, name := range names {
		if _, err := api.Logical().Write("auth/people/users/"+name, map[string]any{"password": "not-a-secret"}); err != nil {
			return err
		}
		if _, err := api.Logical().Write("auth/people/login/"+name, map[string]any{"password": "not-a-secret"}); err != nil {
			return err
		}
	}
	return nil
}

// correct gives the secret of an account that nobody has to somebody, and
// stores the campaign file to list again with.
func (s *stage) correct(ctx context.Context) error {
	_, err := s.estate.Vault.Client().Logical().WriteWithContext(ctx, "kv/metadata/apps/"+estate.Device+"/"+estate.Vanished,
		map[string]any{"custom_metadata": map[string]any{"directory": "corp", "account": "app-0001", "field": "password"}})
	if err != nil {
		return err
	}
	return s.store.SaveSpec(ctx, ownmount.RelistSpec(fmt.Sprintf("%s-%d", estate.Device, s.n), "again"), s.spec)
}

// forgotten makes a login of the device to Vault that reads what it has, and
// stores the campaign file to list again with.
func (s *stage) forgotten(ctx context.Context) error {
	if err := s.secondLogin(ctx); err != nil {
		return err
	}
	return s.store.SaveSpec(ctx, ownmount.RelistSpec(fmt.Sprintf("%s-%d", estate.Device, s.n), "again"), s.spec)
}

// secondLogin makes a login of the device to Vault that reads what it has.
func (s *stage) secondLogin(ctx context.Context) error {
	api := s.estate.Vault.Client().Logical()
	const role = "auth/approle/role/storage"
	if err := s.estate.Vault.Client().Sys().PutPolicyWithContext(ctx, "storage-reads", `path "kv/data/apps/`+estate.Device+`/*" { capabilities = ["read"] }`); err != nil {
		return err
	}
	if _, err := api.WriteWithContext(ctx, role, map[string]any{"token_policies": "storage-reads"}); err != nil {
		return err
	}
	made, err := api.WriteWithContext(ctx, role+"/secret-id", nil)
	if err != nil {
		return err
	}
	at := "apps/" + estate.Device + "/storage"
	if err := s.estate.Vault.SeedKV(ctx, map[string]map[string]any{at: {"secret_id": made.Data["secret_id"]}}); err != nil {
		return err
	}
	return s.estate.Vault.SeedMetadata(ctx, map[string]map[string]any{at: {"account": "approle/storage", "directory": "vault", "field": "secret_id"}})
}

// role is the AppRole with which the device logs in.
func (s *stage) role() string {
	for _, stolen := range s.estate.Stolen {
		if name, is := strings.CutPrefix(stolen.ID, "vault/approle/"); is {
			return name
		}
	}
	return ""
}

// play runs one campaign to its end.
func (s *stage) play(ctx context.Context, in Settings, launched bool, spec []byte, when func(Status, WaveStatus) bool, during func(context.Context, *stage) error) error {
	if when == nil {
		when = func(st Status, w WaveStatus) bool { return st.Wave == 1 && w.Dead > 0 }
	}
	s.n++
	id := fmt.Sprintf("%s-%d", estate.Device, s.n)
	var run client.WorkflowRun
	var err error
	if launched {
		run, err = s.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "schedule/weekly", TaskQueue: wire.RotationQueue},
			LauncherWorkflow, LauncherInput{Schedule: "weekly", Device: estate.Device, Actor: "schedule", Settings: in})
	} else {
		if err := activities.Open(ctx, s.store, ownmount.CampaignRecord{Campaign: id, Device: estate.Device, Actor: operator}, spec); err != nil {
			return err
		}
		run, err = s.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: CampaignID(estate.Device), TaskQueue: wire.RotationQueue},
			CampaignWorkflow, CampaignInput{Campaign: id, Device: estate.Device, Actor: operator, Settings: in})
	}
	if err != nil {
		return err
	}
	if during != nil {
		if err := s.await(ctx, func(st Status, w WaveStatus) bool { return when(st, w) || st.Phase == ledger.Closed }); err != nil {
			return err
		}
		if err := during(ctx, s); err != nil {
			return err
		}
	}
	return run.Get(ctx, nil)
}

// await asks the campaign and its running wave until they say so.
func (s *stage) await(ctx context.Context, until func(Status, WaveStatus) bool) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		var st Status
		var w WaveStatus
		v, err := s.QueryWorkflow(ctx, CampaignID(estate.Device), "", QueryStatus)
		if err == nil {
			err = v.Get(&st)
		}
		if err == nil && st.Wave >= 0 && st.Wave < len(st.Waves) {
			if v, err := s.QueryWorkflow(ctx, WaveID(st.Campaign, st.Waves[st.Wave].Wave), "", QueryStatus); err == nil {
				_ = v.Get(&w)
			}
		}
		if err == nil && until(st, w) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

func (s *stage) tell(ctx context.Context, name string, arg any) error {
	h, err := s.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{
		WorkflowID: CampaignID(estate.Device), UpdateName: name, Args: []any{arg}, WaitForStage: client.WorkflowUpdateStageCompleted,
	})
	if err != nil {
		return err
	}
	return h.Get(ctx, nil)
}

// save writes the histories of what ran since began: of the campaign and of
// every run of its waves.
func (s *stage) save(ctx context.Context, scene string, began time.Time) (int, error) {
	query := fmt.Sprintf("StartTime >= '%s'", began.UTC().Format(time.RFC3339Nano))
	type found struct {
		id, run string
		length  int64
	}
	kept := map[string][]found{}
	var page []byte
	for {
		list, err := s.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, NextPageToken: page})
		if err != nil {
			return 0, err
		}
		for _, e := range list.Executions {
			name := e.Type.Name
			kept[name] = append(kept[name], found{e.Execution.WorkflowId, e.Execution.RunId, e.HistoryLength})
		}
		if page = list.NextPageToken; len(page) == 0 {
			break
		}
	}
	n := 0
	for name, all := range kept {
		for i, f := range all {
			h := s.GetWorkflowHistory(ctx, f.id, f.run, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
			if err := writeFixture(fmt.Sprintf("%s-%s-%d", scene, strings.ToLower(name), i+1), f.id, h); err != nil {
				return n, err
			}
			n++
		}
	}
	return n, nil
}

func converters() (data dataConverter, failures failureConverter) {
	data, _, err := engine.Converters(credential.Secret{})
	if err != nil {
		panic(err)
	}
	return data, temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{DataConverter: data, EncodeCommonAttributes: true})
}
