package e2e

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	vaultapi "github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"rollcall/internal/estate"
	"rollcall/internal/ledger"
	"rollcall/internal/protocol"
	"rollcall/internal/vault/ownmount"
)

// moment is a step of a task's life: the request to Vault with which it is
// done, or the one that anchors the ledger's entry of it.
type moment struct {
	method, path string // a pattern of what stands behind Rollcall's mount
	entry        ledger.Event
	before       bool // the process dies before Vault has it
	victim       string
}

// scythe stands between rollcall and Vault, and kills the process at a moment.
// It sees what values go where.
type scythe struct {
	to     *httputil.ReverseProxy
	front  *httptest.Server
	ledger string

	mu     sync.Mutex
	at     *moment
	kill   func()
	staged []string
	lay    map[string]map[string]bool // paths, by value
}

func newScythe(t *testing.T, vault, ledger string) *scythe {
	to, err := url.Parse(vault)
	require.NoError(t, err)
	s := &scythe{to: httputil.NewSingleHostReverseProxy(to), ledger: ledger, lay: map[string]map[string]bool{}}
	s.to.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) } // whoever asked is dead
	s.front = httptest.NewServer(s)
	t.Cleanup(s.front.Close)
	return s
}

func (s *scythe) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if s.dies(r, true) {
		panic(http.ErrAbortHandler)
	}
	answer := httptest.NewRecorder()
	s.to.ServeHTTP(answer, r)
	if answer.Code < 300 {
		s.saw(strings.TrimPrefix(r.URL.Path, "/v1/rollcall/data/"), body)
		if s.dies(r, false) {
			panic(http.ErrAbortHandler)
		}
	}
	for k, v := range answer.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// dies kills the process, once, if its moment has come.
func (s *scythe) dies(r *http.Request, before bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.at
	if at == nil || at.before != before || r.Method == http.MethodGet || r.Method == "LIST" {
		return false
	}
	method, path := cmp.Or(at.method, http.MethodPut), at.path
	if at.entry != "" {
		path = "data/checkpoints/"
	}
	if r.Method != method || !strings.HasPrefix(r.URL.Path, "/v1/rollcall/") || !regexp.MustCompile(path).MatchString(r.URL.Path) || at.entry != "" && entriesOf(s.ledger, at.entry) == 0 {
		return false
	}
	s.at = nil
	s.kill()
	return at.victim != "engine" // whoever asked lives
}

// entriesOf counts the entries of an event in the newest of a folder of
// ledgers.
func entriesOf(dir string, event ledger.Event) (n int) {
	all, _ := filepath.Glob(filepath.Join(dir, "*", "ledger.json"))
	if len(all) == 0 {
		return 0
	}
	dir = filepath.Dir(all[len(all)-1])
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "entries") {
			return nil
		}
		data, _ := os.ReadFile(path)
		n = max(n, bytes.Count(data, []byte(`"event":"`+string(event)+`"`)))
		return nil
	})
	return n
}

func (s *scythe) saw(path string, body []byte) {
	var in struct {
		Data struct{ Secret, Value string }
	}
	if json.Unmarshal(body, &in) != nil || in.Data.Secret+in.Data.Value == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	value := in.Data.Secret + in.Data.Value
	if s.lay[value] == nil {
		s.lay[value] = map[string]bool{}
	}
	s.lay[value][path] = true
	if in.Data.Secret != "" && !slices.Contains(s.staged, value) {
		s.staged = append(s.staged, value)
	}
}

// fate is one task's life, and where in it a process dies.
type fate struct {
	*people
	*scythe
	deaths map[string]moment
	died   int
	said   bytes.Buffer
}

// run is `rollcall run` with what it is killed in, if it is: then once more
// without.
func (f *fate) run(steps ...string) {
	t := f.u.t
	t.Helper()
	for _, step := range steps {
		at, dies := f.deaths[step]
		if !dies {
			continue
		}
		args := []string{"run"}
		if step == "overdue" {
			args = append(args, "--stay")
		}
		f.dies(step, at, f.u, args...)
	}
	r := f.u.run("run")
	require.Contains(t, []int{0, 2}, r.code, r.out+r.err)
	f.said.WriteString(r.out + r.err)
}

