package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/proxy"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"rollcall/activities"
	"rollcall/internal/credential"
	"rollcall/internal/engine"
	"rollcall/internal/faultproxy"
	"rollcall/internal/kind"
	"rollcall/internal/kind/registry"
	"rollcall/internal/lab"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
	"rollcall/internal/vault/setup/setuptest"
	"rollcall/internal/wire"
	"rollcall/workflows"
)

// pairKind is a kind that no build has: a certificate and its key, of which a
// path names the fields. Only what is registered differs from a production
// kind; Temporal, its worker and Vault are the real ones.
const pairKind credential.Kind = "test-pair"

// workerAt makes this test binary a worker, until somebody kills it.
const workerAt = "ROLLCALL_TEST_WORKER_AT"

func TestMain(m *testing.M) {
	if at := os.Getenv(workerAt); at != "" {
		if err := work(at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		select {}
	}
	os.Exit(m.Run())
}

func dial(address string) (client.Client, error) {
	data, _, err := engine.Converters(credential.Secret{})
	if err != nil {
		return nil, err
	}
	return client.Dial(client.Options{HostPort: address, DataConverter: data, Logger: log.NewStructuredLogger(slog.New(slog.DiscardHandler))})
}

func work(address string) error {
	registry.AddForTest(pairKind, pairs{os.Getenv("PAIRS_URL")})
	store, err := ownmount.Open(context.Background(), ownmount.Settings{Mount: "rollcall", Transit: "rollcall-transit"})
	if err != nil {
		return err
	}
	c, err := dial(address)
	if err != nil {
		return err
	}
	rotations := worker.New(c, wire.RotationQueue, worker.Options{DisableRegistrationAliasing: true})
	workflows.Register(rotations)
	rotations.RegisterActivity(activities.NewRotation(store, registry.New(store.Client)))
	records := worker.New(c, wire.LedgerQueue, worker.Options{DisableRegistrationAliasing: true})
	records.RegisterActivity(&activities.Ledger{Store: store, Dir: os.Getenv("LEDGER_DIR")})
	if err := rotations.Start(); err != nil {
		return err
	}
	return records.Start()
}

// pairs is the authority of the kind, as a worker has it: a client of a system.
type pairs struct{ url string }

func (p pairs) ask(ctx context.Context, what, account string, value credential.Secret) (int, error) {
	body, err := json.Marshal([]string{account, value.Reveal()})
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url+"/"+what, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

func (pairs) Servers() []string { return []string{"pairs"} }

func (pairs) Account(_ context.Context, _ string, c credential.Credential) (kind.Account, error) {
	return kind.Account{Subject: c.Subject, Name: c.Name, State: protocol.Accepted, OnlyOne: true}, nil
}

func (pairs) Generate(context.Context, credential.Credential) (credential.Secret, error) {
	return pairNamed("NEW-" + time.Now().Format("150405.000000000")), nil
}

func (p pairs) Set(ctx context.Context, a kind.Account, new, _ credential.Secret) error {
	code, err := p.ask(ctx, "set", a.Subject, new)
	if err == nil && code != http.StatusOK {
		return fmt.Errorf("the system said %d", code)
	}
	return err
}

func (p pairs) Try(ctx context.Context, _ string, a kind.Account, value credential.Secret) (protocol.Reply, error) {
	code, err := p.ask(ctx, "login", a.Subject, value)
	switch {
	case err != nil:
		return protocol.Unreachable, nil
	case code == http.StatusOK:
		return protocol.Accepted, nil
	}
	return protocol.Refused, nil
}

func (p pairs) Offer(ctx context.Context, server string, a kind.Account, value credential.Secret) (protocol.Reply, error) {
	return p.Try(ctx, server, a, value)
}

func (pairs) Retire(context.Context, kind.Account, credential.Secret) (string, []credential.Finding, error) {
	return "", nil, nil
}
func (pairs) RetiresFirst(credential.Credential) bool { return false }
func (pairs) ProofWithoutOld() protocol.Proof         { return protocol.ProofMetadata }

// pairNamed is a certificate and the key that belongs to it.
func pairNamed(name string) credential.Secret {
	return credential.NewParts(credential.NewSecret(name+"-CERT"), credential.NewSecret(name+"-KEY"))
}

// system decides which pair each account has. It takes none of which the key
// is another certificate's.
type system struct {
	mu   sync.Mutex
	have map[string]string // by account, the value as one text
	sets map[string]int
}

func (s *system) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in [2]string
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	parts, ok := credential.NewSecret(in[1]).Parts()
	whole := ok && len(parts) == 2 && strings.TrimSuffix(parts[0].Reveal(), "-CERT") == strings.TrimSuffix(parts[1].Reveal(), "-KEY")
	switch {
	case r.URL.Path == "/set" && whole:
		if s.have[in[0]] != in[1] {
			s.sets[in[0]]++
		}
		s.have[in[0]] = in[1]
	case r.URL.Path == "/set":
		w.WriteHeader(http.StatusBadRequest)
	case s.have[in[0]] != in[1]:
		w.WriteHeader(http.StatusForbidden)
	}
}

// TestAValueOfTwoPartsGoesThroughTemporalAndVaultWhoeverIsKilled: a worker is
// killed at each request of a rotation that changes something, the one in
// flight is carried out late, and another worker goes on.
func TestAValueOfTwoPartsGoesThroughTemporalAndVaultWhoeverIsKilled(t *testing.T) {
	safe := setuptest.New(t)
	ctx, store := t.Context(), safe.Store
	sys := &system{have: map[string]string{}, sets: map[string]int{}}
	server := httptest.NewServer(sys)
	defer server.Close()
	e, err := lab.StartEngine(ctx, lab.EngineOptions{Dir: t.TempDir()})
	require.NoError(t, err)
	defer func() { _ = e.Stop(context.WithoutCancel(ctx)) }()

	// Two accounts, of which one has a second path; each secret holds more.
	listed := []credential.Credential{pairAt("a", "a", "a-too"), pairAt("b", "b")}
	api := safe.Vault.Client()
	for _, c := range listed {
		sys.have[c.Subject] = pairNamed("OLD-" + c.Subject).Reveal()
		for _, p := range c.Paths {
			_, err := api.KVv2(p.Mount).Put(ctx, p.Path, map[string]any{
				"certificate": "OLD-" + c.Subject + "-CERT", "key": "OLD-" + c.Subject + "-KEY", "host": "www-" + p.Path,
			})
			require.NoError(t, err)
		}
	}
	spec, err := json.Marshal(safe.Spec)
	require.NoError(t, err)
	const campaign = "esg-01-pairs"
	require.NoError(t, activities.Open(ctx, store, ownmount.CampaignRecord{Campaign: campaign, Device: "esg-01"}, spec))
	_, err = store.WriteRoll(ctx, &credential.Roll{Campaign: campaign, Device: "esg-01", Credentials: listed,
		Waves: []credential.Wave{{Name: "all"}}, Servers: map[string][]string{"pairs": {"pairs"}}})
	require.NoError(t, err)

	way, err := faultproxy.StartHTTP(ctx, "127.0.0.1:0", safe.Vault.Address(), nil, nil)
	require.NoError(t, err)
	defer way.Close()
	door, err := faultproxy.StartHTTP(ctx, "127.0.0.1:0", server.URL, nil, nil)
	require.NoError(t, err)
	defer door.Close()
	folder := t.TempDir()
	start := func() *exec.Cmd {
		w := exec.CommandContext(ctx, os.Args[0])
		w.Env = append(os.Environ(), workerAt+"="+e.Address(), "VAULT_ADDR="+way.URL(), "PAIRS_URL="+door.URL(), "LEDGER_DIR="+folder)
		w.Stderr = os.Stderr
		require.NoError(t, w.Start())
		return w
	}

	c, err := dial(e.Address())
	require.NoError(t, err)
	defer c.Close()
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: workflows.CampaignID("esg-01"), TaskQueue: wire.RotationQueue}, workflows.CampaignWorkflow,
		workflows.CampaignInput{Campaign: campaign, Device: "esg-01", Settings: workflows.Settings{Parallel: 1, Concurrency: 1, RetryMin: time.Second, RetryMax: time.Second, Deadline: time.Hour}})
	require.NoError(t, err)

	vaults := func(method, below string) func(faultproxy.Request) bool {
		return func(r faultproxy.Request) bool { return r.Kind == method && strings.HasPrefix(r.Detail, "/v1/"+below) }
	}
	w := start()
	for _, kill := range []struct {
		when string
		way  *faultproxy.Proxy
		is   func(faultproxy.Request) bool
	}{
		{"it stages", way, vaults(http.MethodPut, "rollcall/data/staging/")},
		{"it sets", door, func(r faultproxy.Request) bool { return r.Detail == "/set" }},
		{"it activates", way, vaults(http.MethodPut, "kv/data/apps/")},
		{"it destroys", way, vaults(http.MethodPut, "kv/destroy/apps/")},
		{"it releases", way, vaults(http.MethodDelete, "rollcall/metadata/staging/")},
	} {
		kill.way.Arm(faultproxy.Plan{At: 1, Fault: faultproxy.Stall, Match: kill.is})
		require.Eventually(t, func() bool { _, ok := kill.way.Fired(); return ok }, 10*time.Minute, 5*time.Millisecond, "a worker was to be killed when %s: %v", kill.when, way.Requests())
		require.NoError(t, w.Process.Kill())
		_ = w.Wait()
		kill.way.Release()
		w = start()
	}
	var out workflows.Result
	require.NoError(t, run.Get(ctx, &out))
	require.NoError(t, w.Process.Kill())
	_ = w.Wait()
	require.Equal(t, workflows.Result{Listed: 2, Dead: 2}, out)

	var values []string
	for _, cr := range listed {
		now := credential.NewSecret(sys.have[cr.Subject])
		require.NotContains(t, now.Reveal(), "OLD-")
		require.Equal(t, 1, sys.sets[cr.Subject], "one change for its consumers")
		parts, ok := now.Parts()
		require.True(t, ok)
		values = append(values, parts[0].Reveal(), parts[1].Reveal(), "OLD-"+cr.Subject+"-KEY", "OLD-"+cr.Subject+"-CERT")
		for _, p := range cr.Paths {
			got, err := api.KVv2(p.Mount).Get(ctx, p.Path)
			require.NoError(t, err)
			require.Equal(t, map[string]any{"certificate": parts[0].Reveal(), "key": parts[1].Reveal(), "host": "www-" + p.Path}, got.Data)
			versions, err := api.KVv2(p.Mount).GetVersionsAsList(ctx, p.Path)
			require.NoError(t, err)
			require.Len(t, versions, 2, "one version more")
			require.True(t, versions[0].Destroyed, "the stolen pair is gone from Vault")
		}
		_, staged, err := store.ReadStaged(ctx, cr.ID)
		require.NoError(t, err)
		require.False(t, staged)
	}
	require.NotEmpty(t, values)

	for where, text := range map[string]string{"Temporal": history(t, c), "the ledger": files(t, folder)} {
		for _, v := range values {
			require.NotContains(t, text, v, where)
		}
		require.NotContains(t, text, "rollcall-parts", where)
	}
	r, err := ledger.OpenReader(filepath.Join(folder, campaign))
	require.NoError(t, err)
	state, err := r.State(ctx)
	require.NoError(t, err)
	require.Len(t, state.Credentials, 2)
	for _, s := range state.Credentials {
		require.Equal(t, ledger.Dead, s.Outcome)
		require.Equal(t, protocol.ProofBind, s.Proof)
	}
}

func pairAt(account string, paths ...string) credential.Credential {
	fields := credential.Traits{Field: "certificate", More: []string{"key"}}.Fields()
	c := credential.Credential{ID: "pairs/" + account, Kind: pairKind, Authority: "pairs", Subject: account, Name: account,
		Reasons: []credential.Reason{{Source: "test", Type: "manifest", Detail: "the test named it"}}}
	for _, p := range paths {
		c.Paths = append(c.Paths, credential.Path{Mount: "kv", Path: "apps/" + p, Field: fields})
	}
	c.Named = slices.Clone(c.Paths)
	return c
}

// history is all that Temporal has of what ran, as whoever reads its database
// has it.
func history(t *testing.T, c client.Client) string {
	t.Helper()
	_, codec, err := engine.Converters(credential.Secret{})
	require.NoError(t, err)
	var text strings.Builder
	list, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{})
	require.NoError(t, err)
	require.NotEmpty(t, list.Executions)
	for _, x := range list.Executions {
		events := c.GetWorkflowHistory(t.Context(), x.Execution.WorkflowId, x.Execution.RunId, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for events.HasNext() {
			e, err := events.Next()
			require.NoError(t, err)
			text.WriteString(e.String())
			require.NoError(t, proxy.VisitPayloads(t.Context(), e, proxy.VisitPayloadsOptions{Visitor: func(_ *proxy.VisitPayloadsContext, ps []*commonpb.Payload) ([]*commonpb.Payload, error) {
				plain, err := codec.Decode(ps)
				for _, p := range plain {
					text.Write(p.Data)
				}
				return ps, err
			}}))
		}
	}
	require.Contains(t, text.String(), `"snapshot"`, "its payloads can be read here")
	return text.String()
}

func files(t *testing.T, folder string) string {
	t.Helper()
	var text strings.Builder
	require.NoError(t, filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		text.Write(b)
		return err
	}))
	require.NotZero(t, text.Len())
	return text.String()
}