// dies runs a command that is killed at a moment.
func (f *fate) dies(step string, at moment, u *user, args ...string) {
	t := f.u.t
	t.Helper()
	cmd, begun, killed := u.command(args...), make(chan struct{}), false
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	f.mu.Lock()
	f.at, f.kill = &at, func() {
		<-begun
		killed = true
		if pid := u.enginePID(); at.victim != "worker" && pid > 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if at.victim != "engine" {
			_ = cmd.Process.Kill()
		}
	}
	f.mu.Unlock()
	require.NoError(t, cmd.Start())
	close(begun)
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(2 * patience):
		_ = cmd.Process.Kill()
		<-done
		require.Fail(t, "it was not killed", "%s: %v said:\n%s", step, args, &said)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	require.True(t, killed, "%s: %v ended by itself:\n%s", step, args, &said)
	require.NotContains(t, said.String(), "panic")
	f.died++
	f.said.Write(said.Bytes())
}

// says is a person's command; killed in it, he says it once more, and where it
// was said by then he is told so.
func (f *fate) says(step, token string, args ...string) {
	t := f.u.t
	t.Helper()
	other := *f.u
	other.env = append(slices.Clone(f.u.env), "VAULT_TOKEN="+token)
	other.file, other.state = filepath.Join(f.u.e.Dir, "none.yaml"), filepath.Join(f.u.e.Dir, "nobody")
	at, dies := f.deaths[step]
	if dies {
		f.dies(step, at, &other, args...)
	}
	r := other.run(args...)
	if dies && !at.before {
		require.Equal(t, 1, r.code, r.out+r.err)
		require.Contains(t, r.err, "you said so already")
		return
	}
	require.Zero(t, r.code, r.out+r.err)
}

// Between any two steps of a task's life the process that works is killed with
// -9, the engine, or both, or the command of a person. The built binary goes on
// with the real engine: one value, one card for whoever has the end, each end
// counted once, each step once in a ledger that verifies.
func TestATasksLifeGoesOnWhereverItIsKilled(t *testing.T) {
	t.Parallel()
	e := startEstate(t, estate.Options{Accounts: 1})
	api := e.Vault.Client()
	require.NoError(t, api.Sys().EnableAuthWithOptions("people", &vaultapi.EnableAuthOptions{Type: "userpass"}))
	tokens, ids := map[string]string{}, map[string]string{}
	for _, name := range []string{"alice", "bob", "carol"} {
		tokens[name] = (&people{newUser(t, e, ""), api}).token(name)
		c, err := api.Clone()
		require.NoError(t, err)
		c.SetToken(tokens[name])
		self, err := c.Auth().Token().LookupSelf()
		require.NoError(t, err)
		ids[name] = self.Data["entity_id"].(string)
	}
	card := func(name string) string { return "data/handover/" + ids[name] + "/" }
	fates := []map[string]moment{{
		"staged":        {path: "data/staging/", victim: "worker"},
		"bob's card":    {path: card("bob"), victim: "both"},
		"overdue":       {entry: ledger.TaskOverdue, victim: "worker"},
		"first end":     {entry: ledger.EndAttested, victim: "both"},
		"given on":      {entry: ledger.TaskReassigned, victim: "worker"},
		"dead":          {entry: ledger.EventOutcome, victim: "both"},
		"noted as dead": {path: "/dead-", victim: "worker"},
	}, {
		"opened":        {path: "data/tasks/", victim: "both"},
		"alice's card":  {path: card("alice"), victim: "both"},
		"opened, entry": {entry: ledger.TaskOpened, before: true, victim: "worker"},
		"alice says":    {path: "data/attest/", victim: "worker"},
		"carol's seat":  {path: "data/tasks/", victim: "worker"},
		"card taken":    {method: http.MethodDelete, path: "metadata/handover/", victim: "both"},
		"closed":        {entry: ledger.CampaignClosed, victim: "worker"},
	}, {
		"opened, entry":   {entry: ledger.TaskOpened, victim: "both"},
		"first end":       {entry: ledger.EndAttested, before: true, victim: "worker"},
		"carol's card":    {path: card("carol"), victim: "worker"},
		"bob's card gone": {method: http.MethodDelete, path: "metadata/handover/" + ids["bob"], victim: "both"},
		"carol says":      {path: "data/attest/", before: true, victim: "worker"},
		"unstaged":        {method: http.MethodDelete, path: "metadata/staging/", victim: "worker"},
	}}
	for n, deaths := range fates {
		device := fmt.Sprint("box-", n+1)
		radius, f := "person/"+device+"/radius", newFate(t, e, device, deaths)
		t.Run(device, func(t *testing.T) {
			t.Parallel()
			f.u.t = t
			f.run("staged", "opened", "alice's card", "bob's card", "opened, entry", "overdue")
			for _, name := range []string{"alice", "bob"} {
				require.Equal(t, f.staged[0], f.valueAt(card(name)+f.u.ledger().Campaign+"/"+strings.ReplaceAll(radius, "/", "~2f")), name)
			}
			f.says("alice says", tokens["alice"], "tasks", "done", radius, "--end", "new", "--note", "in the web interface")
			f.run("first end")
			f.says("bob says", tokens["bob"], "tasks", "reassign", radius, "--to", "people/carol", "--reason", "on leave")
			f.run("given on", "carol's seat", "carol's card", "bob's card gone")
			require.Equal(t, f.staged[0], f.valueAt(card("carol")+f.u.ledger().Campaign+"/"+strings.ReplaceAll(radius, "/", "~2f")), "she has it before run leaves")
			f.says("carol says", tokens["carol"], "tasks", "done", radius)
			f.run("dead", "noted as dead", "card taken", "unstaged", "closed")
			require.Equal(t, len(deaths), f.died)
			f.requireOnce(radius, ids)
		})
	}
}

// newFate is a device with one task, which has two ends and is overdue.
func newFate(t *testing.T, e *estate.Estate, device string, deaths map[string]moment) *fate {
	mine := *e
	mine.Dir = filepath.Join(e.Dir, device)
	require.NoError(t, os.Mkdir(mine.Dir, 0o700))
	file := filepath.Join(mine.Dir, "campaign.yaml")
	require.NoError(t, os.WriteFile(file, []byte("device: "+device+"\ncontainment: "+estate.Contained+"\nsources:\n  - {name: people, type: manifest, file: tasks.yaml}\n"+quick), 0o600))
	row := "- {kind: shared-secret, name: radius, due: " + time.Now().UTC().Format(time.RFC3339) + ", owner: people/alice, ends: [new gateway, {name: NPS server, owner: people/bob}]}\n"
	require.NoError(t, os.WriteFile(filepath.Join(mine.Dir, "tasks.yaml"), []byte(row), 0o600))
	u := newUser(t, &mine, file)
	u.must("init")
	s := newScythe(t, e.Vault.Address(), filepath.Join(mine.Dir, "ledger"))
	u.env = []string{"VAULT_ADDR=" + s.front.URL, "VAULT_TOKEN=" + u.rootToken()}
	return &fate{people: &people{u, e.Vault.Client()}, scythe: s, deaths: deaths}
}

// requireOnce: the task is dead by two words, and everything of it was done and
// told once.
func (f *fate) requireOnce(id string, ids map[string]string) {
	t := f.u.t
	t.Helper()
	state := f.u.ledger()
	line := state.Credential(id)
	require.Equal(t, ledger.Closed, state.Phase)
	require.Equal(t, ledger.Dead, line.Outcome)
	require.Equal(t, protocol.ProofAttested, line.Proof)
	require.Empty(t, line.Findings)
	require.Equal(t, ids["alice"], line.Task.End("new gateway").Done.Entity)
	require.Equal(t, ids["carol"], line.Task.End("NPS server").Done.Entity)
	counts := map[ledger.Event]int{}
	for _, e := range []ledger.Event{ledger.TaskOpened, ledger.TaskOverdue, ledger.TaskReassigned, ledger.EndAttested, ledger.EventOutcome, ledger.CampaignStarted, ledger.CampaignClosed} {
		counts[e] = entriesOf(f.scythe.ledger, e)
	}
	require.Equal(t, map[ledger.Event]int{
		ledger.TaskOpened: 1, ledger.TaskOverdue: 1, ledger.TaskReassigned: 1, ledger.EndAttested: 2, ledger.EventOutcome: 1, ledger.CampaignStarted: 1, ledger.CampaignClosed: 1,
	}, counts)
	f.u.must("ledger", "verify")

	// Its value was where it belongs, and is nowhere any more.
	encoded := strings.ReplaceAll(id, "/", "~2f")
	want := []string{ownmount.StagingPath(id)}
	for _, entity := range ids {
		want = append(want, "handover/"+entity+"/"+state.Campaign+"/"+encoded)
	}
	places := map[string][]byte{"what was said": f.said.Bytes()}
	collect(t, filepath.Join(f.u.e.Dir, "ledger"), places)
	collect(t, f.u.state, places)
	require.Len(t, f.lay, 1)
	require.Len(t, f.staged, 1)
	for value, at := range f.lay {
		for path := range at {
			require.Contains(t, want, path)
			require.Empty(t, f.valueAt("data/"+path), path)
		}
		require.Empty(t, findSecrets(places, map[string]string{"the value": value}))
	}
}

// valueAt is what a card or a staging entry holds; empty where there is none.
func (f *fate) valueAt(path string) string {
	got, err := f.api.Logical().ReadWithContext(context.Background(), "rollcall/"+path)
	require.NoError(f.u.t, err)
	if got == nil {
		return ""
	}
	data, _ := got.Data["data"].(map[string]any)
	value, _ := data["value"].(string)
	return value
}
